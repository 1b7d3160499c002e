//! [`Task`]: a handle of a child with a result.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::nursery::{Closed, Nursery, Started};
use crate::runtime::{CancelReason, CancelSource, Cancelled, TaskName};

/// A child whose result somebody wants: what asyncio's `TaskGroup.create_task` and anyio's `TaskHandle` are.
///
/// Awaiting it gives the value, or [`Cancelled`]. An error inside the value belongs to whoever awaits it; a panic
/// belongs to the nursery. Dropping the handle lets the child run on.
pub struct Task<T> {
    nursery: Nursery,
    child: Started,
    name: TaskName,
    state: Rc<RefCell<State<T>>>,
}

struct State<T> {
    value: Option<T>,
    is_over: bool,
    waiter: Option<Waker>,
    /// The handle was polled before.
    has_waiter: bool,
}

impl<T> Task<T> {
    /// Cancels the child; nothing happens if it has ended. It runs to its first suspension if it has not yet run,
    /// but is dropped without a step if it waits for the nursery's concurrency limit.
    pub fn cancel(&self) {
        let id = match &self.child {
            Started::Running(id) => *id,
            Started::InLine(place) => match place.get() {
                Some(id) => id,
                None => return self.nursery.state.cancel_in_line(place),
            },
        };
        let core = self.nursery.core();
        if let Some(node) = core.node_of(id) {
            core.cancel(node, || CancelReason::new(CancelSource::Explicit));
        }
    }

    /// Whether the child has ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        self.state.borrow().is_over
    }

    /// The name given to the child, or the type of its future.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, Cancelled>;

    /// # Panics
    ///
    /// If it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let core = self.nursery.core();
        core.waits_for.set("a task");
        let mut state = self.state.borrow_mut();
        if core.holds_wait(state.has_waiter) {
            return Poll::Pending;
        }
        if state.is_over {
            return Poll::Ready(state.value.take().ok_or(Cancelled));
        }
        state.has_waiter = true;
        let old = state.waiter.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_finished() { "finished" } else { "running" };
        write!(f, "Task({}, {state})", self.name())
    }
}

/// The child's end of the handle: says that it is over, also when it is dropped.
struct Report<T> {
    state: Rc<RefCell<State<T>>>,
}

impl<T> Drop for Report<T> {
    fn drop(&mut self) {
        let waiter = {
            let mut state = self.state.borrow_mut();
            state.is_over = true;
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

impl Nursery {
    /// Starts a child and gives a handle of it.
    ///
    /// # Panics
    ///
    /// With one sentence if the nursery is closed.
    pub fn create_task<F>(&self, child: F) -> Task<F::Output>
    where
        F: Future + 'static,
    {
        match self.try_create_task(TaskName::Type(std::any::type_name::<F>()), child) {
            Ok(task) => task,
            Err(Closed) => panic!("{Closed}"),
        }
    }

    /// As [`create_task`](Nursery::create_task), with a name for [`dump`](crate::dump).
    ///
    /// # Panics
    ///
    /// If the nursery is closed.
    pub fn create_task_named<F>(&self, name: &str, child: F) -> Task<F::Output>
    where
        F: Future + 'static,
    {
        match self.try_create_task(TaskName::given(name), child) {
            Ok(task) => task,
            Err(Closed) => panic!("{Closed}"),
        }
    }

    pub(crate) fn try_create_task<F>(&self, name: TaskName, child: F) -> Result<Task<F::Output>, Closed>
    where
        F: Future + 'static,
    {
        let state = Rc::new(RefCell::new(State { value: None, is_over: false, waiter: None, has_waiter: false }));
        let report = Report { state: state.clone() };
        let child = self.spawn(name.clone(), false, async move {
            let value = child.await;
            report.state.borrow_mut().value = Some(value);
            drop(report);
        })?;
        Ok(Task { nursery: self.clone(), child, name, state })
    }
}
