//! [`Isolated`]: work whose panics are errors.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::LocalBoxFuture;

use crate::{Error, ExceptionContext, Outcome, Panicked, Result, get_running_loop};

/// A future whose panics are errors, also those of its end, be it that it was cancelled.
pub(super) struct Isolated {
    /// Absent once it has ended.
    work: Option<LocalBoxFuture<'static, Result<()>>>,
}

impl Isolated {
    pub(super) fn new(work: impl Future<Output = Result<()>> + 'static) -> Self {
        Isolated { work: Some(Box::pin(work)) }
    }

    fn drop_work(&mut self) -> Result<()> {
        let work = self.work.take();
        catch(|| drop(work))
    }
}

impl Future for Isolated {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let ended = match catch(|| work.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(ended)) => ended,
            Err(panicked) => Err(panicked),
        };
        Poll::Ready(ended.and(self.drop_work()))
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        if let Err(err) = self.drop_work() {
            report("a background task that was cancelled failed", err);
        }
    }
}

/// Work that nobody waits for: its failure is reported.
pub(super) fn reporting(
    message: &'static str,
    work: impl Future<Output = Result<()>> + 'static,
) -> impl Future<Output = ()> {
    let work = Isolated::new(work);
    async move {
        if let Err(err) = work.await {
            report(message, err);
        }
    }
}

/// An `async fn` of no arguments, without its types.
pub(super) trait Procedure {
    fn call(&self) -> LocalBoxFuture<'_, Result<()>>;
}

impl<F, R> Procedure for F
where
    F: AsyncFn() -> R,
    R: Outcome,
{
    fn call(&self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async move { self().await.into_result() })
    }
}

/// A panic is one more way to fail.
pub(super) fn catch<T>(call: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| Panicked::new(payload).into())
}

/// Tells the exception handler of the loop.
pub(super) fn report(message: impl Into<String>, err: Error) {
    let message = message.into();
    match get_running_loop() {
        Ok(running) => running.call_exception_handler(&ExceptionContext::new(message, Some(err))),
        Err(_) => tracing::error!("{message}: {err:#}"),
    }
}
