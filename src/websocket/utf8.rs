//! [`Utf8Check`]: whether text that comes in pieces is UTF-8.

use simdutf8::compat;

/// Whether text that comes in pieces is UTF-8, known at the first byte that makes it none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Utf8Check {
    /// The start of a character whose end has not come.
    start: [u8; 4],
    n_start: u8,
}

/// The text is not UTF-8, whatever follows.
#[derive(Debug)]
pub(super) struct NotUtf8;

impl Utf8Check {
    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<(), NotUtf8> {
        while self.n_start > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            self.push_byte(byte)?;
        }
        let Err(err) = compat::from_utf8(piece) else { return Ok(()) };
        if err.error_len().is_some() {
            return Err(NotUtf8);
        }
        self.keep(&piece[err.valid_up_to()..]);
        Ok(())
    }

    /// A byte inside a character.
    fn push_byte(&mut self, byte: u8) -> Result<(), NotUtf8> {
        let n_start = usize::from(self.n_start);
        let mut bytes = self.start;
        bytes[n_start] = byte;
        let bytes = &bytes[..=n_start];
        match std::str::from_utf8(bytes) {
            Ok(_) => self.keep(&[]),
            Err(err) if err.error_len().is_none() => self.keep(bytes),
            Err(_) => return Err(NotUtf8),
        }
        Ok(())
    }

    /// At most three bytes: four are a character, or none.
    fn keep(&mut self, start: &[u8]) {
        self.start[..start.len()].copy_from_slice(start);
        self.n_start = start.len() as u8;
    }

    /// Whether the text may end here: not within a character.
    pub(super) fn is_complete(&self) -> bool {
        self.n_start == 0
    }
}
