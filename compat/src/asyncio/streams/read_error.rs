//! What a read of a stream may fail with, beside what the connection was lost with.

use std::fmt;

/// The stream has ended before a read was complete: `asyncio.IncompleteReadError`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncompleteReadError {
    /// The bytes that came before the end. They are read: the stream holds them no longer.
    pub partial: Vec<u8>,
    /// How many bytes were asked for; `None` after `readuntil`.
    pub expected: Option<usize>,
}

impl IncompleteReadError {
    pub(super) fn new(partial: Vec<u8>, expected: Option<usize>) -> Self {
        IncompleteReadError { partial, expected }
    }
}

impl fmt::Display for IncompleteReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes read on a total of ", self.partial.len())?;
        match self.expected {
            Some(expected) => write!(f, "{expected} expected bytes"),
            None => f.write_str("undefined expected bytes"),
        }
    }
}

impl std::error::Error for IncompleteReadError {}

/// No separator came within the limit of the stream: `asyncio.LimitOverrunError`. What has come is still there to be
/// read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitOverrunError {
    /// How many bytes can be read that hold no separator, nor the beginning of one.
    pub consumed: usize,
    message: &'static str,
}

impl LimitOverrunError {
    pub(super) fn new(message: &'static str, consumed: usize) -> Self {
        LimitOverrunError { consumed, message }
    }

    pub(super) fn message(&self) -> &'static str {
        self.message
    }
}

impl fmt::Display for LimitOverrunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for LimitOverrunError {}
