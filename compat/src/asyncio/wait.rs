//! `wait`: some of several tasks.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use super::exceptions::ValueError;
use super::future::{CallbackId, Future as LoopFuture};
use super::locks::Event;
use super::task::Task;
use crate::error::Result;
use crate::nursery::move_on_after;

/// Waits for tasks or futures and tells those that are done from those that are not: `asyncio.wait`. Await the
/// builder; without options it waits for all.
///
/// Both lists keep the order given. Nothing is cancelled, an error of a task stays in the task, and a time-out is not
/// an error.
///
/// # Errors
///
/// A [`ValueError`](crate::ValueError) if there is nothing to wait for.
///
/// # Cancel safety
///
/// Dropping it leaves the tasks as they are.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use foster_compat::asyncio::{self, FIRST_COMPLETED};
/// use foster_compat::{run, sleep};
///
/// run(async {
///     let tasks = [1, 1000].map(|ms| asyncio::create_task(async move { Ok(sleep(Duration::from_millis(ms)).await) }));
///     let (done, pending) = asyncio::wait(tasks).return_when(FIRST_COMPLETED).await?;
///     assert_eq!((done.len(), pending.len()), (1, 1));
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn wait<I>(tasks: I) -> Wait<I::Item>
where
    I: IntoIterator,
    I::Item: Awaited,
{
    Wait { tasks: tasks.into_iter().collect(), timeout: Duration::MAX, return_when: ALL_COMPLETED }
}

/// What [`wait`] will wait for; await it.
#[must_use = "nothing waits until it is awaited"]
pub struct Wait<W> {
    tasks: Vec<W>,
    timeout: Duration,
    return_when: ReturnWhen,
}

/// When [`wait`] has waited enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// One is done.
    FirstCompleted,
    /// One has failed, or all are done. A cancelled one has not failed.
    FirstException,
    /// All are done.
    AllCompleted,
}

/// `asyncio.FIRST_COMPLETED`.
pub const FIRST_COMPLETED: ReturnWhen = ReturnWhen::FirstCompleted;
/// `asyncio.FIRST_EXCEPTION`.
pub const FIRST_EXCEPTION: ReturnWhen = ReturnWhen::FirstException;
/// `asyncio.ALL_COMPLETED`.
pub const ALL_COMPLETED: ReturnWhen = ReturnWhen::AllCompleted;

impl<W: Awaited> Wait<W> {
    /// Waits for at most `timeout`; what is not done by then is pending.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// When it has waited enough.
    pub fn return_when(mut self, return_when: ReturnWhen) -> Self {
        self.return_when = return_when;
        self
    }

    async fn run(self) -> Result<(Vec<W>, Vec<W>), ValueError> {
        let Wait { tasks, timeout, return_when } = self;
        if tasks.is_empty() {
            return Err(ValueError::new("Set of Tasks/Futures is empty."));
        }
        let enough = Event::new();
        let n_left = Rc::new(Cell::new(tasks.len()));
        let watches = tasks.iter().map(|task| {
            let (enough, n_left) = (enough.clone(), n_left.clone());
            let call = move |has_failed| {
                n_left.set(n_left.get() - 1);
                let is_enough = match return_when {
                    ReturnWhen::FirstCompleted => true,
                    ReturnWhen::FirstException => has_failed,
                    ReturnWhen::AllCompleted => false,
                };
                if is_enough || n_left.get() == 0 {
                    enough.set();
                }
            };
            Watch { task, id: task.watch(Box::new(call)) }
        });
        let watches: Vec<Watch<'_, W>> = watches.collect();
        // Whether the time was up shows in the tasks.
        let _ = move_on_after(timeout, enough.wait()).await;
        drop(watches);
        Ok(tasks.into_iter().partition(Awaited::is_done))
    }
}

impl<W: Awaited> IntoFuture for Wait<W> {
    type Output = Result<(Vec<W>, Vec<W>), ValueError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<W> fmt::Debug for Wait<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wait({} tasks, {:?})", self.tasks.len(), self.return_when)
    }
}

/// What [`wait`] takes: a [`Task`] or a [`Future`](super::Future).
#[diagnostic::on_unimplemented(
    message = "`wait` takes tasks and futures of the loop, not `{Self}`",
    note = "start a coroutine first: `asyncio::create_task(coroutine)` or `loop_.create_task(coroutine)`"
)]
pub trait Awaited: 'static {
    /// Calls `call` once it is done, with whether it has failed.
    #[doc(hidden)]
    fn watch(&self, call: Box<dyn FnOnce(bool)>) -> CallbackId;

    #[doc(hidden)]
    fn unwatch(&self, id: CallbackId);

    #[doc(hidden)]
    fn is_done(&self) -> bool;
}

impl<T: 'static> Awaited for LoopFuture<T> {
    fn watch(&self, call: Box<dyn FnOnce(bool)>) -> CallbackId {
        self.add_done_callback(move |future| call(future.has_failed()))
    }

    fn unwatch(&self, id: CallbackId) {
        self.remove_done_callback(id);
    }

    fn is_done(&self) -> bool {
        self.done()
    }
}

impl<T: 'static> Awaited for Task<T> {
    fn watch(&self, call: Box<dyn FnOnce(bool)>) -> CallbackId {
        self.add_done_callback(move |future| call(future.has_failed()))
    }

    fn unwatch(&self, id: CallbackId) {
        self.remove_done_callback(id);
    }

    fn is_done(&self) -> bool {
        self.done()
    }
}

/// A done-callback that goes with the wait.
struct Watch<'a, W: Awaited> {
    task: &'a W,
    id: CallbackId,
}

impl<W: Awaited> Drop for Watch<'_, W> {
    fn drop(&mut self) {
        self.task.unwatch(self.id);
    }
}
