//! Where the standard streams of a program lead.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio as StdStdio;

use super::anonymous_pipe::anonymous_pipe;
use crate::asyncio::exceptions::ValueError;
use crate::asyncio::pipes::{ReadPipe, WritePipe};
use crate::error::Result;

/// `asyncio.subprocess.PIPE`: a pipe to a transport.
pub const PIPE: Stdio = Stdio::Pipe;
/// `asyncio.subprocess.STDOUT`, for stderr: where stdout leads.
pub const STDOUT: Stdio = Stdio::Stdout;
/// `asyncio.subprocess.DEVNULL`: nowhere.
pub const DEVNULL: Stdio = Stdio::Devnull;

/// Where a standard stream of a program leads: what asyncio takes as `stdin`, `stdout` and `stderr`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stdio {
    /// A pipe, whose other end is a transport: [`PIPE`].
    Pipe,
    /// `/dev/null`: [`DEVNULL`].
    Devnull,
    /// For stderr: wherever stdout leads: [`STDOUT`].
    Stdout,
    /// Where the stream of this process leads: Python's `None`.
    Inherit,
    /// A descriptor, or a file.
    Fd(OwnedFd),
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Stdio::Fd(fd)
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Stdio::Fd(file.into())
    }
}

/// The three streams as the program gets them, and the ends of pipes that stay here. All of it is open before the
/// program is, so that nothing can fail once it runs.
pub(super) struct Streams {
    pub(super) theirs: [StdStdio; 3],
    pub(super) stdin: Option<WritePipe>,
    pub(super) stdout: Option<ReadPipe>,
    pub(super) stderr: Option<ReadPipe>,
}

impl Streams {
    /// # Errors
    ///
    /// An error of the operating system.
    pub(super) fn open(stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Result<Self> {
        let mut streams = Streams {
            theirs: [StdStdio::null(), StdStdio::null(), StdStdio::null()],
            stdin: None,
            stdout: None,
            stderr: None,
        };
        streams.theirs[0] = match stdin {
            Stdio::Pipe => {
                let (theirs, ours) = anonymous_pipe()?;
                streams.stdin = Some(WritePipe::new(ours)?);
                theirs.into()
            }
            Stdio::Devnull | Stdio::Stdout => StdStdio::null(),
            Stdio::Inherit => StdStdio::inherit(),
            Stdio::Fd(fd) => fd.into(),
        };
        let (output, joined) = match (stdout, &stderr) {
            (Stdio::Pipe, _) => {
                let (ours, theirs) = anonymous_pipe()?;
                streams.stdout = Some(ReadPipe::new(ours)?);
                perhaps_joined(theirs, &stderr)?
            }
            (Stdio::Fd(fd), _) => perhaps_joined(fd, &stderr)?,
            (Stdio::Inherit, Stdio::Stdout) => {
                (StdStdio::inherit(), Some(io::stdout().as_fd().try_clone_to_owned()?.into()))
            }
            (Stdio::Inherit, _) => (StdStdio::inherit(), None),
            (Stdio::Devnull | Stdio::Stdout, _) => (StdStdio::null(), None),
        };
        streams.theirs[1] = output;
        streams.theirs[2] = match stderr {
            Stdio::Pipe => {
                let (ours, theirs) = anonymous_pipe()?;
                streams.stderr = Some(ReadPipe::new(ours)?);
                theirs.into()
            }
            Stdio::Stdout => joined.unwrap_or_else(StdStdio::null),
            Stdio::Devnull => StdStdio::null(),
            Stdio::Inherit => StdStdio::inherit(),
            Stdio::Fd(fd) => fd.into(),
        };
        Ok(streams)
    }
}

/// Standard output, and the same for standard error if it is to lead there.
fn perhaps_joined(fd: OwnedFd, stderr: &Stdio) -> io::Result<(StdStdio, Option<StdStdio>)> {
    let joined = match stderr {
        Stdio::Stdout => Some(fd.try_clone()?.into()),
        _ => None,
    };
    Ok((fd.into(), joined))
}

/// # Errors
///
/// A [`ValueError`] for [`STDOUT`] as anything but stderr.
pub(super) fn check(stdin: &Stdio, stdout: &Stdio) -> Result<()> {
    if matches!(stdin, Stdio::Stdout) || matches!(stdout, Stdio::Stdout) {
        return Err(ValueError::new("STDOUT can only be used for stderr").into());
    }
    Ok(())
}
