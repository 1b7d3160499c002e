//! [`Delimited`]: lines in a buffer, found without looking at a byte twice.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use bytes::{Buf, BytesMut};

use super::base::Base;
use crate::error::Result;

/// The delimiter of lines unless another is set: Twisted's `delimiter`.
pub(super) const DELIMITER: &[u8] = b"\r\n";

/// The longest line that is taken unless another is set, without its delimiter: Twisted's `MAX_LENGTH` of lines.
pub(super) const MAX_LENGTH: usize = 16_384;

/// What both line receivers remember.
pub(super) struct Delimited {
    delimiter: RefCell<Cow<'static, [u8]>>,
    max_length: Cell<usize>,
    /// How much of the buffer holds no delimiter.
    n_searched: Cell<usize>,
}

/// What the buffer begins with.
pub(super) enum Next {
    Line(BytesMut),
    /// A line that is too long, which stays in the buffer.
    TooLong,
    Starved,
}

impl Delimited {
    pub(super) fn new(delimiter: &'static [u8], max_length: usize) -> Self {
        Delimited {
            delimiter: RefCell::new(Cow::Borrowed(delimiter)),
            max_length: Cell::new(max_length),
            n_searched: Cell::new(0),
        }
    }

    pub(super) fn reset(&self) {
        self.n_searched.set(0);
    }

    pub(super) fn set_delimiter(&self, delimiter: Cow<'static, [u8]>) {
        self.delimiter.replace(delimiter);
        self.reset();
    }

    pub(super) fn set_max_length(&self, max_length: usize) {
        self.max_length.set(max_length);
    }

    pub(super) fn send_line<S>(&self, base: &Base<S>, line: &[u8]) -> Result<()> {
        // Writing may call the receiver, which may set another delimiter.
        let delimiter = self.delimiter.borrow().clone();
        base.transport.writelines(&[line, &delimiter])
    }

    /// Takes the next line out of the buffer.
    pub(super) fn next(&self, buffer: &mut BytesMut) -> Next {
        let delimiter = self.delimiter.borrow();
        // A delimiter may have been cut.
        let start = self.n_searched.get().saturating_sub(delimiter.len().saturating_sub(1));
        match find(buffer, &delimiter, start) {
            Some(end) if end <= self.max_length.get() => {
                let line = buffer.split_to(end);
                buffer.advance(delimiter.len());
                self.reset();
                Next::Line(line)
            }
            None if self.may_end(buffer, &delimiter) => {
                self.n_searched.set(buffer.len());
                Next::Starved
            }
            _ => Next::TooLong,
        }
    }

    /// Whether a buffer without a delimiter may become a line that is short enough: as it is, or because its end is the
    /// beginning of the delimiter.
    fn may_end(&self, buffer: &[u8], delimiter: &[u8]) -> bool {
        let max_length = self.max_length.get();
        buffer.len() <= max_length
            || (1..delimiter.len()).any(|n| {
                buffer.len().checked_sub(n).is_some_and(|end| end <= max_length && buffer[end..] == delimiter[..n])
            })
    }
}

/// Where `delimiter` begins in `data`, from `start` on. An empty one is nowhere.
fn find(data: &[u8], delimiter: &[u8], start: usize) -> Option<usize> {
    let (first, others) = delimiter.split_first()?;
    let mut at = start;
    while let Some(n_before) = data.get(at..)?.iter().position(|byte| byte == first) {
        at += n_before;
        if data[at + 1..].starts_with(others) {
            return Some(at);
        }
        at += 1;
    }
    None
}
