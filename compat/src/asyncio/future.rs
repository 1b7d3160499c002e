//! [`Future`]: a value that a callback will give.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::exceptions::{CancelledError, InvalidStateError};
use crate::error::{Error, Result};
use crate::nursery::Outcome;
use crate::runtime::{Callback, Core, ExceptionContext, Item};

/// A value that some callback will give, awaited by tasks and watched by done-callbacks: `asyncio.Future`, a cheap
/// clone of one shared future.
///
/// Awaiting gives a clone of the value, so any number of tasks may wait. Done-callbacks and waiting tasks are queued
/// in the order they came. An exception that nobody has asked for when the last clone goes is reported once.
pub struct Future<T> {
    state: Rc<State<T>>,
    /// Where the task stands in line that awaits this clone.
    place: Cell<Option<CallbackId>>,
}

struct State<T> {
    core: Rc<Core>,
    outcome: RefCell<Option<Result<T>>>,
    watchers: RefCell<Vec<Watcher<T>>>,
    n_watchers: Cell<u64>,
    is_retrieved: Cell<bool>,
    /// What is reported of an exception that nobody has asked for.
    complaint: &'static str,
}

/// Somebody who is told when the future is done.
enum Watcher<T> {
    Call(CallbackId, Queue<T>),
    Wake(CallbackId, Waker),
}

/// Queues a done-callback, with the context variables of who added it.
type Queue<T> = Box<dyn FnOnce(Future<T>)>;

/// Names a done-callback, for [`Future::remove_done_callback`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallbackId(u64);

impl<T: 'static> Future<T> {
    pub(super) fn new(core: &Rc<Core>) -> Self {
        Future::with_complaint(core, "Future exception was never retrieved")
    }

    pub(super) fn with_complaint(core: &Rc<Core>, complaint: &'static str) -> Self {
        let state = State {
            core: core.clone(),
            outcome: RefCell::new(None),
            watchers: RefCell::default(),
            n_watchers: Cell::new(0),
            is_retrieved: Cell::new(false),
            complaint,
        };
        Future { state: Rc::new(state), place: Cell::new(None) }
    }

    /// Gives the value.
    ///
    /// # Errors
    ///
    /// [`InvalidStateError`] if the future is done already.
    pub fn set_result(&self, value: T) -> Result<(), InvalidStateError> {
        self.settle(Ok(value))
    }

    /// Gives an exception instead of the value.
    ///
    /// # Errors
    ///
    /// [`InvalidStateError`] if the future is done already.
    pub fn set_exception(&self, exc: impl Into<Error>) -> Result<(), InvalidStateError> {
        self.settle(Err(exc.into()))
    }

    /// Cancels the future: whoever waits gets a [`CancelledError`]. `false` if it was done already.
    pub fn cancel(&self) -> bool {
        self.settle(Err(CancelledError.into())).is_ok()
    }

    /// Whether there is a value or an exception, or it was cancelled.
    pub fn done(&self) -> bool {
        self.state.outcome.borrow().is_some()
    }

    /// Whether it was cancelled.
    pub fn cancelled(&self) -> bool {
        matches!(&*self.state.outcome.borrow(), Some(Err(err)) if err.is::<CancelledError>())
    }

    /// The exception, or `None` if there is a value.
    ///
    /// # Errors
    ///
    /// [`CancelledError`] if it was cancelled, [`InvalidStateError`] if it is not done.
    pub fn exception(&self) -> Result<Option<Error>> {
        self.mark_retrieved();
        match &*self.state.outcome.borrow() {
            None => Err(InvalidStateError::new("Exception is not set.").into()),
            Some(Ok(_)) => Ok(None),
            Some(Err(err)) if err.is::<CancelledError>() => Err(err.clone()),
            Some(Err(err)) => Ok(Some(err.clone())),
        }
    }

    /// Queues `call` with the future once it is done; if it is done already, in the next turn.
    ///
    /// The callback inherits the context variables of now. Its error goes to the exception handler.
    pub fn add_done_callback<F, R>(&self, call: F) -> CallbackId
    where
        F: FnOnce(Future<T>) -> R + 'static,
        R: Outcome,
    {
        let id = self.state.next_id();
        let (core, context) = (self.state.core.clone(), self.state.core.context());
        let queue = move |future| {
            let callback = Callback::new(move || call(future).into_result(), context);
            core.push(Item::Call(callback));
        };
        if self.done() {
            queue(self.clone());
        } else {
            self.state.watchers.borrow_mut().push(Watcher::Call(id, Box::new(queue)));
        }
        id
    }

    /// Forgets a done-callback that was not queued yet; `false` if there was none.
    pub fn remove_done_callback(&self, id: CallbackId) -> bool {
        let mut watchers = self.state.watchers.borrow_mut();
        let at = watchers.iter().position(|watcher| matches!(watcher, Watcher::Call(other, _) if *other == id));
        let removed = at.map(|at| watchers.remove(at));
        drop(watchers);
        removed.is_some()
    }

    fn settle(&self, outcome: Result<T>) -> Result<(), InvalidStateError> {
        if self.done() {
            return Err(InvalidStateError::new("invalid state: the future is done already"));
        }
        self.state.outcome.replace(Some(outcome));
        for watcher in self.state.watchers.take() {
            match watcher {
                Watcher::Call(_, queue) => queue(self.clone()),
                Watcher::Wake(_, waker) => waker.wake(),
            }
        }
        Ok(())
    }

    /// Whether it is done by an exception that is no cancellation; nothing counts as retrieved by asking this.
    pub(super) fn has_failed(&self) -> bool {
        matches!(&*self.state.outcome.borrow(), Some(Err(err)) if !err.is::<CancelledError>())
    }

    /// Somebody has asked for the outcome. Who asks before there is one has not seen it.
    fn mark_retrieved(&self) {
        if self.done() {
            self.state.is_retrieved.set(true);
        }
    }
}

