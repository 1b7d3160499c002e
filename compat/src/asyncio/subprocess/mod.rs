//! Subprocesses: a program as a child of a nursery, with a protocol or with streams.
//!
//! Read `protocol.rs` for what a program writes, then `child/mod.rs` for the life of a process.

mod anonymous_pipe;
mod child;
mod create_subprocess;
mod options;
mod pipe_protocol;
mod process;
mod protocol;
mod protocol_cell;
mod stdio;
mod stream_protocol;
mod subprocess_exec;
mod transport;
mod transport_ref;

pub use create_subprocess::{
    CreateSubprocessExec, CreateSubprocessShell, create_subprocess_exec, create_subprocess_shell,
};
pub use options::DEFAULT_KILL_GRACE;
pub use process::Process;
pub use protocol::{SharedSubprocessProtocol, SubprocessProtocol};
pub use protocol_cell::{IntoSubprocessProtocol, SubprocessProtocolCell};
pub use stdio::{DEVNULL, PIPE, STDOUT, Stdio};
pub use subprocess_exec::{SubprocessExec, SubprocessShell, subprocess_exec, subprocess_shell};
pub use transport::SubprocessTransport;
pub use transport_ref::SubprocessTransportRef;
