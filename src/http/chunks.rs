//! [`Chunks`]: the pieces of a body that wait for their reader.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::recycled::copy_of;

/// Pieces below this size are copied together: a body in chunks of one byte costs no more than its bytes.
const SMALL: usize = 1024;

/// Pieces in order, the small ones among them put together.
#[derive(Default)]
pub(super) struct Chunks {
    pieces: VecDeque<Bytes>,
    /// Small ones, behind the last piece.
    tail: BytesMut,
    len: usize,
}

impl Chunks {
    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether all there is comes with the next piece.
    #[cfg(feature = "tower")]
    pub(super) fn is_one_piece(&self) -> bool {
        self.pieces.len() + usize::from(!self.tail.is_empty()) <= 1
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.len() < SMALL {
            return self.copy(&piece);
        }
        self.close_tail();
        self.len += piece.len();
        self.pieces.push_back(piece);
    }

    pub(super) fn copy(&mut self, piece: &[u8]) {
        if piece.len() < SMALL {
            self.len += piece.len();
            self.tail.extend_from_slice(piece);
        } else {
            self.push(copy_of(piece));
        }
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        if self.pieces.is_empty() {
            self.close_tail();
        }
        let piece = self.pieces.pop_front()?;
        self.len -= piece.len();
        Some(piece)
    }

    /// Puts a piece that was popped in front of the others again.
    pub(super) fn put_back(&mut self, piece: Bytes) {
        self.len += piece.len();
        self.pieces.push_front(piece);
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(std::mem::take(&mut self.tail).freeze());
        }
    }
}
