//! What is written and not yet sent.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use super::transport::Piece;

/// The pieces that one call of the operating system takes at most; Linux allows 1,024.
pub(super) const MAX_PIECES: usize = 64;

/// Writes below this size are copied together; larger ones stay a piece of their own.
const SMALL: usize = 16 * 1024;

/// Shared writes below this size are copied, too: what is shared keeps all the memory that it is a part of.
const MIN_SHARED: usize = 4 * 1024;

/// What can be written, and kept if it has to wait.
pub(crate) trait Outgoing {
    fn bytes(&self) -> &[u8];

    /// Puts it into the buffer, but for the first `n_sent` bytes.
    fn queue(&self, n_sent: usize, out: &mut OutBuffer);
}

impl Outgoing for &[u8] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn queue(&self, n_sent: usize, out: &mut OutBuffer) {
        out.push(&self[n_sent..]);
    }
}

impl Outgoing for Piece<'_> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn queue(&self, n_sent: usize, out: &mut OutBuffer) {
        match self {
            Piece::Shared(bytes) if bytes.len() - n_sent >= MIN_SHARED => out.push_shared(bytes.slice(n_sent..)),
            piece => out.push(&piece[n_sent..]),
        }
    }
}

/// A queue of bytes that is sent from its front with vectored writes. An empty one is a pointer to nothing: that is what
/// a connection keeps that waits for nothing to be sent.
#[derive(Default)]
pub(crate) struct OutBuffer {
    queue: Option<Box<Queue>>,
}

/// Not empty, but while something is put into it.
#[derive(Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    /// Small writes since the last piece.
    tail: BytesMut,
    len: usize,
}

impl OutBuffer {
    pub(crate) fn len(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.len)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_none()
    }

    pub(crate) fn push(&mut self, data: &[u8]) {
        if !data.is_empty() {
            self.queue.get_or_insert_default().push(data);
        }
    }

    fn push_shared(&mut self, data: Bytes) {
        self.queue.get_or_insert_default().push_shared(data);
    }

    /// Calls `send` with what one vectored write may take.
    pub(crate) fn with_slices<R>(&self, send: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        let mut slices = [IoSlice::new(&[]); MAX_PIECES];
        let mut n = 0;
        for piece in self.queue.iter().flat_map(|queue| queue.pieces()).take(MAX_PIECES) {
            slices[n] = IoSlice::new(piece);
            n += 1;
        }
        send(&slices[..n])
    }

    /// Forgets the first `n` bytes, which were sent. An empty buffer holds no memory.
    pub(crate) fn advance(&mut self, n: usize) {
        if self.len() == n {
            self.clear();
        } else if let Some(queue) = &mut self.queue {
            queue.advance(n);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.queue = None;
    }
}

impl Queue {
    fn push(&mut self, data: &[u8]) {
        self.len += data.len();
        if data.len() < SMALL {
            self.tail.extend_from_slice(data);
            if self.tail.len() >= SMALL {
                self.close_tail();
            }
        } else {
            self.close_tail();
            self.pieces.push_back(Bytes::copy_from_slice(data));
        }
    }

    fn push_shared(&mut self, data: Bytes) {
        self.len += data.len();
        self.close_tail();
        self.pieces.push_back(data);
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let tail = (!self.tail.is_empty()).then_some(&*self.tail);
        self.pieces.iter().map(|piece| &**piece).chain(tail)
    }

    fn advance(&mut self, mut n: usize) {
        self.len -= n;
        while let Some(first) = self.pieces.front_mut() {
            if n < first.len() {
                first.advance(n);
                return;
            }
            n -= first.len();
            self.pieces.pop_front();
        }
        self.tail.advance(n);
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(buffer: &OutBuffer) -> Vec<u8> {
        buffer.with_slices(|slices| slices.iter().flat_map(|slice| slice.to_vec()).collect())
    }

    #[test]
    fn keeps_the_order_of_small_and_large_writes() {
        let mut buffer = OutBuffer::default();
        let large = vec![b'L'; SMALL];
        for data in [b"ab".as_slice(), &large, b"cd", b"ef"] {
            buffer.push(data);
        }
        assert_eq!(buffer.len(), SMALL + 6);
        assert_eq!(content(&buffer), [b"ab".as_slice(), &large, b"cdef"].concat());
    }

    #[test]
    fn sends_the_same_bytes_however_they_are_taken() {
        for step in [1, 7, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL] {
            let mut buffer = OutBuffer::default();
            let mut expected = Vec::new();
            for (n, size) in [3, 2, SMALL, 1, SMALL + 5, 4].into_iter().enumerate() {
                let data = vec![n as u8; size];
                buffer.push(&data);
                expected.extend(data);
            }
            let mut sent = Vec::new();
            while !buffer.is_empty() {
                let first = buffer.with_slices(|slices| slices[0][..step.min(slices[0].len())].to_vec());
                buffer.advance(first.len());
                sent.extend(first);
            }
            assert!(expected == sent, "step {step}");
        }
    }

    #[test]
    fn keeps_what_is_shared_without_a_copy_and_in_its_place() {
        let shared = Bytes::from(vec![b's'; MIN_SHARED + 7]);
        let mut buffer = OutBuffer::default();
        let pieces = [Piece::Lent(b"head"), Piece::Shared(&shared), Piece::Lent(b"end")];
        for piece in pieces {
            piece.queue(0, &mut buffer);
        }
        Piece::Shared(&shared).queue(7, &mut buffer);
        Piece::Shared(&shared).queue(8, &mut buffer);
        assert_eq!(buffer.len(), 4 + shared.len() + 3 + 2 * MIN_SHARED - 1);
        assert_eq!(content(&buffer), [b"head", &*shared, b"end", &shared[7..], &shared[8..]].concat());
        let starts = buffer.with_slices(|slices| slices.iter().map(|slice| slice.as_ptr()).collect::<Vec<_>>());
        assert_eq!(starts.len(), 5);
        assert_eq!((starts[1], starts[3]), (shared.as_ptr(), shared[7..].as_ptr()));
        assert_ne!(starts[4], shared[8..].as_ptr());
    }

    #[test]
    fn holds_no_memory_once_it_is_empty() {
        let mut buffer = OutBuffer::default();
        buffer.push(b"some bytes");
        buffer.advance(10);
        assert!(buffer.queue.is_none());
    }
}
