//! Tasks of the running loop: what asyncio's module functions start.

use std::future::Future;

use super::task::{Task, TaskOutput};
use crate::nursery::Nursery;

/// Starts a task that belongs to the loop itself: `asyncio.create_task`. What is left of it when the future given to
/// [`run`](crate::run) ends is cancelled and waited for.
///
/// Prefer a nursery of the program's, [`Loop::new`](crate::Loop::new): then it is visible who waits for the task.
///
/// # Panics
///
/// Outside a loop, where asyncio raises.
///
/// # Examples
///
/// ```
/// use foster_compat::{asyncio, run};
///
/// let answer = run(async {
///     let task = asyncio::create_task(async { foster_compat::Ok(42) });
///     task.await
/// })?;
/// assert_eq!(answer, 42);
/// # foster_compat::Ok(())
/// ```
pub fn create_task<F>(future: F) -> Task<<F::Output as TaskOutput>::Value>
where
    F: Future + 'static,
    F::Output: TaskOutput,
{
    Task::start(&Nursery::system(), future)
}

/// As [`create_task`]: `asyncio.ensure_future`.
///
/// Differs from asyncio: a [`Task`] or [`Future`](super::Future) that is given does not come back as it is, but in a
/// task that waits for it.
///
/// # Panics
///
/// Outside a loop.
pub fn ensure_future<F>(future: F) -> Task<<F::Output as TaskOutput>::Value>
where
    F: Future + 'static,
    F::Output: TaskOutput,
{
    create_task(future)
}

/// Starts a task that goes on when whoever awaits it is cancelled: `asyncio.shield`.
///
/// Every task does, so this is [`create_task`] under another name: cancelling a waiter never cancels a [`Task`].
/// An error that comes when nobody waits any more is reported to the exception handler once.
///
/// Trio's shield is another thing: [`crate::shield`] keeps the cancelled code itself waiting for the end of a part,
/// and is the one that clean-up needs. Of this one nothing but the loop waits for the end.
///
/// # Panics
///
/// Outside a loop.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use foster_compat::{asyncio, run, sleep};
///
/// run(async {
///     let mut saved = asyncio::shield(async { Ok(sleep(Duration::from_millis(2)).await) });
///     assert!(asyncio::wait_for(Duration::from_millis(1), &mut saved).await.is_err());
///     saved.await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn shield<F>(future: F) -> Task<<F::Output as TaskOutput>::Value>
where
    F: Future + 'static,
    F::Output: TaskOutput,
{
    create_task(future)
}
