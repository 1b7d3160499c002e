//! Masks: what a client lays over its payloads, and a server takes off (RFC 6455, 5.3).

use std::cell::RefCell;

use super::error::WebSocketError;

/// As many bytes as are masked in one step, which compilers turn into one or two of the processor's.
const STEP: usize = 32;

/// Lays a mask over `bytes`, or takes it off.
pub(super) fn apply(key: [u8; 4], bytes: &mut [u8]) {
    let [a, b, c, d] = key;
    let wide = [[a, b, c, d, a, b, c, d]; STEP / 8];
    let wide: [u8; STEP] = wide.as_flattened().try_into().expect("the step");
    let mut chunks = bytes.chunks_exact_mut(STEP);
    for chunk in &mut chunks {
        let chunk: &mut [u8; STEP] = chunk.try_into().expect("the step");
        for (byte, key) in chunk.iter_mut().zip(wide) {
            *byte ^= key;
        }
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(wide) {
        *byte ^= key;
    }
}

/// The key for what comes `n` bytes later.
pub(super) fn advance(key: &mut [u8; 4], n: usize) {
    key.rotate_left(n % 4);
}

/// How many bytes are drawn at once: 128 keys. A call for each key would cost more than the frame.
const BLOCK: usize = 512;

struct Keys {
    block: [u8; BLOCK],
    n_used: usize,
}

thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(Keys { block: [0; BLOCK], n_used: BLOCK }) };
}

/// The system gives no random bytes.
#[derive(Debug)]
pub(super) struct NoRandomBytes;

impl From<NoRandomBytes> for WebSocketError {
    fn from(_: NoRandomBytes) -> Self {
        WebSocketError::State("the system gives no random bytes for a mask")
    }
}

/// A key that nobody can foresee (RFC 6455, 10.3), from the system's randomness.
pub(super) fn random_key() -> Result<[u8; 4], NoRandomBytes> {
    KEYS.with_borrow_mut(Keys::next)
}

impl Keys {
    fn next(&mut self) -> Result<[u8; 4], NoRandomBytes> {
        if self.n_used == BLOCK {
            getrandom::fill(&mut self.block).map_err(|_| NoRandomBytes)?;
            self.n_used = 0;
        }
        let key = self.block[self.n_used..self.n_used + 4].try_into().expect("four bytes");
        self.n_used += 4;
        Ok(key)
    }
}
