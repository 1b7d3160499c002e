//! The key of a client, and the answer that shows that it was understood.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

use crate::http::HeaderValue;

/// The bytes of a key (RFC 6455, 4.1).
const KEY_SIZE: usize = 16;

/// Their length in base64: five groups of three bytes, and one byte with its padding.
const KEY_LENGTH: usize = 24;

/// What the server appends to the key (RFC 6455, 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The bits of the last digit that belong to no byte may be set: clients that pick 22 digits at random set them, and a
/// key says nothing. The padding has to be there.
const DECODER: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A random key; `None` if the operating system has no random bytes.
pub(super) fn random_key() -> Option<HeaderValue> {
    let mut bytes = [0; KEY_SIZE];
    getrandom::fill(&mut bytes).ok()?;
    HeaderValue::try_from(STANDARD.encode(bytes)).ok()
}

/// Whether it is the base64 of 16 bytes.
pub(super) fn is_key(key: &[u8]) -> bool {
    // The decoder asks for room for three bytes in each group.
    let mut room = [0; KEY_LENGTH / 4 * 3];
    key.len() == KEY_LENGTH && DECODER.decode_slice(key, &mut room) == Ok(KEY_SIZE)
}

/// `Sec-WebSocket-Accept` to a key (RFC 6455, 4.2.2).
pub(super) fn accept_key(key: &[u8]) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    STANDARD.encode(digest)
}
