//! One direction of a socket as the loop watches it.

use std::cell::Cell;

/// Whether reads, or writes, are wanted, and whether an event stands in the queue.
#[derive(Default)]
pub(super) struct Watch {
    /// Registered, as after asyncio's `add_reader`.
    pub(super) is_on: Cell<bool>,
    /// An event of this generation stands in the queue.
    pub(super) is_queued: Cell<bool>,
    /// Raised when the direction is switched on or off: an event that was queued before is not run.
    pub(super) generation: Cell<u32>,
}

impl Watch {
    pub(super) fn switch(&self, is_on: bool) {
        self.is_on.set(is_on);
        self.is_queued.set(false);
        self.generation.set(self.generation.get().wrapping_add(1));
    }
}
