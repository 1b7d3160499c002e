//! [`Semaphore`] and [`BoundedSemaphore`]: a number of tasks at a time.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::waiters::Waiters;
use crate::asyncio::exceptions::ValueError;
use crate::error::Result;
use crate::nursery::primitive;
use crate::runtime::log_warning;

/// Lets a number of tasks through, first come, first served: `asyncio.Semaphore`, a cheap clone of one shared counter.
///
/// Differs from asyncio: [`acquire`](Semaphore::acquire) gives a [`SemaphoreGuard`], whose drop releases.
///
/// # Examples
///
/// ```
/// use foster_compat::asyncio::Semaphore;
/// use foster_compat::run;
///
/// run(async {
///     let semaphore = Semaphore::new(2);
///     let (first, _second) = (semaphore.acquire().await, semaphore.acquire().await);
///     assert!(semaphore.locked());
///     drop(first);
///     assert!(!semaphore.locked());
///     // As a counter of things made: whoever takes one keeps it.
///     semaphore.release();
///     semaphore.acquire().await.forget();
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone)]
pub struct Semaphore {
    state: Rc<State>,
}

/// A [`Semaphore`] that is never released more often than acquired: `asyncio.BoundedSemaphore`, a cheap clone.
#[derive(Clone)]
pub struct BoundedSemaphore {
    state: Rc<State>,
}

struct State {
    /// How many may pass at once. Zero while anybody waits: what is released then is handed over.
    value: Cell<usize>,
    bound: Option<usize>,
    waiters: Waiters,
}

impl Semaphore {
    /// Lets `value` tasks through; with zero everybody waits for a [`release`](Semaphore::release). asyncio's default
    /// is one.
    pub fn new(value: usize) -> Self {
        Semaphore { state: State::new(value, None) }
    }

    /// Waits until one more may pass; does not give way if one may: `semaphore.acquire`, `async with semaphore`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the line; what was handed over already goes to the next. In a cancelled scope it stays
    /// pending.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn acquire(&self) -> SemaphoreGuard {
        self.state.acquire().await
    }

    /// Lets one more through than before, whether or not somebody had acquired: `semaphore.release`.
    pub fn release(&self) {
        // Without a bound it cannot be exceeded.
        let _ = self.state.release();
    }

    /// Whether the next to come has to wait: `semaphore.locked`.
    pub fn locked(&self) -> bool {
        self.state.value.get() == 0
    }
}

impl BoundedSemaphore {
    /// Lets `value` tasks through, and never more.
    pub fn new(value: usize) -> Self {
        BoundedSemaphore { state: State::new(value, Some(value)) }
    }

    /// As [`Semaphore::acquire`].
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn acquire(&self) -> SemaphoreGuard {
        self.state.acquire().await
    }

    /// Lets one more through, for an acquired guard that was [forgotten](SemaphoreGuard::forget).
    ///
    /// # Errors
    ///
    /// A [`ValueError`](crate::ValueError) if nothing is acquired; the semaphore is left as it was.
    pub fn release(&self) -> Result<(), ValueError> {
        self.state.release()
    }

    /// As [`Semaphore::locked`].
    pub fn locked(&self) -> bool {
        self.state.value.get() == 0
    }
}

impl State {
    fn new(value: usize, bound: Option<usize>) -> Rc<Self> {
        Rc::new(State { value: Cell::new(value), bound, waiters: Waiters::default() })
    }

    async fn acquire(self: &Rc<Self>) -> SemaphoreGuard {
        primitive("a semaphore", async {
            match self.value.get() {
                0 => self.waiters.wait(|| self.hand_on()).await,
                value => self.value.set(value - 1),
            }
            SemaphoreGuard { state: Some(self.clone()) }
        })
        .await
    }

    fn release(&self) -> Result<(), ValueError> {
        if self.bound.is_some_and(|bound| self.value.get() >= bound) {
            return Err(ValueError::new("BoundedSemaphore released too many times"));
        }
        self.hand_on();
        Ok(())
    }

    fn hand_on(&self) {
        if !self.waiters.wake_one() {
            self.value.set(self.value.get().saturating_add(1));
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Semaphore({})", self.state.value.get())
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoundedSemaphore({})", self.state.value.get())
    }
}

/// One that has passed a semaphore; dropping it lets the next through.
#[must_use = "the next may pass when the guard is dropped"]
pub struct SemaphoreGuard {
    state: Option<Rc<State>>,
}

impl SemaphoreGuard {
    /// Drops the guard without letting anybody through: for a `release` that comes from elsewhere.
    pub fn forget(mut self) {
        self.state = None;
    }
}

impl Drop for SemaphoreGuard {
    fn drop(&mut self) {
        let too_many = self.state.take().is_some_and(|state| state.release().is_err());
        if too_many {
            log_warning("a BoundedSemaphore was released by hand while its guard was held");
        }
    }
}

impl fmt::Debug for SemaphoreGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SemaphoreGuard")
    }
}
