//! Handles of queued callbacks and timers.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::runtime::{Alarm, Callback, Core, TimerKey};

/// A callback queued with `call_soon`: `asyncio.Handle`. Dropping it changes nothing.
#[derive(Clone)]
pub struct Handle {
    callback: Rc<Callback>,
}

impl Handle {
    pub(super) fn new(callback: Rc<Callback>) -> Self {
        Handle { callback }
    }

    /// Cancels the callback, also one that stands in the current batch, and drops what it holds. Idempotent.
    pub fn cancel(&self) {
        self.callback.cancel();
    }

    /// Whether [`cancel`](Handle::cancel) was called.
    pub fn cancelled(&self) -> bool {
        self.callback.is_cancelled()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle(cancelled: {})", self.cancelled())
    }
}

/// A timer made with `call_later` or `call_at`: `asyncio.TimerHandle`. Dropping it changes nothing.
#[derive(Clone)]
pub struct TimerHandle {
    core: Rc<Core>,
    callback: Rc<Callback>,
    timer: Rc<Cell<Option<Timer>>>,
}

#[derive(Clone, Copy)]
struct Timer {
    key: TimerKey,
    when: Instant,
}

impl TimerHandle {
    pub(super) fn new(core: &Rc<Core>, callback: Rc<Callback>, when: Option<Instant>) -> Self {
        let timer = when
            .filter(|_| !callback.is_cancelled())
            .map(|when| Timer { key: core.set_timer(when, Alarm::Call(callback.clone())), when });
        TimerHandle { core: core.clone(), callback, timer: Rc::new(Cell::new(timer)) }
    }

    /// Cancels the timer and drops what its callback holds. Idempotent.
    pub fn cancel(&self) {
        if let Some(timer) = self.timer.get() {
            self.core.clear_timer(timer.key);
        }
        self.callback.cancel();
    }

    /// Whether [`cancel`](TimerHandle::cancel) was called.
    pub fn cancelled(&self) -> bool {
        self.callback.is_cancelled()
    }

    /// When the timer is due, on the clock of [`Loop::time`](crate::Loop::time), in seconds; infinite for never.
    pub fn when(&self) -> f64 {
        match self.timer.get() {
            Some(timer) => timer.when.saturating_duration_since(self.core.origin()).as_secs_f64(),
            None => f64::INFINITY,
        }
    }

    /// Moves the timer to `delay` from now, much cheaper than cancelling it and making another: for a time-out that
    /// traffic puts off. Not in asyncio. Does nothing once it has run or was cancelled.
    pub fn reschedule(&self, delay: Duration) {
        if let (Some(timer), Some(when)) = (self.timer.get(), Instant::now().checked_add(delay)) {
            self.core.reset_timer(timer.key, when);
            self.timer.set(Some(Timer { when, ..timer }));
        }
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimerHandle(when: {}, cancelled: {})", self.when(), self.cancelled())
    }
}
