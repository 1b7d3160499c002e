//! [`DeflateParams`]: what both ends agreed on.

/// What both ends agreed on (RFC 7692, 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeflateParams {
    /// The server's messages do not refer to those before them.
    pub server_no_context_takeover: bool,
    /// The client's messages do not refer to those before them.
    pub client_no_context_takeover: bool,
    /// How far back the server's messages may refer, as a power of two: 8 to 15.
    pub server_max_window_bits: u8,
    /// How far back the client's messages may refer, as a power of two: 8 to 15.
    pub client_max_window_bits: u8,
}

impl Default for DeflateParams {
    fn default() -> Self {
        DeflateParams {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: MAX_WINDOW_BITS,
        }
    }
}

/// What holds where nothing is said: 32 KiB.
pub(super) const MAX_WINDOW_BITS: u8 = 15;

/// The least that can be said: 256 bytes.
pub(super) const MIN_WINDOW_BITS: u8 = 8;
