//! The trait of subprocess transports.

use std::task::{Context, Poll};

use super::protocol_cell::SubprocessProtocolCell;
use crate::asyncio::transport::BaseTransport;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::Result;

/// A process and its pipes: `asyncio.SubprocessTransport`.
///
/// [`close`](BaseTransport::close) closes the pipes and kills the process with SIGKILL if it still runs;
/// `connection_lost` comes when it has been reaped. Of the extra information there is `"subprocess"`, asyncio's `Popen`:
/// `ExtraInfo::Other` with the [`SubprocessTransportRef`](crate::SubprocessTransportRef), which knows the id and the
/// return code.
pub trait SubprocessTransport: BaseTransport {
    /// The process id. It is the process's until `process_exited`; later it may be another's.
    fn get_pid(&self) -> u32;

    /// How the process has ended: its exit code, or minus the number of the signal that killed it. `None` while it
    /// runs. 255 if somebody else has reaped it, as in asyncio.
    fn get_returncode(&self) -> Option<i32>;

    /// The transport of stdin (0), stdout (1) or stderr (2), if it is a pipe. Also once it is closed.
    fn get_pipe_transport(&self, fd: i32) -> Option<TransportRef>;

    /// Sends a signal; after the process has exited it is silently ignored. 0 sends none.
    ///
    /// Differs from asyncio: real-time signals cannot be sent.
    ///
    /// # Errors
    ///
    /// `ESRCH`, which is Python's `ProcessLookupError`, after `connection_lost`; `EINVAL` for a number that is no
    /// signal; an error of the operating system, such as `EPERM` for a process that has changed its user.
    fn send_signal(&self, signal: i32) -> Result<()>;

    /// Sends SIGTERM.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](SubprocessTransport::send_signal).
    fn terminate(&self) -> Result<()>;

    /// Sends SIGKILL.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](SubprocessTransport::send_signal).
    fn kill(&self) -> Result<()>;

    /// Gives the transport another protocol; the verb for programs is
    /// [`SubprocessTransportRef::set_protocol`](crate::SubprocessTransportRef::set_protocol).
    fn set_protocol_cell(&self, protocol: SubprocessProtocolCell);

    /// The protocol; `None` after `connection_lost`.
    fn get_protocol(&self) -> Option<SubprocessProtocolCell>;

    /// Ready once the process has exited, with the return code; the verb for programs is
    /// [`SubprocessTransportRef::exited`](crate::SubprocessTransportRef::exited).
    fn poll_exited(&self, cx: &mut Context<'_>) -> Poll<i32>;
}
