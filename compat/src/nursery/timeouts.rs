//! Deadlines around a future: `move_on_after` and its kin.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::region::Region;
use super::scope::{after, give_way};
use crate::runtime::{current, try_current};

/// Runs `future` for at most `timeout`; `None` if it was stopped. A future that is ready at once is never stopped.
///
/// `Duration::MAX` is no limit. The scope can be reached from inside with [`CancelScope::current`](crate::CancelScope::current).
///
/// # Panics
///
/// Outside a loop. Resumes a panic of the future.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use foster_compat::{move_on_after, run, sleep_forever};
///
/// let got = run(async { foster_compat::Ok(move_on_after(Duration::ZERO, sleep_forever()).await) })?;
/// assert!(got.is_none());
/// # foster_compat::Ok(())
/// ```
pub async fn move_on_after<F: Future>(timeout: Duration, future: F) -> Option<F::Output> {
    within(|| after(timeout), future).await
}

/// Runs `future` until `deadline`; `None` if it was stopped.
///
/// # Panics
///
/// As [`move_on_after`].
pub async fn move_on_at<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    within(|| Some(deadline), future).await
}

/// As [`move_on_after`], with an error where the future was stopped.
///
/// # Errors
///
/// [`TooSlow`] if the future was stopped, also by an explicit cancel of this scope.
///
/// # Panics
///
/// As [`move_on_after`].
pub async fn fail_after<F: Future>(timeout: Duration, future: F) -> Result<F::Output, TooSlow> {
    move_on_after(timeout, future).await.ok_or(TooSlow)
}

/// As [`move_on_at`], with an error where the future was stopped.
///
/// # Errors
///
/// As [`fail_after`].
///
/// # Panics
///
/// As [`move_on_after`].
pub async fn fail_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, TooSlow> {
    move_on_at(deadline, future).await.ok_or(TooSlow)
}

/// Asks for the deadline at entry, where it is kept.
#[inline]
async fn within<F: Future>(deadline: impl Fn() -> Option<Instant>, future: F) -> Option<F::Output> {
    let mut region = None;
    let mut slot = pin!(Some(future));
    let ended = std::future::poll_fn(|cx| match &mut region {
        None => begin(deadline(), slot.as_mut(), &mut region, cx),
        Some(region) => region.poll(slot.as_mut(), cx),
    })
    .await;
    if ended.is_none() {
        // It had to suspend to be dropped.
        if let Some(core) = region.map(Region::leave) {
            give_way(&core).await;
        }
    }
    ended
}

/// The first poll of a scope, which costs no node unless it suspends.
#[inline]
fn begin<F: Future>(
    deadline: Option<Instant>,
    mut slot: Pin<&mut Option<F>>,
    region: &mut Option<Region>,
    cx: &mut Context<'_>,
) -> Poll<Option<F::Output>> {
    let core = current();
    let first = core.first_poll(deadline);
    if let Some(Poll::Ready(value)) = slot.as_mut().as_pin_mut().map(|future| future.poll(cx)) {
        return Poll::Ready(Some(value));
    }
    let node = first.suspend();
    region.insert(Region::suspended(core, node)).suspend(slot, cx)
}

/// The work was stopped by its deadline: `trio.TooSlowError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline passed before the work was done")
    }
}

impl std::error::Error for TooSlow {}

/// When the running code will be cancelled, as things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectiveDeadline {
    /// No scope around it has a deadline: trio's `inf`.
    Never,
    /// At this instant, the earliest of the scopes around it up to the nearest shield.
    At(Instant),
    /// It is cancelled already: trio's `-inf`.
    Cancelled,
}

/// The deadline that applies to the running code: `trio.current_effective_deadline`. [`EffectiveDeadline::Never`]
/// outside a loop.
pub fn current_effective_deadline() -> EffectiveDeadline {
    let Some(core) = try_current() else {
        return EffectiveDeadline::Never;
    };
    let mut id = core.scope();
    let tree = core.tree.borrow();
    if tree.is_cancelled(id) {
        return EffectiveDeadline::Cancelled;
    }
    let mut earliest: Option<Instant> = None;
    while let Some(node) = tree.get(id) {
        if let Some(deadline) = tree.deadline(id) {
            earliest = Some(earliest.map_or(deadline, |other| other.min(deadline)));
        }
        if node.shield {
            break;
        }
        id = node.parent;
    }
    earliest.map_or(EffectiveDeadline::Never, EffectiveDeadline::At)
}
