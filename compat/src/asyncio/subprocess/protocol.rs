//! The protocol traits of a subprocess: what a program implements.

use super::transport_ref::SubprocessTransportRef;
use crate::error::{Error, Result};

/// A protocol of a process: `asyncio.SubprocessProtocol`.
///
/// ```text
/// connection_made  (pipe_data_received* pipe_connection_lost)*  process_exited  connection_lost
/// ```
///
/// What is certain of the order: `connection_made` comes first and `connection_lost` last, once each;
/// `pipe_data_received` of a descriptor before its `pipe_connection_lost`. `process_exited` may come before, between
/// or after those of the pipes, because a grandchild may hold them open. `connection_lost` comes when the process has
/// exited and all its pipes are disconnected.
///
/// Descriptors are 0 for stdin, 1 for stdout and 2 for stderr, as far as they are pipes.
///
/// An error of a callback goes to the exception handler, and the process lives on. A panic kills the process, and the
/// protocol then gets `connection_lost` and nothing else.
///
/// Differs from asyncio as [`Protocol`](crate::Protocol) does: with `&mut self`, `pause_writing` and `resume_writing`
/// come when the running callback returns. [`SharedSubprocessProtocol`], with `&self`, has no such difference.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no subprocess protocol",
    label = "the factory has to return a subprocess protocol",
    note = "implement `SubprocessProtocol` for it, or wrap it: `Shared(p)` for a `SharedSubprocessProtocol`"
)]
pub trait SubprocessProtocol: 'static {
    /// The process runs and its pipes are connected. Nothing of them is read before this has returned.
    fn connection_made(&mut self, transport: SubprocessTransportRef) -> Result<()> {
        let _ = transport;
        Ok(())
    }

    /// The process has written some bytes to `fd`, at least one and at most 256 KiB.
    fn pipe_data_received(&mut self, fd: i32, data: &[u8]) -> Result<()> {
        let _ = (fd, data);
        Ok(())
    }

    /// The pipe of `fd` is closed: `None` for its end and for `close`, else what ended it.
    fn pipe_connection_lost(&mut self, fd: i32, exc: Option<Error>) -> Result<()> {
        let _ = (fd, exc);
        Ok(())
    }

    /// The process has exited; [`get_returncode`](crate::SubprocessTransport::get_returncode) says how.
    fn process_exited(&mut self) -> Result<()> {
        Ok(())
    }

    /// More than the high-water mark (64 KiB) waits to be sent to stdin: write no more.
    fn pause_writing(&mut self) -> Result<()> {
        Ok(())
    }

    /// What waits to be sent to stdin has fallen to the low-water mark (16 KiB).
    fn resume_writing(&mut self) -> Result<()> {
        Ok(())
    }

    /// The process has exited, and all pipes are disconnected. `None`, or what ended it if that was a panic of a
    /// callback or an error of a task.
    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        let _ = exc;
        Ok(())
    }
}

/// A subprocess protocol with `&self` methods, whose `pause_writing` and `resume_writing` are called from inside `write`
/// exactly as asyncio does. Wrap it in [`Shared`](crate::Shared); state lives in `Cell` and `RefCell`.
pub trait SharedSubprocessProtocol: 'static {
    /// As [`SubprocessProtocol::connection_made`].
    fn connection_made(&self, transport: SubprocessTransportRef) -> Result<()> {
        let _ = transport;
        Ok(())
    }

    /// As [`SubprocessProtocol::pipe_data_received`].
    fn pipe_data_received(&self, fd: i32, data: &[u8]) -> Result<()> {
        let _ = (fd, data);
        Ok(())
    }

    /// As [`SubprocessProtocol::pipe_connection_lost`].
    fn pipe_connection_lost(&self, fd: i32, exc: Option<Error>) -> Result<()> {
        let _ = (fd, exc);
        Ok(())
    }

    /// As [`SubprocessProtocol::process_exited`].
    fn process_exited(&self) -> Result<()> {
        Ok(())
    }

    /// As [`SubprocessProtocol::pause_writing`], but from inside the `write` that filled the buffer.
    fn pause_writing(&self) -> Result<()> {
        Ok(())
    }

    /// As [`SubprocessProtocol::resume_writing`], at once.
    fn resume_writing(&self) -> Result<()> {
        Ok(())
    }

    /// As [`SubprocessProtocol::connection_lost`].
    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        let _ = exc;
        Ok(())
    }
}
