//! Sleeping, and giving way.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::scope::after;
use crate::runtime::{Alarm, Core, TimerKey, current};

/// Sleeps for `duration`: `trio.sleep`, `asyncio.sleep`. Zero gives way for one turn of the loop.
///
/// The time is counted from the first poll, on tokio's clock, which tests can pause. `Duration::MAX` never ends.
///
/// # Cancel safety
///
/// Dropping it forgets the timer. In a cancelled scope it stays pending even when the time is up.
///
/// # Panics
///
/// Outside a loop.
pub async fn sleep(duration: Duration) {
    if duration.is_zero() {
        return checkpoint().await;
    }
    match after(duration) {
        Some(deadline) => sleep_until(deadline).await,
        None => sleep_forever().await,
    }
}

/// Sleeps until `deadline`; one that has passed gives way for one turn of the loop.
///
/// # Panics
///
/// Outside a loop.
pub async fn sleep_until(deadline: Instant) {
    if deadline <= Instant::now() {
        return checkpoint().await;
    }
    Sleep { core: current(), deadline, timer: None }.await
}

/// Sleeps until it is cancelled.
pub async fn sleep_forever() {
    primitive("sleep_forever", std::future::pending()).await
}

/// Lets the loop run one turn, and stops here if the scope is cancelled: `trio.lowlevel.checkpoint`.
///
/// # Panics
///
/// Outside a loop.
pub async fn checkpoint() {
    let mut has_yielded = false;
    primitive(
        "checkpoint",
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut has_yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }),
    )
    .await
}

struct Sleep {
    core: Rc<Core>,
    deadline: Instant,
    timer: Option<TimerKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.take();
        if let Some(timer) = timer {
            self.core.clear_timer(timer);
        }
        self.core.waits_for.set("sleep");
        if self.core.holds_wait(timer.is_some()) {
            return Poll::Pending;
        }
        if self.deadline <= Instant::now() {
            return Poll::Ready(());
        }
        self.timer = Some(self.core.set_timer(self.deadline, Alarm::Wake(cx.waker().clone())));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.core.clear_timer(timer);
        }
    }
}

/// Makes a wait a Foster primitive: in a cancelled scope it stays pending whatever happens to what it waits for, so
/// that a cancelled task goes no further, and [`dump`](crate::dump) shows what the task waits for. What it had got
/// before the cancellation it still gives, in the step that was queued by then.
pub(crate) fn primitive<F: Future>(name: &'static str, future: F) -> Primitive<F> {
    Primitive { name, has_begun: false, future }
}

pin_project! {
    pub(crate) struct Primitive<F> {
        name: &'static str,
        has_begun: bool,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Primitive<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let core = current();
        let this = self.project();
        if core.holds_wait(*this.has_begun) {
            core.waits_for.set(this.name);
            return Poll::Pending;
        }
        *this.has_begun = true;
        let poll = this.future.poll(cx);
        if poll.is_pending() {
            core.waits_for.set(this.name);
        }
        poll
    }
}
