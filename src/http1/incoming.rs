//! [`Incoming`]: the body of a message that is read, however it is marked off.

use crate::http::{HeaderList, HttpError, Limits};

use super::chunked::{ChunkDecoder, Piece};
use super::stash::Stash;

/// Where the body of a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// So much is to come.
    Length(u64),
    Chunked(ChunkDecoder),
    /// Everything up to the end of the stream.
    Close,
}

impl Incoming {
    pub(super) fn chunked() -> Self {
        Incoming::Chunked(ChunkDecoder::new())
    }

    /// Takes the next piece from the start of `data`; `None` once all of it was taken and more is needed.
    pub(super) fn next<'a>(
        &mut self,
        data: &mut &'a [u8],
        stash: &mut Stash,
        limits: &Limits,
    ) -> Result<Option<Piece<'a>>, HttpError> {
        match self {
            Incoming::Length(0) => Ok(Some(Piece::End(HeaderList::new()))),
            Incoming::Length(_) | Incoming::Close if data.is_empty() => Ok(None),
            Incoming::Length(left) => {
                let n = data.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                let (piece, rest) = data.split_at(n);
                *data = rest;
                *left -= n as u64;
                Ok(Some(Piece::Data(piece)))
            }
            Incoming::Close => Ok(Some(Piece::Data(std::mem::take(data)))),
            Incoming::Chunked(decoder) => decoder.next(data, stash, limits),
        }
    }
}
