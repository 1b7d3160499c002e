//! [`Lock`]: one task at a time.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::waiters::Waiters;
use crate::nursery::primitive;

/// Lets one task at a time through, first come, first served: `asyncio.Lock`, a cheap clone of one shared lock.
///
/// Only code that awaits between two statements needs one: nothing else runs between them.
///
/// Differs from asyncio: [`acquire`](Lock::acquire) gives a [`LockGuard`], whose drop releases; and the lock is handed
/// from task to task, so [`locked`](Lock::locked) stays true in between.
///
/// # Examples
///
/// ```
/// use foster_compat::asyncio::Lock;
/// use foster_compat::{checkpoint, run};
///
/// run(async {
///     let lock = Lock::new();
///     {
///         let _guard = lock.acquire().await;
///         checkpoint().await;
///         assert!(lock.locked());
///     }
///     assert!(!lock.locked());
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone, Default)]
pub struct Lock {
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    /// Stays set while the lock is handed on, so whoever finds it free finds nobody in line.
    is_locked: Cell<bool>,
    waiters: Waiters,
}

impl Lock {
    /// A free lock.
    pub fn new() -> Self {
        Lock::default()
    }

    /// Waits for the lock; a free one is taken without giving way: `lock.acquire`, `async with lock`.
    ///
    /// A task that acquires a lock it holds waits for ever, as in asyncio.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the line; a lock that was handed over already goes to the next. In a cancelled scope it
    /// stays pending also when the lock is free.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn acquire(&self) -> LockGuard {
        primitive("a lock", async {
            if self.state.is_locked.replace(true) {
                self.state.waiters.wait(|| self.state.release()).await;
            }
            LockGuard { lock: self.clone() }
        })
        .await
    }

    /// Whether somebody holds the lock: `lock.locked`.
    pub fn locked(&self) -> bool {
        self.state.is_locked.get()
    }
}

impl State {
    /// Hands the lock to the first in line, or frees it.
    fn release(&self) {
        if !self.waiters.wake_one() {
            self.is_locked.set(false);
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lock({})", if self.locked() { "locked" } else { "unlocked" })
    }
}

/// The held lock; dropping it is `lock.release`. It may be stored, and dropped by another task.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard {
    lock: Lock,
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        self.lock.state.release();
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockGuard")
    }
}
