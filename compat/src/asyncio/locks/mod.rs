//! What tasks of one loop wait for each other with: asyncio's `locks.py`.
//!
//! Nothing here is shared between threads, so nothing is locked: `waiters.rs` holds tasks in line, the rest counts.

mod condition;
mod event;
mod lock;
mod semaphore;
mod waiters;

pub use condition::{Condition, ConditionGuard};
pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use semaphore::{BoundedSemaphore, Semaphore, SemaphoreGuard};
pub(super) use waiters::Waiters;
