//! The concurrency limit of a nursery.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::runtime::{Context, NewTask, TaskId};

/// Lets a number of children run and keeps the others in line.
pub(super) struct Limit {
    n_free: Cell<usize>,
    line: RefCell<VecDeque<Waiting>>,
}

/// A child that waits in line, with the context variables of the moment it was started.
pub(super) struct Waiting {
    pub(super) task: NewTask,
    pub(super) context: Context,
    pub(super) place: Place,
}

/// Where a child stands in line: nowhere any more once it has an id.
pub(super) type Place = Rc<Cell<Option<TaskId>>>;

impl Limit {
    pub(super) fn new(limit: usize) -> Self {
        Limit { n_free: Cell::new(limit), line: RefCell::default() }
    }

    /// Takes one of the free places, if there is one.
    pub(super) fn try_admit(&self) -> bool {
        let n_free = self.n_free.get();
        self.n_free.set(n_free.saturating_sub(1));
        n_free > 0
    }

    pub(super) fn line_up(&self, task: NewTask, context: Context) -> Place {
        let place = Place::default();
        self.line.borrow_mut().push_back(Waiting { task, context, place: place.clone() });
        place
    }

    /// A child has ended: gives the next one that may start.
    pub(super) fn release(&self) -> Option<Waiting> {
        let next = self.pop();
        if next.is_none() {
            self.n_free.set(self.n_free.get() + 1);
        }
        next
    }

    /// Takes the first one out of the line.
    pub(super) fn pop(&self) -> Option<Waiting> {
        self.line.borrow_mut().pop_front()
    }

    /// Takes the one at `place` out of the line.
    pub(super) fn remove(&self, place: &Place) -> Option<Waiting> {
        let mut line = self.line.borrow_mut();
        let at = line.iter().position(|waiting| Rc::ptr_eq(&waiting.place, place))?;
        line.remove(at)
    }
}
