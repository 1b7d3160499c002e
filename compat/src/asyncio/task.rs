//! [`Task`]: a coroutine on the loop, as asyncio has it.

use std::cell::RefCell;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::future::{CallbackId, Future};
use crate::error::{Error, Result};
use crate::nursery::{self, Never, Nursery, Outcome};
use crate::runtime::{Panicked, TaskName};

/// A task started with [`Loop::create_task`](crate::Loop::create_task): `asyncio.Task`, a cheap clone.
///
/// Awaiting it gives a clone of its value, its error, or a [`CancelledError`](crate::CancelledError). An error that nobody has asked for
/// when the last clone goes is reported to the exception handler once. The task itself lives in its nursery, so it is
/// never lost when the handle is dropped.
///
/// Differs from asyncio: [`cancel`](Task::cancel) cannot be refused by the coroutine, which is dropped where it
/// waits; clean-up that awaits goes into [`finally`](crate::finally).
pub struct Task<T> {
    future: Future<T>,
    child: Option<Rc<nursery::Task<()>>>,
    name: Rc<RefCell<String>>,
}

/// What a coroutine given to [`Loop::create_task`](crate::Loop::create_task) may return: nothing, a
/// [`Result`](crate::Result), or never.
#[diagnostic::on_unimplemented(
    message = "a task gives `()`, `foster::Result<T>` or never, not `{Self}`",
    note = "end the block with `Ok(value)`; a nursery's `create_task` takes any value"
)]
pub trait TaskOutput {
    /// The value of a task that ends well.
    type Value: 'static;

    /// The output as a result.
    #[doc(hidden)]
    fn into_result(self) -> Result<Self::Value>;
}

impl TaskOutput for () {
    type Value = ();

    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl<T: 'static> TaskOutput for Result<T, Error> {
    type Value = T;

    fn into_result(self) -> Result<T> {
        self
    }
}

impl TaskOutput for Never {
    type Value = ();

    fn into_result(self) -> Result<()> {
        self
    }
}

impl<T: 'static> Task<T> {
    pub(super) fn start<F>(nursery: &Nursery, coroutine: F) -> Self
    where
        F: std::future::Future + 'static,
        F::Output: TaskOutput<Value = T>,
    {
        let future = Future::with_complaint(nursery.core(), "Task exception was never retrieved");
        let settle = SettleOnDrop { future: future.clone() };
        let type_name = std::any::type_name::<F>();
        let child = nursery.try_create_task(TaskName::Type(type_name), async move {
            let outcome = catch_panic(coroutine).await.and_then(TaskOutput::into_result);
            // It is done already if it was cancelled as a future.
            let _ = match outcome {
                Ok(value) => settle.future.set_result(value),
                Err(err) => settle.future.set_exception(err),
            };
        });
        // A nursery that has ended has dropped the coroutine, which has cancelled the future.
        Task { future, child: child.ok().map(Rc::new), name: Rc::new(RefCell::new(type_name.to_owned())) }
    }

    /// Cancels the task; `false` if it was done already. It runs to its first suspension if it has not yet run.
    pub fn cancel(&self) -> bool {
        if self.done() {
            return false;
        }
        if let Some(child) = &self.child {
            child.cancel();
        }
        true
    }

    /// Whether the task has ended.
    pub fn done(&self) -> bool {
        self.future.done()
    }

    /// Whether the task was cancelled and has ended so.
    pub fn cancelled(&self) -> bool {
        self.future.cancelled()
    }

    /// As [`Future::exception`].
    ///
    /// # Errors
    ///
    /// As [`Future::exception`].
    pub fn exception(&self) -> Result<Option<Error>> {
        self.future.exception()
    }

    /// Queues `call` once the task is done; if it is done already, in the next turn.
    pub fn add_done_callback<F, R>(&self, call: F) -> CallbackId
    where
        F: FnOnce(Future<T>) -> R + 'static,
        R: Outcome,
    {
        self.future.add_done_callback(call)
    }

    /// As [`Future::remove_done_callback`].
    pub fn remove_done_callback(&self, id: CallbackId) -> bool {
        self.future.remove_done_callback(id)
    }

    /// The name: that of the coroutine's type unless set.
    pub fn get_name(&self) -> String {
        self.name.borrow().clone()
    }

    /// Gives the task another name.
    pub fn set_name(&self, name: impl Into<String>) {
        self.name.replace(name.into());
    }
}

impl<T: Clone + 'static> Task<T> {
    /// As [`Future::result`].
    ///
    /// # Errors
    ///
    /// As [`Future::result`].
    pub fn result(&self) -> Result<T> {
        self.future.result()
    }
}

impl<T: Clone + 'static> std::future::Future for Task<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        pin!(&mut self.future).poll(cx)
    }
}

impl<T> Clone for Task<T> {
    fn clone(&self) -> Self {
        Task { future: self.future.clone(), child: self.child.clone(), name: self.name.clone() }
    }
}

impl<T: 'static> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({}, {:?})", self.name.borrow(), self.future)
    }
}

/// The coroutine's end of the task: one that was dropped has cancelled it.
struct SettleOnDrop<T: 'static> {
    future: Future<T>,
}

impl<T> Drop for SettleOnDrop<T> {
    fn drop(&mut self) {
        if !self.future.done() {
            self.future.cancel();
        }
    }
}

/// A panic of the coroutine becomes its error: it belongs to the task.
pub(super) async fn catch_panic<F: std::future::Future>(coroutine: F) -> Result<F::Output> {
    let mut coroutine = pin!(coroutine);
    std::future::poll_fn(|cx| {
        let poll = || coroutine.as_mut().poll(cx);
        match std::panic::catch_unwind(AssertUnwindSafe(poll)) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(Panicked::new(payload).into())),
        }
    })
    .await
}
