//! `run_in_executor`: blocking work on another thread.

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;

use super::event_loop::Loop;
use crate::runtime::try_current;

impl Loop {
    /// Runs `call` on a thread of the pool, from now on: `loop.run_in_executor(None, call)`.
    ///
    /// Errors are values here: let `call` return a `Result`. A panic is resumed in whoever awaits. As in asyncio the
    /// call goes on when nobody waits any more.
    ///
    /// The pool is tokio's, of at most 512 threads, where asyncio's has at most 32.
    pub fn run_in_executor<F, T>(&self, call: F) -> InExecutor<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        InExecutor { call: tokio::task::spawn_blocking(call) }
    }
}

/// A call that runs on another thread; awaiting it gives what it returned.
pub struct InExecutor<T> {
    call: JoinHandle<T>,
}

impl<T> Future for InExecutor<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(core) = try_current() {
            core.waits_for.set("a thread");
            if core.is_cancelled() {
                return Poll::Pending;
            }
        }
        match Pin::new(&mut self.call).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(value)) => Poll::Ready(value),
            Poll::Ready(Err(err)) => match err.try_into_panic() {
                Ok(payload) => resume_unwind(payload),
                // Only the end of the runtime cancels the call, and with it whoever waits.
                Err(_) => Poll::Pending,
            },
        }
    }
}

impl<T> fmt::Debug for InExecutor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InExecutor")
    }
}
