//! [`Outbox`]: what goes out with the next write.

use bytes::Bytes;
use foster_compat::{Result, TransportRef};

/// Pieces up to this size are copied together; above it a piece of its own in a vectored write costs less than the copy.
const MAX_COPIED: usize = 4 * 1024;

/// The most pieces of one vectored write: what a transport hands to the kernel at once.
const MAX_PIECES: usize = 64;

/// An outbox that has grown beyond this gives its memory back when it is empty.
const MAX_KEPT: usize = 64 * 1024;

/// Bytes to be written: small ones in a row, and large pieces between them that are shared with who made them.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) bytes: Vec<u8>,
    /// Each with the place in `bytes` it stands before.
    pieces: Vec<(usize, Bytes)>,
    n_shared: usize,
}

impl Outbox {
    /// Adds a piece of a body.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if piece.len() <= MAX_COPIED {
            self.bytes.extend_from_slice(&piece);
        } else {
            self.n_shared += piece.len();
            self.pieces.push((self.bytes.len(), piece));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + self.n_shared
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds as many pieces as one write takes.
    pub(crate) fn is_full(&self) -> bool {
        2 * self.pieces.len() + 1 >= MAX_PIECES
    }

    /// Writes everything with one call.
    pub(crate) fn flush(&mut self, transport: &TransportRef) -> Result<()> {
        if self.pieces.is_empty() {
            let written = transport.write(&self.bytes);
            self.bytes.clear();
            return written;
        }
        let mut slices = [&[][..]; MAX_PIECES + 1];
        let (mut n, mut at) = (0, 0);
        let mut written = Ok(());
        for (before, piece) in &self.pieces {
            if n + 2 > MAX_PIECES {
                written = written.and(transport.writelines(&slices[..n]));
                n = 0;
            }
            slices[n] = &self.bytes[at..*before];
            slices[n + 1] = piece;
            (n, at) = (n + 2, *before);
        }
        slices[n] = &self.bytes[at..];
        written = written.and(transport.writelines(&slices[..=n]));
        self.clear();
        written
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
        self.n_shared = 0;
    }

    /// Makes it as it is kept for the next connection: empty, and not large.
    pub(crate) fn clean(&mut self) {
        self.clear();
        if self.bytes.capacity() > MAX_KEPT {
            *self = Outbox::default();
        }
    }
}
