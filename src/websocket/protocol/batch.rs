//! [`Batch`]: what a broadcast sends in one turn, kept once for all.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::session::MIN_SHARED;
use crate::websocket::prepared::PreparedMessage;

/// A batch that has grown beyond this gives its memory back when it is written.
const MAX_KEPT: usize = 64 * 1024;

/// The frames of a turn in a row, for all members that have nothing of their own to say between them: a message costs one
/// copy, and no look at anybody.
///
/// ```text
///   push ──> frames ─┬─ member 1, from 0 ──┬──one write each, at the end of the turn──> transport
///                    └─ member 2, from 66 ─┘
/// ```
///
/// Empty while nobody follows.
#[derive(Default)]
pub(super) struct Batch {
    /// Shared with who is writing it.
    frames: RefCell<Rc<Vec<u8>>>,
    n_followers: Cell<usize>,
    /// The most that one of them had unsent when it began to follow.
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

    pub(super) fn n_followers(&self) -> usize {
        self.n_followers.get()
    }

    /// No follower has more than this unsent.
    pub(super) fn max_unsent(&self) -> usize {
        self.max_backlog.get() + self.len()
    }

    /// Sends a frame to all that follow.
    pub(super) fn push(&self, frame: &[u8]) {
        if self.n_followers.get() > 0 {
            Rc::make_mut(&mut self.frames.borrow_mut()).extend_from_slice(frame);
        }
    }

    /// Has somebody get what is pushed from now on, who has `backlog` bytes unsent.
    pub(super) fn follow(self: &Rc<Self>, backlog: usize) -> Follower {
        self.n_followers.set(self.n_followers.get() + 1);
        self.max_backlog.set(self.max_backlog.get().max(backlog));
        let len = self.len() as u32;
        Follower { batch: self.clone(), start: len, asked_at: len }
    }

    fn clear(&self) {
        self.max_backlog.set(0);
        let mut frames = self.frames.borrow_mut();
        match Rc::get_mut(&mut frames) {
            Some(frames) if frames.capacity() <= MAX_KEPT => frames.clear(),
            _ => *frames = Rc::default(),
        }
    }
}

/// Somebody who sends what is pushed to a batch from where it began, until it is dropped.
pub(super) struct Follower {
    batch: Rc<Batch>,
    start: u32,
    /// The length of the batch when it was last asked to send a message.
    asked_at: u32,
}

impl Follower {
    pub(super) fn follows(&self, batch: &Rc<Batch>) -> bool {
        Rc::ptr_eq(&self.batch, batch)
    }

    /// Whether it is asked to send what is pushed next for the first time: who is a member twice is asked twice.
    pub(super) fn is_asked_first(&mut self) -> bool {
        let n_pushed = self.batch.len() as u32;
        std::mem::replace(&mut self.asked_at, n_pushed) != n_pushed
    }

    /// Bytes that it has to send.
    pub(super) fn len(&self) -> usize {
        self.batch.len() - self.start as usize
    }

    /// Lends what it has to send. The batch may be pushed to meanwhile.
    pub(super) fn with_frames<R>(&self, use_frames: impl FnOnce(&[u8]) -> R) -> R {
        let frames = self.batch.frames.borrow().clone();
        use_frames(&frames[self.start as usize..])
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
