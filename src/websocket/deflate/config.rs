//! [`DeflateConfig`]: what this end offers or takes.

use super::budget::DeflateBudget;
use super::params::MAX_WINDOW_BITS;

/// What this end offers or takes, on either side.
///
/// ```
/// use foster::http::HeaderValue;
/// use foster::websocket::DeflateConfig;
///
/// let config = DeflateConfig { server_max_window_bits: 12, ..DeflateConfig::default() };
/// let offer = HeaderValue::from_static("permessage-deflate; client_max_window_bits");
/// let Some((mut deflate, answer)) = config.accept([offer.as_bytes()])? else { panic!("it can be had") };
/// assert_eq!(answer, "permessage-deflate; server_max_window_bits=12");
///
/// let mut compressed = Vec::new();
/// assert!(deflate.compress("ein Satz, ".repeat(20).as_bytes(), &mut compressed));
/// assert!(compressed.len() < 20);
/// # Ok::<(), foster::websocket::WebSocketError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeflateConfig {
    /// How hard the compressor tries: 1 to 9, and what is outside counts as the nearest.
    pub level: u8,
    /// The server's messages shall not refer to those before them, so that its compressor can go round, which costs
    /// 4 to 8 µs a message and leaves short messages as long as they are.
    pub server_no_context_takeover: bool,
    /// The client's messages shall not refer to those before them.
    pub client_no_context_takeover: bool,
    /// How far back the server's messages may refer at most, as a power of two: 8 to 15, and what is outside counts as
    /// the nearest.
    pub server_max_window_bits: u8,
    /// How far back the client's messages may refer at most, likewise. A server can ask that only of a client that says
    /// it knows how.
    pub client_max_window_bits: u8,
    /// Messages below so many bytes go uncompressed.
    pub min_size: usize,
    /// The memory it may take.
    pub budget: DeflateBudget,
}

/// Go's gorilla/websocket and aiohttp take the fastest, too. With a window of 15 bits, a message of 150 bytes that refers
/// to the one before took less than a sixth of the time of level 6, and came out as short.
const DEFAULT_LEVEL: u8 = 1;

/// With nothing to refer to, JSON of 100 bytes did not get smaller, of 150 by one in a hundred. With less, the headers of
/// the packet outweigh what is saved.
const DEFAULT_MIN_SIZE: usize = 128;

impl Default for DeflateConfig {
    /// Level 1, both ends with context and windows of 32 KiB, no message below 128 bytes, the budget of the process.
    fn default() -> Self {
        DeflateConfig {
            level: DEFAULT_LEVEL,
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: MAX_WINDOW_BITS,
            min_size: DEFAULT_MIN_SIZE,
            budget: DeflateBudget::default(),
        }
    }
}
