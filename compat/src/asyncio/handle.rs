//! Handles of queued callbacks and timers.

use std::cell::{Cell, RefCell};
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

/// A timer made with `call_later` or `call_at`: `asyncio.TimerHandle`, a cheap clone. Dropping it changes nothing.
#[derive(Clone)]
pub struct TimerHandle {
    state: Rc<State>,
}

struct State {
    core: Rc<Core>,
    /// Empty once it has run.
    callback: RefCell<Rc<Callback>>,
    /// `None` for a timer that is never due.
    timer: Cell<Option<Timer>>,
}

#[derive(Clone, Copy)]
struct Timer {
    key: TimerKey,
    when: Instant,
}

impl TimerHandle {
    pub(super) fn new(core: &Rc<Core>, callback: Rc<Callback>, when: Option<Instant>) -> Self {
        let timer = when.filter(|_| !callback.is_cancelled()).map(|when| Timer::set(core, when, &callback));
        let state = State { core: core.clone(), callback: RefCell::new(callback), timer: Cell::new(timer) };
        TimerHandle { state: Rc::new(state) }
    }

    /// Cancels the timer, also one that is due and stands in the current batch, and drops what its callback holds.
    /// Idempotent.
    pub fn cancel(&self) {
        if let Some(timer) = self.state.timer.get() {
            self.state.core.clear_timer(timer.key);
        }
        let callback = self.state.callback.borrow().clone();
        callback.cancel();
    }

    /// Whether [`cancel`](TimerHandle::cancel) was called.
    pub fn cancelled(&self) -> bool {
        self.state.callback.borrow().is_cancelled()
    }

    /// When the timer is due, on the clock of [`Loop::time`](crate::Loop::time), in seconds; infinite for never.
    pub fn when(&self) -> f64 {
        match self.state.timer.get() {
            Some(timer) => timer.when.saturating_duration_since(self.state.core.origin()).as_secs_f64(),
            None => f64::INFINITY,
        }
    }

    /// Moves the timer to `delay` from now, much cheaper than cancelling it and making another: for a time-out that
    /// traffic puts off. Not in asyncio.
    ///
    /// Does nothing once it has run or was cancelled. A timer that is due and stands in the current batch is taken out
    /// of it. A delay beyond what the clock can count never ends.
    pub fn reschedule(&self, delay: Duration) {
        let state = &*self.state;
        let when = Instant::now().checked_add(delay);
        let armed = state.timer.get().filter(|timer| state.core.has_timer(timer.key));
        if let (Some(timer), Some(when)) = (armed, when) {
            state.core.reset_timer(timer.key, when);
            return state.timer.set(Some(Timer { when, ..timer }));
        }
        let callback = state.callback.borrow().clone();
        let Some(callback) = callback.renew().filter(|_| !state.core.is_over()) else { return };
        if let Some(timer) = armed {
            state.core.clear_timer(timer.key);
        }
        state.timer.set(when.map(|when| Timer::set(&state.core, when, &callback)));
        state.callback.replace(callback);
    }
}

impl Timer {
    fn set(core: &Core, when: Instant, callback: &Rc<Callback>) -> Self {
        Timer { key: core.set_timer(when, Alarm::Call(callback.clone())), when }
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimerHandle(when: {}, cancelled: {})", self.when(), self.cancelled())
    }
}
