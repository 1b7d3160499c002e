//! `gather`: several futures at once, results in order.

use std::cell::RefCell;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;

use super::error::NurseryError;
use super::nursery::Nursery;
use crate::error::Result;
use crate::runtime::Cancelled;

/// Runs futures concurrently and gives their results in the order they were given: quattro's and asyncio's `gather`.
///
/// They run as children of one nursery: the first error cancels the others, and everyone is waited for. Awaiting the
/// builder starts them. None gives an empty list.
///
/// # Errors
///
/// One [`NurseryError`] with every error, first in time first; one with [`Cancelled`] if a member cancelled itself.
///
/// # Examples
///
/// ```
/// use foster_compat::{gather, run};
///
/// let squares = run(async { gather((1..=3).map(async |n| Ok(n * n))).concurrency_limit(2).await })?;
/// assert_eq!(squares, [1, 4, 9]);
/// # foster_compat::Ok(())
/// ```
pub fn gather<I, T>(futures: I) -> Gather<I::Item>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T>> + 'static,
    T: 'static,
{
    Gather { futures: futures.into_iter().collect(), concurrency_limit: None }
}

/// What [`gather`] will run; await it.
#[must_use = "nothing runs until it is awaited"]
pub struct Gather<F> {
    futures: Vec<F>,
    concurrency_limit: Option<usize>,
}

impl<F, T> Gather<F>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
{
    /// Runs at most `limit` at a time. After an error those that wait are dropped without a poll.
    pub fn concurrency_limit(mut self, limit: usize) -> Self {
        self.concurrency_limit = Some(limit);
        self
    }

    /// Gives the errors in place of results instead of stopping at the first: `return_exceptions=True`.
    ///
    /// Unlike asyncio's it does not turn a cancellation into a result.
    pub async fn return_errors(self) -> Vec<Result<T>> {
        let Gather { futures, concurrency_limit } = self;
        let results =
            run_all(futures.into_iter().map(|future| async move { Ok(future.await) }), concurrency_limit).await;
        // A child that gives Ok cannot fail; its panic was resumed before this.
        results.into_iter().flatten().map(|result| result.unwrap_or_else(|| Err(Cancelled.into()))).collect()
    }
}

impl<F, T> IntoFuture for Gather<F>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
{
    type Output = Result<Vec<T>, NurseryError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(collect(self.futures.into_iter(), self.concurrency_limit))
    }
}

async fn collect<F, T>(
    futures: impl Iterator<Item = F>,
    concurrency_limit: Option<usize>,
) -> Result<Vec<T>, NurseryError>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
{
    let results: Option<Vec<T>> = run_all(futures, concurrency_limit).await?.into_iter().collect();
    results.ok_or_else(|| NurseryError::from_error(Cancelled.into()))
}

/// Gives `None` for a member that cancelled itself: any other way to end without a result is an error of the nursery.
async fn run_all<F, T>(
    futures: impl Iterator<Item = F>,
    concurrency_limit: Option<usize>,
) -> Result<Vec<Option<T>>, NurseryError>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
{
    let results = Rc::new(RefCell::new(Vec::new()));
    let slots = results.clone();
    let mut builder = Nursery::builder();
    if let Some(limit) = concurrency_limit {
        builder = builder.concurrency_limit(limit);
    }
    builder
        .open(async |nursery: Nursery| {
            for (n, future) in futures.enumerate() {
                slots.borrow_mut().push(None);
                let slots = slots.clone();
                nursery.start_soon(async move {
                    let value = future.await?;
                    slots.borrow_mut()[n] = Some(value);
                    Ok(())
                });
            }
            Ok(())
        })
        .await?;
    Ok(results.take())
}
