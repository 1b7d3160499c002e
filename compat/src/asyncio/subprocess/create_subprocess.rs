//! `create_subprocess_exec` and `create_subprocess_shell`: a program with streams.

use std::ffi::OsStr;
use std::future::{Future, IntoFuture};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use super::options::{Program, program_options};
use super::process::Process;
use super::stdio::Stdio;
use super::stream_protocol::SubprocessStreamProtocol;
use crate::asyncio::protocol_cell::Shared;
use crate::asyncio::streams::{DEFAULT_LIMIT, StreamReader};
use crate::error::Result;
use crate::nursery::Nursery;

/// Starts a program that tasks talk to through streams, as a child of `nursery`: `asyncio.create_subprocess_exec`.
/// Await the builder, whose methods are asyncio's and Popen's keyword arguments; standard input, output and error are
/// those of this process unless set otherwise, with [`PIPE`](crate::PIPE) above all.
///
/// What the nursery does with the process is said at [`subprocess_exec`](crate::subprocess_exec).
///
/// # Cancel safety
///
/// Dropped before it has returned, it kills the process. In a cancelled scope it starts none.
///
/// # Errors
///
/// As [`subprocess_exec`](crate::subprocess_exec); a [`ValueError`](crate::ValueError) for a limit of 0.
///
/// # Examples
///
/// ```
/// use foster_compat::{PIPE, create_subprocess_exec, open_nursery, run};
///
/// run(async {
///     open_nursery(async |nursery| {
///         let process = create_subprocess_exec(&nursery, "cat").stdin(PIPE).stdout(PIPE).await?;
///         let (Some(stdin), Some(stdout)) = (process.stdin(), process.stdout()) else { unreachable!("both are pipes") };
///         stdin.write(b"one\n")?;
///         assert_eq!(stdout.readline().await?, b"one\n");
///         stdin.close();
///         assert_eq!(process.wait().await, 0);
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn create_subprocess_exec(nursery: &Nursery, program: impl AsRef<OsStr>) -> CreateSubprocessExec<'_> {
    let program = Program::new(program.as_ref(), || Stdio::Inherit);
    CreateSubprocessExec { nursery, program, limit: DEFAULT_LIMIT }
}

/// As [`create_subprocess_exec`], with a command line for `/bin/sh`: `asyncio.create_subprocess_shell`.
///
/// What comes from outside does not belong into a command line: quote it, or use [`create_subprocess_exec`]. Signals go
/// to the shell alone.
///
/// # Cancel safety
///
/// As [`create_subprocess_exec`].
///
/// # Errors
///
/// As [`create_subprocess_exec`]; a program that the shell does not find is the shell's exit code 127.
pub fn create_subprocess_shell(nursery: &Nursery, command: impl AsRef<OsStr>) -> CreateSubprocessShell<'_> {
    let program = Program::shell(command.as_ref(), || Stdio::Inherit);
    CreateSubprocessShell { nursery, program, limit: DEFAULT_LIMIT }
}

/// What [`create_subprocess_exec`] will start; await it.
#[must_use = "no program is started until it is awaited"]
pub struct CreateSubprocessExec<'n> {
    nursery: &'n Nursery,
    program: Program,
    limit: usize,
}

impl CreateSubprocessExec<'_> {
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

    /// The limit of the readers: the longest line in bytes, and half of what is kept unread. 64 KiB unless set.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    program_options!();
}

impl<'n> IntoFuture for CreateSubprocessExec<'n> {
    type Output = Result<Process>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Process>> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(start(self.nursery, self.program, self.limit))
    }
}

/// What [`create_subprocess_shell`] will start; await it.
#[must_use = "no program is started until it is awaited"]
pub struct CreateSubprocessShell<'n> {
    nursery: &'n Nursery,
    program: Program,
    limit: usize,
}

impl CreateSubprocessShell<'_> {
    /// The limit of the readers: the longest line in bytes, and half of what is kept unread. 64 KiB unless set.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    program_options!();
}

impl<'n> IntoFuture for CreateSubprocessShell<'n> {
    type Output = Result<Process>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Process>> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(start(self.nursery, self.program, self.limit))
    }
}

async fn start(nursery: &Nursery, program: Program, limit: usize) -> Result<Process> {
    let (stdout, stderr) = (StreamReader::with_limit(limit)?, StreamReader::with_limit(limit)?);
    let protocol = SubprocessStreamProtocol::new(&stdout, &stderr);
    let (transport, _) = program.start(nursery, || Shared(protocol)).await?;
    Ok(Process::new(transport, stdout, stderr))
}