impl<T: Clone + 'static> Future<T> {
    /// The value.
    ///
    /// # Errors
    ///
    /// The exception, [`CancelledError`] if it was cancelled, [`InvalidStateError`] if it is not done.
    pub fn result(&self) -> Result<T> {
        self.mark_retrieved();
        match &*self.state.outcome.borrow() {
            None => Err(InvalidStateError::new("Result is not set.").into()),
            Some(outcome) => outcome.clone(),
        }
    }
}

impl<T: Clone + 'static> std::future::Future for Future<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let core = &self.state.core;
        core.waits_for.set("a future");
        if core.is_cancelled() {
            return Poll::Pending;
        }
        if self.done() {
            return Poll::Ready(self.result());
        }
        let place = self.place.get().unwrap_or_else(|| self.state.next_id());
        self.place.set(Some(place));
        let mut watchers = self.state.watchers.borrow_mut();
        let known = watchers.iter_mut().find_map(|watcher| match watcher {
            Watcher::Wake(id, waker) if *id == place => Some(waker),
            _ => None,
        });
        let old = match known {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            Some(waker) => Some(std::mem::replace(waker, cx.waker().clone())),
            None => {
                watchers.push(Watcher::Wake(place, cx.waker().clone()));
                None
            }
        };
        drop(watchers);
        drop(old);
        Poll::Pending
    }
}

impl<T> Clone for Future<T> {
    fn clone(&self) -> Self {
        Future { state: self.state.clone(), place: Cell::new(None) }
    }
}

/// Whoever stops waiting leaves the line, or a future that is awaited for years with time-outs would keep every waker.
impl<T> Drop for Future<T> {
    fn drop(&mut self) {
        let Some(place) = self.place.get() else { return };
        let mut watchers = self.state.watchers.borrow_mut();
        let at = watchers.iter().position(|watcher| matches!(watcher, Watcher::Wake(id, _) if *id == place));
        let removed = at.map(|at| watchers.remove(at));
        drop(watchers);
        drop(removed);
    }
}

impl<T: 'static> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.state.outcome.borrow() {
            None => "pending",
            Some(Ok(_)) => "finished",
            Some(Err(err)) if err.is::<CancelledError>() => "cancelled",
            Some(Err(_)) => "failed",
        };
        write!(f, "Future({state})")
    }
}

impl<T> State<T> {
    fn next_id(&self) -> CallbackId {
        let id = self.n_watchers.get();
        self.n_watchers.set(id + 1);
        CallbackId(id)
    }
}

impl<T> Drop for State<T> {
    fn drop(&mut self) {
        if self.is_retrieved.get() {
            return;
        }
        let outcome = self.outcome.take();
        if let Some(Err(err)) = outcome {
            // A task that gives on the cancellation of what it awaited counts as cancelled itself.
            if !err.is::<CancelledError>() {
                self.core.call_exception_handler(&ExceptionContext::new(self.complaint, Some(err)));
            }
        }
    }
}
