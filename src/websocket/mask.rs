//! Masks: what a client lays over its payloads, and a server takes off (RFC 6455, 5.3).

use std::cell::RefCell;

use super::error::WebSocketError;

/// Lays a mask over `bytes`, or takes it off: eight bytes at a time, which compilers turn into wider steps.
pub(super) fn apply(key: [u8; 4], bytes: &mut [u8]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let masked = u64::from_ne_bytes((&*chunk).try_into().expect("eight bytes")) ^ wide;
        chunk.copy_from_slice(&masked.to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip([a, b, c, d, a, b, c]) {
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

/// A key that nobody can foresee (RFC 6455, 10.3), from the system's randomness.
///
/// # Errors
///
/// The system gives no random bytes.
pub(super) fn random_key() -> Result<[u8; 4], WebSocketError> {
    KEYS.with_borrow_mut(Keys::next)
}

impl Keys {
    fn next(&mut self) -> Result<[u8; 4], WebSocketError> {
        if self.n_used == BLOCK {
            getrandom::fill(&mut self.block)
                .map_err(|_| WebSocketError::State("the system gives no random bytes for a mask"))?;
            self.n_used = 0;
        }
        let key = self.block[self.n_used..self.n_used + 4].try_into().expect("four bytes");
        self.n_used += 4;
        Ok(key)
    }
}
