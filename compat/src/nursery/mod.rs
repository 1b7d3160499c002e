//! trio's side: nurseries, cancel scopes, and clean-up that may await.
//!
//! Read `region.rs` first: everything that can be cancelled inside a task is a region.

mod capacity_limiter;
#[cfg(unix)]
mod descriptor;
mod dump;
mod error;
mod event;
mod finally;
mod gather;
mod limit;
mod memory_channel;
#[expect(clippy::module_inception, reason = "the noun of the module is Nursery")]
mod nursery;
mod outcome;
mod region;
mod scope;
mod sleep;
mod start;
mod task;
mod timeouts;
pub mod to_thread;
#[cfg(unix)]
mod wait_readable;

pub use capacity_limiter::{CapacityLimiter, CapacityToken, WouldBlock};
#[cfg(unix)]
pub(crate) use descriptor::{Descriptor, Direction};
pub use dump::dump;
pub use error::NurseryError;
pub use event::Event;
pub use finally::{DEFAULT_CLEANUP_TIMEOUT, finally, finally_with, finally_within};
pub use gather::{Gather, gather};
pub use memory_channel::{
    MemoryChannelStatistics, MemoryReceiveChannel, MemorySendChannel, ReceiveError, SendError, open_memory_channel,
};
pub use nursery::{Closed, Nursery, NurseryBuilder, open_nursery};
pub(crate) use outcome::Never;
pub use outcome::Outcome;
pub use scope::{CancelScope, RemoteScope, ScopeHandle, cancel_reason, shield};
pub(crate) use sleep::primitive;
pub use sleep::{checkpoint, sleep, sleep_forever, sleep_until};
pub use start::{NotStarted, TaskStatus};
pub use task::Task;
pub use timeouts::{
    EffectiveDeadline, TooSlow, current_effective_deadline, fail_after, fail_at, move_on_after, move_on_at,
};
#[cfg(unix)]
pub use wait_readable::{wait_readable, wait_writable};
