//! [`Process`]: a program that tasks talk to through streams.

use std::fmt;
use std::io::ErrorKind;

use futures::future::join3;

use super::transport_ref::SubprocessTransportRef;
use crate::asyncio::exceptions::ValueError;
use crate::asyncio::streams::{StreamReader, StreamWriter};
use crate::error::{Error, Result};

/// What [`communicate`](Process::communicate) writes between two waits for room: the high-water mark of a transport, so
/// that a large input is not copied whole.
const CHUNK: usize = 64 * 1024;

/// A program that tasks talk to through streams: `asyncio.subprocess.Process`. Made by
/// [`create_subprocess_exec`](crate::create_subprocess_exec) and
/// [`create_subprocess_shell`](crate::create_subprocess_shell).
///
/// The process belongs to the nursery it was started in, which waits for it. Dropping this closes the pipes whose
/// writer or reader has no other clone, an output when something comes from it. A process whose output is a pipe that
/// somebody could read and nobody reads stops in the middle of it, once some 256 KiB are unread:
/// [`wait`](Process::wait) then waits for ever, as in asyncio, and [`communicate`](Process::communicate) does not.
pub struct Process {
    transport: SubprocessTransportRef,
    stdin: Option<StreamWriter>,
    stdout: Option<StreamReader>,
    stderr: Option<StreamReader>,
}

impl Process {
    pub(super) fn new(transport: SubprocessTransportRef, stdout: StreamReader, stderr: StreamReader) -> Self {
        let stdin = transport.get_pipe_transport(0).map(|pipe| StreamWriter::new(pipe, None));
        let stdout = transport.get_pipe_transport(1).map(|_| stdout);
        let stderr = transport.get_pipe_transport(2).map(|_| stderr);
        Process { transport, stdin, stdout, stderr }
    }

    /// Writes to standard input; `None` unless that is a pipe.
    pub fn stdin(&self) -> Option<&StreamWriter> {
        self.stdin.as_ref()
    }

    /// Reads standard output; `None` unless that is a pipe.
    pub fn stdout(&self) -> Option<&StreamReader> {
        self.stdout.as_ref()
    }

    /// Reads standard error; `None` unless that is a pipe of its own.
    pub fn stderr(&self) -> Option<&StreamReader> {
        self.stderr.as_ref()
    }

    /// The process id. It is the process's until it has exited; later it may be another's.
    pub fn pid(&self) -> u32 {
        self.transport.get_pid()
    }

    /// How the process has ended: its exit code, or minus the number of the signal that killed it. `None` while it
    /// runs.
    pub fn returncode(&self) -> Option<i32> {
        self.transport.get_returncode()
    }

    /// The transport below, which in asyncio is private.
    pub fn transport(&self) -> &SubprocessTransportRef {
        &self.transport
    }

    /// Waits until the process has exited, and gives its return code: `process.wait`. A grandchild that holds a pipe
    /// open does not delay it, as in Python 3.13.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub async fn wait(&self) -> i32 {
        self.transport.exited().await
    }

    /// Writes `input` to standard input and closes it, reads standard output and error to their ends, all three at the
    /// same time, and waits for the process: `process.communicate`. Gives the outputs that are pipes.
    ///
    /// A process that closes its input early, or exits, gets no more of it, which is no error. Nothing bounds the
    /// outputs but the process: where it is not trusted, read [`stdout`](Process::stdout) in pieces, or cancel this after
    /// a time. It ends with the pipes: a grandchild that holds one open delays it.
    ///
    /// As in Python 3.12, standard input is closed also without an input.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves the process as it is, and what was read in the readers; some of the input may be written.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] for an input if standard input is no pipe; an error of reading; a
    /// [`RuntimeError`](crate::RuntimeError) if another task reads an output.
    ///
    /// # Examples
    ///
    /// ```
    /// use foster_compat::{PIPE, create_subprocess_exec, open_nursery, run};
    ///
    /// run(async {
    ///     open_nursery(async |nursery| {
    ///         let process = create_subprocess_exec(&nursery, "tr").args(["a-z", "A-Z"]).stdin(PIPE).stdout(PIPE).await?;
    ///         let (stdout, stderr) = process.communicate(Some(b"hello")).await?;
    ///         assert_eq!(stdout.as_deref(), Some(&b"HELLO"[..]));
    ///         assert_eq!(stderr, None);
    ///         assert_eq!(process.returncode(), Some(0));
    ///         Ok(())
    ///     })
    ///     .await
    /// })?;
    /// # foster_compat::Ok(())
    /// ```
    pub async fn communicate(&self, input: Option<&[u8]>) -> Result<(Option<Vec<u8>>, Option<Vec<u8>>)> {
        if input.is_some() && self.stdin.is_none() {
            return Err(ValueError::new("an input was given, but stdin is no pipe").into());
        }
        let feeding = async {
            match &self.stdin {
                Some(stdin) => feed(stdin, input.unwrap_or_default()).await,
                None => Ok(()),
            }
        };
        let stdout = self.read_to_end(1, self.stdout.as_ref());
        let stderr = self.read_to_end(2, self.stderr.as_ref());
        let (fed, stdout, stderr) = join3(feeding, stdout, stderr).await;
        fed?;
        let outputs = (stdout?, stderr?);
        self.wait().await;
        Ok(outputs)
    }

    async fn read_to_end(&self, fd: i32, reader: Option<&StreamReader>) -> Result<Option<Vec<u8>>> {
        let Some(reader) = reader else { return Ok(None) };
        let output = reader.read_to_end().await?;
        if let Some(pipe) = self.transport.get_pipe_transport(fd) {
            pipe.close();
        }
        Ok(Some(output))
    }

    /// Sends a signal: see [`send_signal`](crate::SubprocessTransport::send_signal).
    ///
    /// # Errors
    ///
    /// `ESRCH`, which is Python's `ProcessLookupError`, once the process has exited and its pipes are closed.
    pub fn send_signal(&self, signal: i32) -> Result<()> {
        self.transport.send_signal(signal)
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Process::send_signal).
    pub fn terminate(&self) -> Result<()> {
        self.transport.terminate()
    }

    /// Sends SIGKILL.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Process::send_signal).
    pub fn kill(&self) -> Result<()> {
        self.transport.kill()
    }
}

/// Writes all of the input, as far as the process takes it, and closes the writer.
async fn feed(stdin: &StreamWriter, input: &[u8]) -> Result<()> {
    for chunk in input.chunks(CHUNK) {
        stdin.write(chunk)?;
        match stdin.drain().await {
            Ok(()) => {}
            Err(err) if is_of_a_closed_pipe(&err) => break,
            Err(err) => return Err(err),
        }
    }
    stdin.close();
    Ok(())
}

fn is_of_a_closed_pipe(err: &Error) -> bool {
    let kind = err.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    matches!(kind, Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset))
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({:?})", self.transport)
    }
}
