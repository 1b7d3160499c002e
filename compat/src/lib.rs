//! The two Python models under Foster.

mod error;
mod interrupted;
mod nursery;
mod runtime;

pub use error::{Error, Ok, Result};
pub use interrupted::Interrupted;
pub use nursery::{
    CancelScope, Closed, DEFAULT_CLEANUP_TIMEOUT, EffectiveDeadline, Gather, NotStarted, Nursery, NurseryBuilder,
    NurseryError, Outcome, RemoteScope, ScopeHandle, Task, TaskStatus, TooSlow, cancel_reason, checkpoint,
    current_effective_deadline, dump, fail_after, fail_at, finally, finally_with, finally_within, gather,
    move_on_after, move_on_at, open_nursery, shield, sleep, sleep_forever, sleep_until,
};
pub use runtime::{
    CancelReason, CancelSource, Cancelled, ContextVar, ExceptionContext, LoopThread, Panicked, run, run_here,
    run_in_thread,
};

/// Compiles the Rust blocks of the README with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
