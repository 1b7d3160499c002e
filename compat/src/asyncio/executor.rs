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
    /// Errors are values here: let `call` return a `Result`. A panic is resumed in whoever awaits. Whoever does not
    /// care for the value need not await: the call is made all the same.
    ///
    /// The pool is tokio's, of at most 512 threads, where asyncio's has at most 32. Unlike
    /// [`to_thread::run_sync`](crate::to_thread::run_sync) no nursery waits for the call and no limiter counts it.
    /// Context variables do not travel to the thread.
    ///
    /// # Cancel safety
    ///
    /// As in asyncio a thread cannot be stopped: if whoever awaits is cancelled, a call that has begun goes on, and what
    /// it gives or panics with is dropped; one that still waits for a thread is not made. At the end of the loop
    /// [`run`](crate::run) waits for the calls that have begun, as `asyncio.run` does, and forgets the others; let a
    /// call that might take for ever look at a flag.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub fn run_in_executor<F, T>(&self, call: F) -> InExecutor<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        InExecutor { call: tokio::task::spawn_blocking(call), is_awaited: false }
    }
}

/// A call that runs on another thread; awaiting it gives what it returned.
pub struct InExecutor<T> {
    call: JoinHandle<T>,
    is_awaited: bool,
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
        self.is_awaited = true;
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

impl<T> Drop for InExecutor<T> {
    fn drop(&mut self) {
        // Stops only a call that has not begun.
        if self.is_awaited {
            self.call.abort();
        }
    }
}

impl<T> fmt::Debug for InExecutor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InExecutor")
    }
}
