//! [`copy_of`] and [`changed_copy_of`]: bytes in shared memory, which is used again if they are many.

use std::cell::RefCell;

use bytes::Bytes;

/// Smaller pieces cost an allocator less than they would cost here.
const MIN_SIZE: usize = 4 * 1024;

/// Larger ones are rare, and too much to keep.
const MAX_SIZE: usize = 64 * 1024;

/// How much memory each thread keeps for the next pieces. Given back to glibc, what has come in one turn goes on to the
/// system as soon as it amounts to 128 KiB (`M_TRIM_THRESHOLD`), and each of its pages costs a fault in the next turn: half
/// of what echoing a message of 16 KiB took.
const MAX_KEPT: usize = 1024 * 1024;

/// A copy in shared memory.
pub(crate) fn copy_of(bytes: &[u8]) -> Bytes {
    changed_copy_of(bytes, |_| {})
}

/// A copy in shared memory, changed in place before it is shared.
#[inline]
pub(crate) fn changed_copy_of(bytes: &[u8], change: impl FnOnce(&mut [u8])) -> Bytes {
    if !is_kept(bytes.len()) {
        let mut copy = bytes.to_vec();
        change(&mut copy);
        return copy.into();
    }
    let mut piece = Spare::take(bytes.len()).unwrap_or_default();
    piece.extend_from_slice(bytes);
    change(&mut piece);
    Bytes::from_owner(Recycled(piece))
}

/// What comes back to the thread that drops the last reference to it.
struct Recycled(Vec<u8>);

#[derive(Default)]
struct Spare {
    pieces: Vec<Vec<u8>>,
    n_kept: usize,
}

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { pieces: Vec::new(), n_kept: 0 }) };
}

impl AsRef<[u8]> for Recycled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        Spare::keep(std::mem::take(&mut self.0));
    }
}

fn is_kept(size: usize) -> bool {
    (MIN_SIZE..=MAX_SIZE).contains(&size)
}

impl Spare {
    /// An empty piece with room for `n` bytes, and for not much more: it may wait for long.
    fn take(n: usize) -> Option<Vec<u8>> {
        // Once the thread ends there is nothing left to take.
        let piece = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            let piece = spare.pieces.pop()?;
            spare.n_kept -= piece.capacity();
            Some(piece)
        });
        piece.ok().flatten().filter(|piece| (n..=2 * n).contains(&piece.capacity()))
    }

    fn keep(mut piece: Vec<u8>) {
        let size = piece.capacity();
        if !is_kept(size) {
            return;
        }
        piece.clear();
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.n_kept + size <= MAX_KEPT {
                spare.n_kept += size;
                spare.pieces.push(piece);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n_kept() -> usize {
        SPARE.with(|spare| spare.borrow().n_kept)
    }

    #[test]
    fn a_large_piece_comes_back_once_its_last_reference_is_gone() {
        let before = n_kept();
        let bytes = copy_of(&[7; 5000]);
        let rest = bytes.slice(4000..);
        drop(bytes);
        assert_eq!((n_kept(), &rest[..]), (before, &[7; 1000][..]));
        drop(rest);
        assert_eq!(n_kept(), before + 5000);
        assert_eq!((copy_of(&[8; 4500]), n_kept()), (Bytes::copy_from_slice(&[8; 4500]), before));
    }

    #[test]
    fn memory_that_is_much_too_large_is_not_used() {
        drop(copy_of(&[7; 60_000]));
        let small = copy_of(&[8; 5000]);
        assert_eq!(n_kept(), 0);
        drop(small);
        assert_eq!(n_kept(), 5000);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let pieces: Vec<_> = (0..100).map(|_| copy_of(&[7; MAX_SIZE])).collect();
        drop(pieces);
        assert_eq!(n_kept(), MAX_KEPT);
        drop(copy_of(&[7; MAX_SIZE + 1]));
        drop(copy_of(&[7; MIN_SIZE - 1]));
        assert_eq!(n_kept(), MAX_KEPT);
    }
}
