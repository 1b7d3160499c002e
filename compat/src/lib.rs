//! The two Python models under Foster.

mod error;
mod nursery;
mod runtime;

pub use error::{Error, Ok, Result};
pub use nursery::{
    CancelScope, CapacityLimiter, CapacityToken, Closed, DEFAULT_CLEANUP_TIMEOUT, EffectiveDeadline, Event, Gather,
    MemoryChannelStatistics, MemoryReceiveChannel, MemorySendChannel, NotStarted, Nursery, NurseryBuilder,
    NurseryError, Outcome, ReceiveError, RemoteScope, ScopeHandle, SendError, Task, TaskStatus, TooSlow, WouldBlock,
    cancel_reason, checkpoint, current_effective_deadline, dump, fail_after, fail_at, finally, finally_with,
    finally_within, gather, move_on_after, move_on_at, open_memory_channel, open_nursery, shield, sleep, sleep_forever,
    sleep_until, to_thread,
};
pub use runtime::{
    CancelReason, CancelSource, Cancelled, ContextVar, ExceptionContext, Interrupted, LoopThread, Panicked, run,
    run_here, run_in_thread,
};
