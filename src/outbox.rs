//! [`Outbox`]: what goes out with the next write.

use bytes::Bytes;
use foster_compat::{Piece, Result, TransportRef};

/// Pieces up to this size are copied together; above it a piece of its own in a vectored write costs less than the copy.
const MAX_COPIED: usize = 4 * 1024;

/// The most pieces of one vectored write: what a transport hands to the kernel at once.
const MAX_PIECES: usize = 64;

/// An outbox that has grown beyond this gives its memory back when it is empty.
const MAX_KEPT: usize = 64 * 1024;

/// Bytes to be written: small ones in a row, and large pieces between them that are shared with who made them. One that
/// has never held any is a pointer to nothing: that is what a connection keeps that does not write.
#[derive(Default)]
pub(crate) struct Outbox {
    content: Option<Box<Content>>,
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    /// Each with the place in `bytes` it stands before.
    pieces: Vec<(usize, Bytes)>,
    n_shared: usize,
}

impl Outbox {
    /// What is written in a row.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.content().bytes
    }

    fn content(&mut self) -> &mut Content {
        self.content.get_or_insert_default()
    }

    /// Whether it has held anything, and would not allocate for the next.
    pub(crate) fn has_memory(&self) -> bool {
        self.content.is_some()
    }

    /// Adds a piece of a body: copies a small one, and takes a large one.
    pub(crate) fn push(&mut self, piece: &mut Bytes) {
        let content = self.content();
        if piece.len() <= MAX_COPIED {
            content.bytes.extend_from_slice(piece);
        } else {
            content.n_shared += piece.len();
            content.pieces.push((content.bytes.len(), std::mem::take(piece)));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.content.as_ref().map_or(0, |content| content.bytes.len() + content.n_shared)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds as many pieces as one write takes.
    pub(crate) fn is_full(&self) -> bool {
        self.content.as_ref().is_some_and(|content| 2 * content.pieces.len() + 3 > MAX_PIECES)
    }

    /// Writes everything with one call.
    pub(crate) fn flush(&mut self, transport: &TransportRef) -> Result<()> {
        match &mut self.content {
            Some(content) => content.flush(transport),
            None => Ok(()),
        }
    }

    /// Makes it as it is kept for the next connection: empty, and not large. `false` if it has nothing to keep.
    pub(crate) fn clean(&mut self) -> bool {
        let Some(content) = self.content.as_mut().filter(|content| content.bytes.capacity() <= MAX_KEPT) else {
            return false;
        };
        content.clear();
        true
    }
}

impl Content {
    fn flush(&mut self, transport: &TransportRef) -> Result<()> {
        if self.pieces.is_empty() {
            let written = transport.write(&self.bytes);
            self.bytes.clear();
            return written;
        }
        if let [(before, piece)] = &self.pieces[..] {
            let (head, rest) = self.bytes.split_at(*before);
            let written = transport.writelines_shared(&[Piece::Lent(head), Piece::Shared(piece), Piece::Lent(rest)]);
            self.clear();
            return written;
        }
        let mut pieces = [Piece::Lent(&[]); MAX_PIECES];
        let (mut n, mut at) = (0, 0);
        let mut written = Ok(());
        for (before, piece) in &self.pieces {
            if n + 3 > MAX_PIECES {
                written = written.and(transport.writelines_shared(&pieces[..n]));
                n = 0;
            }
            pieces[n] = Piece::Lent(&self.bytes[at..*before]);
            pieces[n + 1] = Piece::Shared(piece);
            (n, at) = (n + 2, *before);
        }
        pieces[n] = Piece::Lent(&self.bytes[at..]);
        written = written.and(transport.writelines_shared(&pieces[..=n]));
        self.clear();
        written
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
        self.n_shared = 0;
    }
}
