//! How a connection sees the server that accepted it.

use std::rc::Weak;
use std::time::Duration;

use super::exceptions::ValueError;
use super::protocol_cell::ProtocolCell;
use crate::error::Result;
use crate::runtime::Failure;

/// asyncio's default high-water mark.
pub(crate) const DEFAULT_HIGH: usize = 64 * 1024;
/// asyncio's default low-water mark, a quarter of the high one.
pub(crate) const DEFAULT_LOW: usize = DEFAULT_HIGH / 4;

/// Where accepted connections come from, as a connection sees it.
pub(crate) trait Acceptor {
    /// Makes the protocol of an accepted connection; `None` if the server was closed since.
    fn make_protocol(&self) -> Option<Result<ProtocolCell, Failure>>;
    /// The connection is over; `client` is what `add_client` gave.
    fn detach(&self, client: u32);
    /// Remembers an accepted connection.
    fn add_client(&self, client: Weak<dyn Client>) -> u32;
    fn options(&self) -> &ConnectionOptions;
}

/// A connection as its server closes it.
pub(crate) trait Client {
    fn close_client(&self);
    fn abort_client(&self);
}

/// What a connection starts with.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionOptions {
    pub(crate) high: usize,
    pub(crate) low: usize,
    pub(crate) is_strict: bool,
    pub(crate) idle_timeout: Option<Duration>,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        ConnectionOptions { high: DEFAULT_HIGH, low: DEFAULT_LOW, is_strict: false, idle_timeout: None }
    }
}

/// The (low, high) marks of a plain transport from what was given.
pub(crate) fn water_marks(high: Option<usize>, low: Option<usize>) -> Result<(usize, usize)> {
    checked_marks(high, low, DEFAULT_HIGH)
}

/// The (low, high) marks from what was given, by asyncio's rules.
pub(crate) fn checked_marks(high: Option<usize>, low: Option<usize>, default_high: usize) -> Result<(usize, usize)> {
    let high = high.unwrap_or_else(|| low.map_or(default_high, |low| low.saturating_mul(4)));
    let low = low.unwrap_or(high / 4);
    if high < low {
        return Err(ValueError::new(format!("high ({high}) must be >= low ({low}) must be >= 0")).into());
    }
    Ok((low, high))
}
