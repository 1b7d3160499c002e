//! Blocking work on other threads: `trio.to_thread`.

use std::future::{Future, IntoFuture};
use std::panic::resume_unwind;
use std::pin::Pin;

use tokio::task::{JoinHandle, spawn_blocking};

use super::capacity_limiter::{CapacityLimiter, CapacityToken};
use super::nursery::Nursery;
use super::scope::shield;
use super::sleep::primitive;
use crate::runtime::{current, try_current};

/// Tokens of the limiter that [`run_sync`] uses unless told otherwise, per loop: trio's and anyio's default.
///
/// tokio's own limit of 512 blocking threads lies far above it.
pub const DEFAULT_LIMIT: usize = 40;

/// Runs `f` on another thread and gives its result, without holding up the loop: `trio.to_thread.run_sync`.
///
/// Awaiting the builder starts it, as soon as the limiter has a token. A thread cannot be stopped: once it runs it is
/// waited for, also in a cancelled scope, unless [`abandon_on_cancel`](RunSync::abandon_on_cancel) was asked for.
/// Context variables do not travel to the thread.
///
/// Differs from trio: there is no `from_thread`; use a channel, or [`RemoteScope`](crate::RemoteScope) to cancel.
///
/// # Cancel safety
///
/// Cancelled while it waits for a token, it ends without having called `f`. Dropped by foreign code
/// (`tokio::select!`), it leaves the thread to itself; the token is in use until the thread has ended. The runtime
/// waits for the thread before [`run`](crate::run) returns.
///
/// # Panics
///
/// Outside a loop. Resumes a panic of `f`.
///
/// # Examples
///
/// ```
/// use foster_compat::{run, to_thread};
///
/// let sum = run(async { foster_compat::Ok(to_thread::run_sync(|| (1..=100).sum::<u32>()).await) })?;
/// assert_eq!(sum, 5050);
/// # foster_compat::Ok(())
/// ```
pub fn run_sync<F, T>(f: F) -> RunSync<F>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    RunSync { f, abandon_on_cancel: false, limiter: None }
}

/// The limiter of [`run_sync`] for the running loop: `trio.to_thread.current_default_thread_limiter`.
///
/// # Panics
///
/// Outside a loop.
pub fn current_default_thread_limiter() -> CapacityLimiter {
    let core = current();
    let known =
        core.thread_limiter.borrow().as_ref().and_then(|known| known.downcast_ref::<CapacityLimiter>().cloned());
    known.unwrap_or_else(|| {
        let limiter = CapacityLimiter::new(DEFAULT_LIMIT);
        *core.thread_limiter.borrow_mut() = Some(Box::new(limiter.clone()));
        limiter
    })
}

/// What [`run_sync`] will run; await it.
#[must_use = "nothing runs until it is awaited"]
#[derive(Debug)]
pub struct RunSync<F> {
    f: F,
    abandon_on_cancel: bool,
    limiter: Option<CapacityLimiter>,
}

impl<F> RunSync<F> {
    /// Whether a cancellation leaves the thread to itself instead of waiting for it; what it gives is then lost. If it
    /// has not yet begun it never does.
    pub fn abandon_on_cancel(mut self, abandon_on_cancel: bool) -> Self {
        self.abandon_on_cancel = abandon_on_cancel;
        self
    }

    /// Uses the tokens of `limiter` in place of the default one.
    pub fn limiter(mut self, limiter: &CapacityLimiter) -> Self {
        self.limiter = Some(limiter.clone());
        self
    }
}

impl<F, T> IntoFuture for RunSync<F>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = T;
    type IntoFuture = Pin<Box<dyn Future<Output = T>>>;

    fn into_future(self) -> Self::IntoFuture {
        let RunSync { f, abandon_on_cancel, limiter } = self;
        Box::pin(async move {
            let limiter = limiter.unwrap_or_else(current_default_thread_limiter);
            let token = limiter.acquire().await;
            let mut thread = Thread { handle: Some(spawn_blocking(f)), token: Some(token) };
            if abandon_on_cancel { thread.join().await } else { shield(thread.join()).await }
        })
    }
}

/// A thread and the token it uses for as long as it runs.
struct Thread<T: 'static> {
    handle: Option<JoinHandle<T>>,
    token: Option<CapacityToken>,
}

impl<T> Thread<T> {
    async fn join(&mut self) -> T {
        let Some(handle) = &mut self.handle else {
            return std::future::pending().await;
        };
        let joined = primitive("a thread", handle).await;
        self.handle = None;
        match joined {
            Ok(value) => value,
            Err(err) if err.is_panic() => resume_unwind(err.into_panic()),
            // The runtime is being shut down, and this with it.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<T> Drop for Thread<T> {
    fn drop(&mut self) {
        let (Some(handle), token) = (self.handle.take(), self.token.take()) else {
            return;
        };
        handle.abort();
        if try_current().is_some() {
            let ended = async move {
                // Neither its value nor its panic has anybody to go to.
                let _ = handle.await;
                drop(token);
            };
            // A loop that has ended needs no tokens.
            let _ = Nursery::system().try_start_soon(ended);
        }
    }
}
