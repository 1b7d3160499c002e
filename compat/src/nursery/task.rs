//! [`Task`]: a handle of a child with a result.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::nursery::{Closed, Nursery};
use crate::runtime::{CancelReason, CancelSource, Cancelled, Core, TaskId, TaskName};

/// A child whose result somebody wants: what asyncio's `TaskGroup.create_task` and anyio's `TaskHandle` are.
///
/// Awaiting it gives the value, or [`Cancelled`]. An error inside the value belongs to whoever awaits it; a panic
/// belongs to the nursery. Dropping the handle lets the child run on.
pub struct Task<T> {
    core: Rc<Core>,
    /// `None` while the child waits in line for the nursery's concurrency limit.
    id: Option<TaskId>,
    name: TaskName,
    state: Rc<RefCell<State<T>>>,
}

struct State<T> {
    value: Option<T>,
    is_over: bool,
    waiter: Option<Waker>,
}

impl<T> Task<T> {
    /// Cancels the child; nothing happens if it has ended. It runs to its first suspension if it has not yet run.
    pub fn cancel(&self) {
        if let Some(node) = self.id.and_then(|id| self.core.node_of(id)) {
            self.core.cancel(node, || CancelReason::new(CancelSource::Explicit));
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
        self.core.waits_for.set("a task");
        if self.core.is_cancelled() {
            return Poll::Pending;
        }
        let mut state = self.state.borrow_mut();
        if state.is_over {
            return Poll::Ready(state.value.take().ok_or(Cancelled));
        }
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
            Err(Closed) => panic!("the nursery is closed: it has ended and takes no new children"),
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
        match self.try_create_task(TaskName::Given(name.into()), child) {
            Ok(task) => task,
            Err(Closed) => panic!("the nursery is closed: it has ended and takes no new children"),
        }
    }

    pub(crate) fn try_create_task<F>(&self, name: TaskName, child: F) -> Result<Task<F::Output>, Closed>
    where
        F: Future + 'static,
    {
        let state = Rc::new(RefCell::new(State { value: None, is_over: false, waiter: None }));
        let report = Report { state: state.clone() };
        let id = self.spawn(name.clone(), false, async move {
            let value = child.await;
            report.state.borrow_mut().value = Some(value);
            drop(report);
        })?;
        Ok(Task { core: self.core().clone(), id, name, state })
    }
}
