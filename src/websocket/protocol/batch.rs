//! [`Batch`]: what a broadcast sends in one turn, kept once for all.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::session::MIN_SHARED;
use crate::websocket::prepared::PreparedMessage;

/// A batch that has grown beyond this gives its memory back when it is written.
const MAX_KEPT: usize = 64 * 1024;

/// The frames of a turn in a row, for all members: a message costs one copy, and no look at anybody.
///
/// ```text
///   push ──> frames ─┬─ member 1, from 0 ──┬──one write each, at the end of the turn──> transport
///                    └─ member 2, from 66 ─┘
/// ```
///
/// Whoever follows goes on from turn to turn. What it says itself goes out behind what was pushed before. Empty while
/// nobody follows.
#[derive(Default)]
pub(super) struct Batch {
    /// Shared with who is writing it.
    frames: RefCell<Rc<Vec<u8>>>,
    /// Where they begin among all that was ever pushed, modulo 2^32, as each follower counts.
    start: Cell<u32>,
    n_followers: Cell<usize>,
    /// No follower has more than this unsent beside the batch.
    max_backlog: Cell<usize>,
}

impl Batch {
    /// Whether a message is so small that it is copied: a large one is sent by itself.
    pub(super) fn takes(message: &PreparedMessage) -> bool {
        message.frame().len() < MIN_SHARED
    }

    pub(super) fn len(&self) -> usize {
        self.frames.borrow().len()
    }

    fn end(&self) -> u32 {
        self.start.get().wrapping_add(self.len() as u32)
    }

    pub(super) fn n_followers(&self) -> usize {
        self.n_followers.get()
    }

    /// No follower has more than this unsent.
    pub(super) fn max_unsent(&self) -> usize {
        self.max_backlog.get() + self.len()
    }

    /// Sends a frame to all that follow, by the next [`write_with`](Batch::write_with).
    pub(super) fn push(&self, frame: &[u8]) {
        Rc::make_mut(&mut self.frames.borrow_mut()).extend_from_slice(frame);
    }

    /// Has somebody get what is pushed from now on, who has `backlog` bytes unsent and is asked in the pass of this number.
    pub(super) fn follow(self: &Rc<Self>, backlog: usize, nth_pass: u32) -> Follower {
        self.n_followers.set(self.n_followers.get() + 1);
        self.raise_backlog(backlog);
        Follower { batch: self.clone(), next: self.end(), asked_in: nth_pass }
    }

    fn raise_backlog(&self, backlog: usize) {
        self.max_backlog.set(self.max_backlog.get().max(backlog));
    }

    /// Has `write` write what each follower has not sent yet, and give the most that is left of it with one of them.
    pub(super) fn write_with(&self, write: impl FnOnce() -> usize) {
        let end = self.end();
        self.max_backlog.set(0);
        self.raise_backlog(write());
        // Else somebody has pushed meanwhile, and it is written with that.
        if self.end() == end {
            self.clear();
        }
    }

    fn clear(&self) {
        self.start.set(self.end());
        let mut frames = self.frames.borrow_mut();
        match Rc::get_mut(&mut frames) {
            Some(frames) if frames.capacity() <= MAX_KEPT => frames.clear(),
            _ => *frames = Rc::default(),
        }
    }
}

/// Somebody who sends what is pushed to a batch, until it is dropped.
pub(super) struct Follower {
    batch: Rc<Batch>,
    /// Where what it has not sent yet begins.
    next: u32,
    /// The pass in which it was last asked to send a message. Each asks all who follow, or has them follow no more.
    asked_in: u32,
}

impl Follower {
    pub(super) fn follows(&self, batch: &Rc<Batch>) -> bool {
        Rc::ptr_eq(&self.batch, batch)
    }

    /// Whether it is asked for the first time in a pass: who is a member twice is asked twice.
    pub(super) fn is_asked_first(&mut self, nth_pass: u32) -> bool {
        std::mem::replace(&mut self.asked_in, nth_pass) != nth_pass
    }

    /// Bytes that it has to send.
    pub(super) fn len(&self) -> usize {
        self.batch.end().wrapping_sub(self.next) as usize
    }

    /// It has `backlog` bytes unsent of its own.
    pub(super) fn raise_backlog(&self, backlog: usize) {
        self.batch.raise_backlog(backlog);
    }

    /// Takes what it has to send.
    pub(super) fn take(&mut self) -> Frames {
        let frames = self.batch.frames.borrow().clone();
        let start = frames.len() - self.len();
        self.next = self.batch.end();
        Frames { frames, start }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.batch.n_followers.set(self.batch.n_followers.get() - 1);
        if self.batch.n_followers.get() == 0 {
            self.batch.clear();
        }
    }
}

/// What a follower has to send: the batch may be pushed to meanwhile.
pub(super) struct Frames {
    frames: Rc<Vec<u8>>,
    start: usize,
}

impl Frames {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.frames[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_on_beyond_32_bits() {
        let batch = Rc::new(Batch::default());
        batch.start.set(u32::MAX - 3);
        let mut follower = batch.follow(0, 1);
        batch.push(b"12345678");
        assert_eq!(follower.len(), 8);
        assert_eq!(follower.take().bytes(), b"12345678");
        batch.push(b"9");
        assert_eq!(follower.take().bytes(), b"9");
        batch.write_with(|| 0);
        assert_eq!((batch.len(), follower.len()), (0, 0));
        batch.push(b"10");
        assert_eq!(follower.take().bytes(), b"10");
    }

    #[test]
    fn what_is_pushed_while_it_is_written_is_written_with_the_next() {
        let batch = Rc::new(Batch::default());
        let (mut first, mut second) = (batch.follow(0, 1), batch.follow(0, 1));
        batch.push(b"one");
        batch.write_with(|| {
            assert_eq!(first.take().bytes(), b"one");
            batch.push(b"two");
            assert_eq!(second.take().bytes(), b"onetwo");
            7
        });
        assert_eq!((first.take().bytes(), second.len()), (&b"two"[..], 0));
        assert_eq!(batch.max_unsent(), 7 + b"onetwo".len());
        batch.write_with(|| 0);
        assert_eq!((batch.len(), batch.max_unsent()), (0, 0));
    }
}
