//! [`CapacityLimiter`].

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::sleep::primitive;

/// Lends a limited number of tokens, first come, first served: `trio.CapacityLimiter`.
///
/// With no token left [`acquire`](CapacityLimiter::acquire) waits. The number may be changed at any time, to zero as
/// well: tokens that are lent out stay lent, and nobody gets a new one until fewer are lent than there are. Clones are
/// the same limiter. It belongs to one thread.
///
/// Differs from trio: a token is a guard that comes back when it is dropped, and it belongs to nobody, so a task may
/// hold several and there is no `on_behalf_of`.
///
/// # Examples
///
/// ```
/// use foster_compat::{CapacityLimiter, WouldBlock, run};
///
/// run(async {
///     let limiter = CapacityLimiter::new(1);
///     let token = limiter.acquire().await;
///     assert_eq!(limiter.acquire_nowait().unwrap_err(), WouldBlock);
///     drop(token);
///     assert_eq!(limiter.available_tokens(), 1);
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone)]
pub struct CapacityLimiter {
    state: Rc<State>,
}

struct State {
    /// Its permits that are free, promised to those who wait, and lent are `n_total + n_surplus` together.
    semaphore: Arc<Semaphore>,
    n_total: Cell<usize>,
    n_borrowed: Cell<usize>,
    /// Permits to be forgotten as they come back, because the total was lowered while they were lent.
    n_surplus: Cell<usize>,
}

impl CapacityLimiter {
    /// A limiter with `total_tokens` tokens; more than [`Semaphore::MAX_PERMITS`] count as that.
    pub fn new(total_tokens: usize) -> Self {
        let n_total = total_tokens.min(Semaphore::MAX_PERMITS);
        CapacityLimiter {
            state: Rc::new(State {
                semaphore: Arc::new(Semaphore::new(n_total)),
                n_total: Cell::new(n_total),
                n_borrowed: Cell::new(0),
                n_surplus: Cell::new(0),
            }),
        }
    }

    /// How many tokens there are.
    pub fn total_tokens(&self) -> usize {
        self.state.n_total.get()
    }

    /// Changes how many tokens there are. More of them go to those who wait at once.
    pub fn set_total_tokens(&self, total_tokens: usize) {
        let State { semaphore, n_total, n_surplus, .. } = &*self.state;
        let n_wanted = total_tokens.min(Semaphore::MAX_PERMITS);
        let n_there = n_total.replace(n_wanted) + n_surplus.get();
        n_surplus.set(n_there.saturating_sub(n_wanted));
        semaphore.add_permits(n_wanted.saturating_sub(n_there));
        self.forget_surplus();
    }

    /// Forgets permits that have come back and are too many.
    fn forget_surplus(&self) {
        let State { semaphore, n_surplus, .. } = &*self.state;
        if n_surplus.get() > 0 {
            n_surplus.set(n_surplus.get() - semaphore.forget_permits(n_surplus.get()));
        }
    }

    /// How many tokens are lent; more than [`total_tokens`](CapacityLimiter::total_tokens) after that was lowered.
    pub fn borrowed_tokens(&self) -> usize {
        self.state.n_borrowed.get()
    }

    /// How many tokens can be had without waiting; one that is promised to somebody who waits cannot.
    pub fn available_tokens(&self) -> usize {
        self.forget_surplus();
        self.state.semaphore.available_permits()
    }

    /// Borrows a token, and waits in line for it if there is none.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it loses its place in line and no token.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn acquire(&self) -> CapacityToken {
        self.forget_surplus();
        match primitive("a token of a capacity limiter", self.state.semaphore.clone().acquire_owned()).await {
            Ok(permit) => self.lend(permit),
            // Nobody closes the semaphore.
            Err(_) => std::future::pending().await,
        }
    }

    /// Borrows a token if there is one.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`] if there is none.
    pub fn acquire_nowait(&self) -> Result<CapacityToken, WouldBlock> {
        self.forget_surplus();
        let permit = self.state.semaphore.clone().try_acquire_owned().map_err(|_| WouldBlock)?;
        Ok(self.lend(permit))
    }

    fn lend(&self, permit: OwnedSemaphorePermit) -> CapacityToken {
        self.state.n_borrowed.set(self.state.n_borrowed.get() + 1);
        CapacityToken { limiter: self.clone(), permit: Some(permit) }
    }
}

impl fmt::Debug for CapacityLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CapacityLimiter({} of {} borrowed)", self.borrowed_tokens(), self.total_tokens())
    }
}

/// A token of a [`CapacityLimiter`]; dropping it gives it back.
#[must_use = "the token goes back when it is dropped"]
#[derive(Debug)]
pub struct CapacityToken {
    limiter: CapacityLimiter,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for CapacityToken {
    fn drop(&mut self) {
        let State { n_borrowed, n_surplus, .. } = &*self.limiter.state;
        n_borrowed.set(n_borrowed.get() - 1);
        if let Some(permit) = self.permit.take().filter(|_| n_surplus.get() > 0) {
            n_surplus.set(n_surplus.get() - 1);
            permit.forget();
        }
    }
}

/// It cannot be done at once: `trio.WouldBlock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WouldBlock;

impl fmt::Display for WouldBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it cannot be done without waiting")
    }
}

impl std::error::Error for WouldBlock {}
