//! [`Condition`]: waiting until others have changed something.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::lock::{Lock, LockGuard};
use super::waiters::Waiters;
use crate::nursery::{finally_within, primitive};

/// A lock whose holder can wait for others to change what it protects: `asyncio.Condition`, a cheap clone.
///
/// Differs from asyncio: what needs the lock is a method of the [`ConditionGuard`], so it cannot be called without it.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use foster_compat::asyncio::Condition;
/// use foster_compat::{open_nursery, run};
///
/// run(async {
///     open_nursery(async |nursery| {
///         let (condition, n_ready) = (Condition::new(), Rc::new(Cell::new(0)));
///         let (waits, n) = (condition.clone(), n_ready.clone());
///         nursery.start_soon(async move {
///             let mut guard = waits.acquire().await;
///             guard.wait_for(|| n.get() == 2).await;
///         });
///         for _ in 0..2 {
///             let guard = condition.acquire().await;
///             n_ready.set(n_ready.get() + 1);
///             guard.notify(1);
///         }
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Condition {
    lock: Lock,
    waiters: Rc<Waiters>,
}

impl Condition {
    /// A condition with a lock of its own.
    pub fn new() -> Self {
        Condition::default()
    }

    /// A condition on a lock that others use as well: `asyncio.Condition(lock)`.
    pub fn with_lock(lock: &Lock) -> Self {
        Condition { lock: lock.clone(), waiters: Rc::default() }
    }

    /// Waits for the lock, as [`Lock::acquire`]: `async with condition`.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn acquire(&self) -> ConditionGuard {
        let held = self.lock.acquire().await;
        ConditionGuard { condition: self.clone(), held: Cell::new(Some(held)) }
    }

    /// Whether somebody holds the lock: `condition.locked`.
    pub fn locked(&self) -> bool {
        self.lock.locked()
    }
}

/// The held lock of a [`Condition`]; dropping it is `condition.release`.
#[must_use = "the lock is released when the guard is dropped"]
pub struct ConditionGuard {
    condition: Condition,
    /// Absent while it waits, and after a wait that foreign code has dropped.
    held: Cell<Option<LockGuard>>,
}

impl ConditionGuard {
    /// Releases the lock, waits until it is notified, and takes the lock again: `condition.wait`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled by a scope or a time-out it first takes the lock again, as in asyncio, and passes on a notification
    /// that had come already. Dropped outright by foreign code (`tokio::select!`) it does not; then the guard takes
    /// the lock at its next wait.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn wait(&mut self) {
        let Condition { lock, waiters } = &self.condition;
        if self.held.get_mut().is_none() {
            self.held.set(Some(lock.acquire().await));
        }
        let notified = primitive(
            "a condition",
            waiters.wait(|| {
                waiters.wake_one();
            }),
        );
        let wait_released = async {
            drop(self.held.take());
            notified.await
        };
        finally_within(Duration::MAX, wait_released, async { self.held.set(Some(lock.acquire().await)) }).await;
    }

    /// Waits until `is_true` holds; asks at once and after every notification: `condition.wait_for`.
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](ConditionGuard::wait).
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn wait_for(&mut self, mut is_true: impl FnMut() -> bool) {
        while !is_true() {
            self.wait().await;
        }
    }

    /// Wakes the first `n` that wait: `condition.notify`, where asyncio's default is one.
    ///
    /// They go on once this guard is dropped or waits.
    pub fn notify(&self, n: usize) {
        for _ in 0..n {
            if !self.condition.waiters.wake_one() {
                break;
            }
        }
    }

    /// Wakes everybody who waits: `condition.notify_all`.
    pub fn notify_all(&self) {
        self.condition.waiters.wake_all();
    }
}

impl fmt::Debug for ConditionGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConditionGuard")
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiters")
    }
}
