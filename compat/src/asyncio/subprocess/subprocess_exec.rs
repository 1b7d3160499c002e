//! `subprocess_exec` and `subprocess_shell`: a program with a protocol.

use std::ffi::OsStr;
use std::future::{Future, IntoFuture};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use super::options::{Program, program_options};
use super::protocol_cell::IntoSubprocessProtocol;
use super::stdio::Stdio;
use super::transport_ref::SubprocessTransportRef;
use crate::asyncio::event_loop::Loop;
use crate::error::Result;
use crate::nursery::Nursery;

/// Starts a program with a protocol, as a child of `nursery`: `loop.subprocess_exec`. Await the builder, whose methods are
/// asyncio's and Popen's keyword arguments; standard input, output and error are pipes unless set otherwise.
///
/// `connection_made` was called when it returns, and nothing was read. The nursery waits for the process to exit and
/// for its pipes to be disconnected. Cancelled, it closes the pipes, sends SIGTERM, after
/// [`kill_grace`](SubprocessExec::kill_grace) SIGKILL, reaps the process, and calls `connection_lost`. Where the loop is
/// dropped outright, the process is killed, and reaped by tokio.
///
/// # Cancel safety
///
/// Dropped before it has returned, it kills the process. In a cancelled scope it starts none.
///
/// # Errors
///
/// The program cannot be started (of kind `NotFound` if there is none of that name), in which case the factory was called
/// and nothing else; a [`ValueError`](crate::ValueError) for [`STDOUT`](crate::STDOUT) as anything but stderr;
/// [`Closed`](crate::Closed) if the nursery has ended, and a [`RuntimeError`](crate::RuntimeError) if it was cancelled.
///
/// # Examples
///
/// ```
/// use foster_compat::{Result, SubprocessProtocol, open_nursery, run, subprocess_exec};
///
/// #[derive(Default)]
/// struct Collect {
///     output: Vec<u8>,
/// }
///
/// impl SubprocessProtocol for Collect {
///     fn pipe_data_received(&mut self, fd: i32, data: &[u8]) -> Result<()> {
///         if fd == 1 {
///             self.output.extend_from_slice(data);
///         }
///         Ok(())
///     }
/// }
///
/// run(async {
///     open_nursery(async |nursery| {
///         let (transport, protocol) = subprocess_exec(&nursery, Collect::default, "echo").args(["hello"]).await?;
///         assert!(transport.closed().await.is_none());
///         assert_eq!(transport.get_returncode(), Some(0));
///         assert_eq!(protocol.with(|protocol| protocol.output.clone()), b"hello\n");
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn subprocess_exec<'n, P, F>(nursery: &'n Nursery, factory: F, program: impl AsRef<OsStr>) -> SubprocessExec<'n, F>
where
    P: IntoSubprocessProtocol,
    F: FnOnce() -> P,
{
    SubprocessExec { nursery, factory, program: Program::new(program.as_ref(), || Stdio::Pipe) }
}

/// As [`subprocess_exec`], with a command line for `/bin/sh`: `loop.subprocess_shell`.
///
/// What comes from outside does not belong into a command line: quote it, or use [`subprocess_exec`]. Signals go to the
/// shell alone.
///
/// # Cancel safety
///
/// As [`subprocess_exec`].
///
/// # Errors
///
/// As [`subprocess_exec`]; a program that the shell does not find is the shell's exit code 127.
pub fn subprocess_shell<'n, P, F>(
    nursery: &'n Nursery,
    factory: F,
    command: impl AsRef<OsStr>,
) -> SubprocessShell<'n, F>
where
    P: IntoSubprocessProtocol,
    F: FnOnce() -> P,
{
    SubprocessShell { nursery, factory, program: Program::shell(command.as_ref(), || Stdio::Pipe) }
}

/// What [`subprocess_exec`] will start; await it.
#[must_use = "no program is started until it is awaited"]
pub struct SubprocessExec<'n, F> {
    nursery: &'n Nursery,
    factory: F,
    program: Program,
}

impl<F> SubprocessExec<'_, F> {
    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.program.command.arg(arg);
        self
    }

    /// Adds several arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.program.command.args(args);
        self
    }

    program_options!();
}

impl<'n, P, F> IntoFuture for SubprocessExec<'n, F>
where
    P: IntoSubprocessProtocol + 'n,
    F: FnOnce() -> P + 'n,
{
    type Output = Result<(SubprocessTransportRef, P::Handle)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.program.start(self.nursery, self.factory))
    }
}

/// What [`subprocess_shell`] will start; await it.
#[must_use = "no program is started until it is awaited"]
pub struct SubprocessShell<'n, F> {
    nursery: &'n Nursery,
    factory: F,
    program: Program,
}

impl<F> SubprocessShell<'_, F> {
    program_options!();
}

impl<'n, P, F> IntoFuture for SubprocessShell<'n, F>
where
    P: IntoSubprocessProtocol + 'n,
    F: FnOnce() -> P + 'n,
{
    type Output = Result<(SubprocessTransportRef, P::Handle)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.program.start(self.nursery, self.factory))
    }
}

impl Loop {
    /// As [`subprocess_exec`], in the loop's nursery.
    pub fn subprocess_exec<P, F>(&self, factory: F, program: impl AsRef<OsStr>) -> SubprocessExec<'_, F>
    where
        P: IntoSubprocessProtocol,
        F: FnOnce() -> P,
    {
        subprocess_exec(self.nursery(), factory, program)
    }

    /// As [`subprocess_shell`], in the loop's nursery.
    pub fn subprocess_shell<P, F>(&self, factory: F, command: impl AsRef<OsStr>) -> SubprocessShell<'_, F>
    where
        P: IntoSubprocessProtocol,
        F: FnOnce() -> P,
    {
        subprocess_shell(self.nursery(), factory, command)
    }
}
