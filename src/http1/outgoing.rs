//! [`Outgoing`]: the body of a message that is sent, counted against what its head has said.

use crate::http::{HeaderList, HttpError};

use super::encode::{self, BodyFraming};

/// A body on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    framing: BodyFraming,
    /// What is left of the length.
    n_left: u64,
}

/// What stands behind a piece of data.
const CHUNK_END: &[u8] = b"\r\n";

impl Outgoing {
    pub(super) fn new(framing: BodyFraming) -> Self {
        let n_left = if let BodyFraming::Length(length) = framing { length } else { 0 };
        Outgoing { framing, n_left }
    }

    /// Writes what stands before `n` bytes of data, and gives what has to stand behind them.
    pub(super) fn frame(&mut self, n: usize, out: &mut Vec<u8>) -> Result<&'static [u8], HttpError> {
        match self.framing {
            BodyFraming::Nothing if n > 0 => Err(HttpError::TooMuchBody),
            BodyFraming::Length(_) => {
                self.n_left = self.n_left.checked_sub(n as u64).ok_or(HttpError::TooMuchBody)?;
                Ok(b"")
            }
            // A chunk of no bytes would be the last.
            BodyFraming::Chunked if n > 0 => {
                encode::chunk_size(n, out);
                Ok(CHUNK_END)
            }
            BodyFraming::Chunked | BodyFraming::Close | BodyFraming::Nothing => Ok(b""),
        }
    }

    /// Writes the end.
    pub(super) fn end(self, trailers: &HeaderList, out: &mut Vec<u8>) -> Result<(), HttpError> {
        match self.framing {
            BodyFraming::Length(_) if self.n_left > 0 => Err(HttpError::TooLittleBody),
            BodyFraming::Chunked => {
                encode::last_chunk(trailers, out);
                Ok(())
            }
            BodyFraming::Length(_) | BodyFraming::Close | BodyFraming::Nothing => Ok(()),
        }
    }

    pub(super) fn is_chunked(self) -> bool {
        self.framing == BodyFraming::Chunked
    }
}
