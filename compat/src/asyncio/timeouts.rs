//! Time-outs as asyncio has them.

use std::future::{Future, IntoFuture};
use std::time::Duration;

use super::event_loop::instant_at;
use super::exceptions::TimeoutError;
use crate::error::Result;
use crate::nursery::{move_on_after, move_on_at};
use crate::runtime::current;

/// Runs `future` for at most `timeout`: `asyncio.timeout`. A future that is ready at once is never stopped, and
/// `Duration::MAX` is no limit, asyncio's `None`.
///
/// Differs from asyncio: the body of the `async with` is the future; its deadline is moved from inside with
/// [`CancelScope::current`](crate::CancelScope::current). It stops the future by level, as
/// [`fail_after`](crate::fail_after) does: what awaits again inside is stopped again.
///
/// # Errors
///
/// [`TimeoutError`](crate::TimeoutError) if the future was stopped.
///
/// # Panics
///
/// Outside a loop. Resumes a panic of the future.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use foster_compat::{asyncio, run, sleep_forever};
///
/// run(async {
///     assert!(asyncio::timeout(Duration::from_millis(1), sleep_forever()).await.is_err());
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
pub async fn timeout<F: Future>(timeout: Duration, future: F) -> Result<F::Output, TimeoutError> {
    let stopped = || TimeoutError::new(format!("stopped after {timeout:?}: the time is up"));
    move_on_after(timeout, future).await.ok_or_else(stopped)
}

/// As [`timeout`], until [`Loop::time`](crate::Loop::time) says `when`, in seconds: `asyncio.timeout_at`.
///
/// A time that has passed, or is not a number, stops the future where it first waits; an infinite one never.
///
/// # Errors
///
/// As [`timeout`].
///
/// # Panics
///
/// As [`timeout`].
pub async fn timeout_at<F: Future>(when: f64, future: F) -> Result<F::Output, TimeoutError> {
    let stopped = || TimeoutError::new("stopped at its deadline: the time is up");
    match instant_at(&current(), when) {
        Some(deadline) => move_on_at(deadline, future).await.ok_or_else(stopped),
        None => Ok(future.await),
    }
}

/// Waits for at most `timeout`: `asyncio.wait_for`, with the time first as everywhere here.
///
/// Differs from asyncio: what is stopped is the waiting. A coroutine ends with it; a [`Task`](super::Task) or
/// [`Future`](super::Future) that is given runs on, as under `asyncio.shield`: cancel it where that is meant.
///
/// # Errors
///
/// [`TimeoutError`](crate::TimeoutError) if it was stopped.
///
/// # Panics
///
/// As [`timeout`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use foster_compat::{asyncio, run, sleep};
///
/// run(async {
///     let answer = async {
///         sleep(Duration::from_millis(1)).await;
///         42
///     };
///     assert_eq!(asyncio::wait_for(Duration::from_secs(1), answer).await?, 42);
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
pub async fn wait_for<F: IntoFuture>(timeout: Duration, future: F) -> Result<F::Output, TimeoutError> {
    self::timeout(timeout, future.into_future()).await
}
