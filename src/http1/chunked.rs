//! [`ChunkDecoder`]: the chunked coding, read (RFC 9112, 7.1).

use crate::http::{HeaderList, HttpError, Limits};

use super::parse::parse_trailers;
use super::stash::Stash;

/// Where a chunked body stands.
///
/// ```text
///   Size ──digit──> Digits ──;──> Extension ──CR──> SizeLf ──> Data ──> DataCr ──> DataLf ──> Size
///                      └──────────────CR──────────────┘ └──size 0──> Trailers ──> over
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkDecoder {
    state: State,
    /// The size while its digits come, then how much of the data is to come.
    size: u64,
    /// The sizes of all chunks in sum.
    n_announced: u64,
    n_digits: u8,
    n_extension_bytes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Digits,
    /// Whitespace that only an extension may follow.
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
}

/// What a chunked body gives.
pub(super) enum Piece<'a> {
    Data(&'a [u8]),
    End(HeaderList),
}

impl ChunkDecoder {
    pub(super) fn new() -> Self {
        ChunkDecoder { state: State::Digits, size: 0, n_announced: 0, n_digits: 0, n_extension_bytes: 0 }
    }

    /// Takes the next piece from the start of `data`; `None` once all of it was taken and more is needed.
    pub(super) fn next<'a>(
        &mut self,
        data: &mut &'a [u8],
        stash: &mut Stash,
        limits: &Limits,
    ) -> Result<Option<Piece<'a>>, HttpError> {
        loop {
            if self.state == State::Data && !data.is_empty() {
                let n = data.len().min(usize::try_from(self.size).unwrap_or(usize::MAX));
                let (piece, rest) = data.split_at(n);
                *data = rest;
                self.size -= n as u64;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
                return Ok(Some(Piece::Data(piece)));
            }
            if self.state == State::Trailers {
                return Ok(self.trailers(data, stash, limits)?.map(Piece::End));
            }
            let Some((&byte, rest)) = data.split_first() else { return Ok(None) };
            self.step(byte, limits)?;
            *data = rest;
        }
    }

    /// One byte of what stands around the data.
    fn step(&mut self, byte: u8, limits: &Limits) -> Result<(), HttpError> {
        self.state = match (self.state, byte) {
            (State::Digits, b'\r') if self.n_digits > 0 => State::SizeLf,
            (State::Digits | State::Space, b';') if self.n_digits > 0 => self.extend(limits)?,
            (State::Digits, b' ' | b'\t') if self.n_digits > 0 => {
                self.extend(limits)?;
                State::Space
            }
            (State::Space, b' ' | b'\t') => {
                self.extend(limits)?;
                State::Space
            }
            (State::Digits, _) => self.digit(byte)?,
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => self.extend(limits)?,
            (State::Extension, _) => return Err(HttpError::ChunkExtension),
            (State::SizeLf, b'\n') if self.size == 0 => State::Trailers,
            (State::SizeLf, b'\n') => self.announce(limits)?,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                (self.size, self.n_digits) = (0, 0);
                State::Digits
            }
            (State::DataCr | State::DataLf, _) => return Err(HttpError::ChunkEnd),
            _ => return Err(HttpError::ChunkSize),
        };
        Ok(())
    }

    fn digit(&mut self, byte: u8) -> Result<State, HttpError> {
        // 16 digits are all that 64 bits hold; more of them would overflow, or be zeros that somebody else cuts off.
        let digit = char::from(byte).to_digit(16).filter(|_| self.n_digits < 16).ok_or(HttpError::ChunkSize)?;
        self.size = self.size << 4 | u64::from(digit);
        self.n_digits += 1;
        Ok(State::Digits)
    }

    /// A chunk that goes beyond the limit is refused before its data comes, wherever that is cut.
    fn announce(&mut self, limits: &Limits) -> Result<State, HttpError> {
        self.n_announced = self.n_announced.saturating_add(self.size);
        match limits.body {
            Some(limit) if self.n_announced > limit => Err(HttpError::BodyTooLarge { limit }),
            _ => Ok(State::Data),
        }
    }

    fn extend(&mut self, limits: &Limits) -> Result<State, HttpError> {
        self.n_extension_bytes = self.n_extension_bytes.saturating_add(1);
        if self.n_extension_bytes as usize > limits.chunk_extensions {
            return Err(HttpError::ChunkExtensionsTooLong { limit: limits.chunk_extensions });
        }
        Ok(State::Extension)
    }

    fn trailers(
        &mut self,
        data: &mut &[u8],
        stash: &mut Stash,
        limits: &Limits,
    ) -> Result<Option<HeaderList>, HttpError> {
        if stash.is_empty() {
            if let Some((n, trailers)) = parse_trailers(data, limits)? {
                *data = &data[n..];
                return Ok(Some(trailers));
            }
        }
        let n_before = stash.bytes().len();
        if !stash.add(data, limits.trailers, true) {
            *data = &[];
            return Ok(None);
        }
        let Some((n, trailers)) = parse_trailers(stash.bytes(), limits)? else { return Ok(None) };
        *data = &data[n - n_before..];
        stash.clear();
        Ok(Some(trailers))
    }
}
