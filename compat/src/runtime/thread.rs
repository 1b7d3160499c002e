//! `run_in_thread`: a loop on a thread of its own.

use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

use super::run::{Cancelled, Run};
use super::tasks::Payload;
use crate::error::{Error, Result};

/// Runs a loop on a new thread, for a program that has a runtime of another kind or none.
///
/// `make` runs on that thread, so what it makes need not be `Send`. The handle can be awaited from any runtime, or
/// joined by a thread. Dropping it cancels the loop without waiting for it; [`LoopThread::detach`] lets it run on.
/// Signals stay the host's business.
///
/// # Errors
///
/// An error of the operating system when the thread cannot be made. What the future returns comes out of the handle.
///
/// # Examples
///
/// ```
/// let thread = foster_compat::run_in_thread(|| async { foster_compat::Ok(42) })?;
/// assert_eq!(thread.join()?, 42);
/// # foster_compat::Ok(())
/// ```
pub fn run_in_thread<M, F, T, E>(make: M) -> Result<LoopThread<T>>
where
    M: FnOnce() -> F + Send + 'static,
    F: IntoFuture<Output = Result<T, E>>,
    T: Send + 'static,
    E: Into<Error>,
{
    let (stopper_sender, stopper) = std::sync::mpsc::sync_channel(1);
    let (sender, outcome) = oneshot::channel();
    let thread = std::thread::Builder::new().name("foster".to_owned()).spawn(move || {
        let run = || {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
            runtime.block_on(async {
                let run = Run::new(async { make().await }, None);
                let stopper: Stopper = Box::new(run.stopper());
                // The other end waits for it, unless it was killed.
                let _ = stopper_sender.send(stopper);
                run.await.into_result()
            })
        };
        let outcome = catch_unwind(AssertUnwindSafe(run));
        // Nobody may be waiting any more.
        let _ = sender.send(outcome);
    })?;
    // Fails only if the loop could not be set up; the outcome says why.
    let stopper = stopper.recv().ok();
    Ok(LoopThread { stopper, outcome, thread: Some(thread) })
}

type Stopper = Box<dyn Fn() + Send + Sync>;

/// A loop that runs on a thread of its own; awaiting it gives what its future returned.
#[must_use = "dropping the handle cancels the loop"]
pub struct LoopThread<T> {
    stopper: Option<Stopper>,
    outcome: oneshot::Receiver<Result<Result<T>, Payload>>,
    thread: Option<JoinHandle<()>>,
}

impl<T> LoopThread<T> {
    /// Cancels the loop's future; nothing happens if it has ended.
    pub fn cancel(&self) {
        if let Some(stop) = &self.stopper {
            stop();
        }
    }

    /// Blocks until the loop has ended.
    ///
    /// # Errors
    ///
    /// What the future returned, or [`Cancelled`] after [`cancel`](LoopThread::cancel).
    ///
    /// # Panics
    ///
    /// Resumes the panic of the loop's future. Inside a tokio runtime, await the handle instead: blocking panics there.
    pub fn join(mut self) -> Result<T> {
        self.stopper = None;
        let thread = self.thread.take();
        let outcome = std::mem::replace(&mut self.outcome, oneshot::channel().1).blocking_recv();
        if let Some(Err(payload)) = thread.map(JoinHandle::join) {
            resume_unwind(payload);
        }
        settle(outcome)
    }

    /// Lets the loop run on by itself.
    pub fn detach(mut self) {
        self.stopper = None;
    }
}

impl<T> Future for LoopThread<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.outcome).poll(cx).map(settle)
    }
}

impl<T> Drop for LoopThread<T> {
    fn drop(&mut self) {
        self.cancel();
    }
}

fn settle<T>(outcome: Result<Result<Result<T>, Payload>, oneshot::error::RecvError>) -> Result<T> {
    match outcome {
        Ok(Ok(result)) => result,
        Ok(Err(payload)) => resume_unwind(payload),
        Err(_) => Err(Cancelled.into()),
    }
}
