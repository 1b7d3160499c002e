//! The concurrency limit of a nursery.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::runtime::NewTask;

/// Lets a number of children run and keeps the others in line.
pub(super) struct Limit {
    n_free: Cell<usize>,
    waiting: RefCell<VecDeque<NewTask>>,
}

impl Limit {
    pub(super) fn new(limit: usize) -> Self {
        Limit { n_free: Cell::new(limit), waiting: RefCell::default() }
    }

    /// Gives the task back if it may start now, else puts it in line.
    pub(super) fn admit(&self, task: NewTask) -> Option<NewTask> {
        if self.n_free.get() == 0 {
            self.waiting.borrow_mut().push_back(task);
            return None;
        }
        self.n_free.set(self.n_free.get() - 1);
        Some(task)
    }

    /// A child has ended: gives the next one that may start.
    pub(super) fn release(&self) -> Option<NewTask> {
        let next = self.waiting.borrow_mut().pop_front();
        if next.is_none() {
            self.n_free.set(self.n_free.get() + 1);
        }
        next
    }

    pub(super) fn take_waiting(&self) -> VecDeque<NewTask> {
        self.waiting.take()
    }
}
