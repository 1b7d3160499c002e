//! Clean-up that may await: `finally`.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::pin;
use std::time::Duration;

use super::region::{Ended, Region};
use super::timeouts::move_on_after;
use crate::runtime::{Kind, Payload, log_warning};

/// How long the clean-up of a [`finally`] may take unless told otherwise.
///
/// Docker and Kubernetes kill 10 s and 30 s after asking; Hypercorn gives its connections 3 s.
pub const DEFAULT_CLEANUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs `body`, then `cleanup`, however the body ended: with a value, by a panic, or by cancellation.
///
/// The clean-up is shielded from cancellation and stopped after [`DEFAULT_CLEANUP_TIMEOUT`], with a warning. This
/// is what `try: ... finally:` is in trio, where Rust's `Drop` cannot await.
///
/// # Cancel safety
///
/// Cancelled by a scope or a nursery, the clean-up runs. Dropped outright by foreign code (`tokio::select!`, an
/// abort), body and clean-up are dropped where they are.
///
/// # Panics
///
/// Outside a loop. A panic of the body is resumed after the clean-up. A panic of the clean-up comes out too, unless
/// the body panicked before it; then it goes to the exception handler.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, time::Duration};
/// use foster_compat::{finally, move_on_after, run, sleep, sleep_forever};
///
/// run(async {
///     let is_clean = Cell::new(false);
///     let body = finally(sleep_forever(), async {
///         sleep(Duration::from_millis(1)).await;
///         is_clean.set(true);
///     });
///     assert_eq!(move_on_after(Duration::from_millis(1), body).await, None);
///     assert!(is_clean.get());
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
pub async fn finally<B: Future, C: Future>(body: B, cleanup: C) -> B::Output {
    finally_within(DEFAULT_CLEANUP_TIMEOUT, body, cleanup).await
}

/// As [`finally`], with a bound of its own for the clean-up; `Duration::MAX` is none.
///
/// # Panics
///
/// As [`finally`].
pub async fn finally_within<B: Future, C: Future>(timeout: Duration, body: B, cleanup: C) -> B::Output {
    let mut region = Region::enter(Kind::Guard, true, false);
    let ended = {
        let mut slot = pin!(Some(body));
        std::future::poll_fn(|cx| region.poll_caught(slot.as_mut(), cx)).await
    };
    let panic = clean_up(timeout, &mut region, cleanup).await;
    settle(region, ended, panic).await
}

/// As [`finally`], for a body and a clean-up that need the same state: it is lent to each in turn.
///
/// # Panics
///
/// As [`finally`].
///
/// # Examples
///
/// ```
/// use foster_compat::{finally_with, run};
///
/// run(async {
///     let mut log = vec![];
///     finally_with(&mut log, async |log| log.push("body"), async |log| log.push("clean-up")).await;
///     assert_eq!(log, ["body", "clean-up"]);
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
pub async fn finally_with<S, T, B, C>(state: &mut S, body: B, cleanup: C) -> T
where
    B: AsyncFnOnce(&mut S) -> T,
    C: AsyncFnOnce(&mut S),
{
    let mut region = Region::enter(Kind::Guard, true, false);
    let ended = {
        let mut slot = pin!(Some(body(state)));
        std::future::poll_fn(|cx| region.poll_caught(slot.as_mut(), cx)).await
    };
    let panic = clean_up(DEFAULT_CLEANUP_TIMEOUT, &mut region, cleanup(state)).await;
    settle(region, ended, panic).await
}

/// Runs a clean-up shielded and bounded, while the region keeps the scopes around it waiting. Gives its panic.
async fn clean_up<C: Future>(timeout: Duration, region: &mut Region, cleanup: C) -> Option<Payload> {
    region.raise_shield();
    let mut slot = pin!(Some(move_on_after(timeout, cleanup)));
    match std::future::poll_fn(|cx| region.poll_caught(slot.as_mut(), cx)).await {
        Ended::Value(Some(_)) => {}
        Ended::Value(None) => {
            log_warning(&format!("a clean-up was stopped after {timeout:?}, the bound of its finally"));
        }
        Ended::Panic(payload) => return Some(payload),
        // Nobody can cancel a shielded guard.
        Ended::Dropped => {}
    }
    None
}

/// Hands on how the body ended, now that everything is clean.
async fn settle<T>(region: Region, body: Ended<T>, cleanup: Option<Payload>) -> T {
    let core = region.leave();
    match (body, cleanup) {
        (Ended::Panic(payload), cleanup) => {
            if let Some(other) = cleanup {
                core.report_panic("A clean-up panicked after its body had", other);
            }
            resume_unwind(payload)
        }
        (_, Some(payload)) => resume_unwind(payload),
        (Ended::Value(value), None) => value,
        // Only a scope around it can have dropped the body; it drops this too, now that the guard is gone.
        (Ended::Dropped, None) => std::future::pending().await,
    }
}
