//! [`Stash`]: the bytes of a head or of trailers that are not complete yet.

use memchr::{memchr_iter, memmem};

use crate::http::{HttpError, Limits};

use super::parse::Read;

/// Keeps the beginning of a section of lines until its empty line has come, and looks at each byte once however the
/// section is cut.
#[derive(Debug, Default)]
pub(super) struct Stash {
    bytes: Vec<u8>,
    /// How far the line ends were looked at.
    n_searched: usize,
}

/// Reads a head from the start of some bytes; `None` if it is not complete.
type ParseHead<H> = fn(&[u8], &Limits) -> Result<Option<Read<H>>, HttpError>;

impl Stash {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes what is there of `data`, no more than makes `limit` and one byte; gives whether that is enough to look at:
    /// the empty line has come, or a line that ends in a bare LF, or what is beyond the limit. The empty line of
    /// trailers may be all there is.
    pub(super) fn add(&mut self, data: &[u8], limit: usize, may_be_empty: bool) -> bool {
        let n_taken = data.len().min((limit + 1).saturating_sub(self.bytes.len()));
        self.bytes.extend_from_slice(&data[..n_taken]);
        let has_bare_end = memchr_iter(b'\n', &self.bytes[self.n_searched..])
            .map(|end| self.n_searched + end)
            .any(|end| end == 0 || self.bytes[end - 1] != b'\r');
        // The empty line may have begun in what was there.
        let from = self.n_searched.saturating_sub(3);
        self.n_searched = self.bytes.len();
        let is_empty = may_be_empty && self.bytes.starts_with(b"\r\n");
        let is_complete = is_empty || memmem::find(&self.bytes[from..], b"\r\n\r\n").is_some();
        has_bare_end || is_complete || self.bytes.len() > limit
    }

    /// Takes a head from what was kept and the start of `data`; `None` once all of it was taken and more is needed.
    ///
    /// # Errors
    ///
    /// Those of `parse`, and [`HttpError::HeadTooLarge`].
    pub(super) fn take_head<H>(
        &mut self,
        data: &mut &[u8],
        limits: &Limits,
        parse: ParseHead<H>,
    ) -> Result<Option<Read<H>>, HttpError> {
        if data.is_empty() {
            return Ok(None);
        }
        if self.is_empty() {
            if let Some(read) = parse(data, limits)? {
                *data = &data[read.n..];
                return Ok(Some(read));
            }
        }
        let n_before = self.bytes.len();
        if !self.add(data, limits.head, false) {
            *data = &[];
            return Ok(None);
        }
        match parse(&self.bytes, limits)? {
            Some(read) => {
                *data = &data[read.n - n_before..];
                self.clear();
                Ok(Some(read))
            }
            None if self.bytes.len() > limits.head => Err(HttpError::HeadTooLarge { limit: limits.head }),
            None => {
                *data = &[];
                Ok(None)
            }
        }
    }

    /// Whether there is nothing but line ends: empty lines, which no message has to follow.
    pub(super) fn has_only_line_ends(&self) -> bool {
        self.bytes.chunks(2).all(|end| b"\r\n".starts_with(end))
    }

    /// Forgets everything, and gives the memory back: an idle connection holds none.
    pub(super) fn clear(&mut self) {
        *self = Stash::default();
    }
}
