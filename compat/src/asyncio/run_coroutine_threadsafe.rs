//! `run_coroutine_threadsafe`: a task started from another thread.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::ensure_future::create_task;
use super::event_loop::LoopHandle;
use super::exceptions::CancelledError;
use super::task::TaskOutput;
use crate::error::Result;

impl LoopHandle {
    /// Starts a task in the loop from any thread, and gives its result to that thread:
    /// `asyncio.run_coroutine_threadsafe`.
    ///
    /// `make` runs in the loop, so the coroutine need not be `Send`. The task belongs to the loop itself, as that of
    /// [`create_task`](super::create_task).
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`](crate::RuntimeError), `Event loop is closed`, if the loop has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use foster_compat::{get_running_loop, run, sleep};
    ///
    /// run(async {
    ///     let loop_ = get_running_loop()?;
    ///     let handle = loop_.handle();
    ///     let answer = loop_.run_in_executor(move || handle.run_coroutine_threadsafe(async || Ok(42))?.result()).await?;
    ///     assert_eq!(answer, 42);
    ///     foster_compat::Ok(())
    /// })?;
    /// # foster_compat::Ok(())
    /// ```
    pub fn run_coroutine_threadsafe<M, F>(&self, make: M) -> Result<ConcurrentFuture<<F::Output as TaskOutput>::Value>>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: TaskOutput,
        <F::Output as TaskOutput>::Value: Send,
    {
        let (sender, outcome) = oneshot::channel();
        self.call_soon_threadsafe(move || {
            let coroutine = make();
            drop(create_task(async move {
                // Nobody may be waiting any more.
                let _ = sender.send(coroutine.await.into_result());
            }));
        })?;
        Ok(ConcurrentFuture { outcome })
    }
}

/// The result of a task in a loop, for another thread: `concurrent.futures.Future`, as far as threads need it.
///
/// It can be awaited in any runtime. Dropping it lets the task run on. Differs from Python: it cannot cancel the task;
/// a [`RemoteScope`](crate::RemoteScope) can.
pub struct ConcurrentFuture<T> {
    outcome: oneshot::Receiver<Result<T>>,
}

impl<T> ConcurrentFuture<T> {
    /// Blocks the thread until the task has ended: `future.result`.
    ///
    /// # Errors
    ///
    /// That of the task; [`CancelledError`] if it was cancelled, panicked, or its loop has ended.
    ///
    /// # Panics
    ///
    /// In the thread of a loop or of a tokio runtime, which it would block: await it there.
    pub fn result(self) -> Result<T> {
        self.outcome.blocking_recv().unwrap_or_else(|_| Err(CancelledError.into()))
    }
}

impl<T> Future for ConcurrentFuture<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        Pin::new(&mut self.outcome).poll(cx).map(|outcome| outcome.unwrap_or_else(|_| Err(CancelledError.into())))
    }
}

impl<T> fmt::Debug for ConcurrentFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConcurrentFuture")
    }
}
