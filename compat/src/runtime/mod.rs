//! The loop: one future around one queue.
//!
//! ```text
//!            wakers, other threads ──> door ─┐
//!  sockets ──> tokio's driver ──> wakers ────┤         a turn: gather, then run exactly what stood there
//!                           timers ──────────┴─> queue ──> task step | callback | event of a source
//! ```
//!
//! This is the only part that touches tokio's scheduler. Read [`run`] first, then `core.rs`, then `tree.rs`.

mod context;
mod core;
mod fresh;
mod interrupt;
mod log;
mod ready;
mod report;
mod run;
mod tasks;
mod thread;
mod timers;
mod tree;
mod wake;

pub(crate) use core::{Alarm, Core, current, try_current};
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
pub(crate) use log::info as log_info;
pub(crate) use log::warning as log_warning;
pub(crate) use ready::{Callback, Event, Item, Source};
pub(crate) use report::{ExceptionHandler, Failure};
pub(crate) use tasks::{Exit, NewTask, Payload, Supervisor, TaskId, TaskName};
pub(crate) use timers::TimerKey;
pub(crate) use tree::{Kind, NodeId, Owner, Tree};
pub(crate) use wake::{Door, Knock, SourceKey};

pub use context::{Context, ContextVar, copy_context};
pub use report::{ExceptionContext, Panicked};
pub use run::{Cancelled, run, run_here};
pub use thread::{LoopThread, run_in_thread};
pub use tree::{CancelReason, CancelSource};
