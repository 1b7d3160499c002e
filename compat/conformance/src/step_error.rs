//! Why a step of the peer fails, in the words of a trace.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a step could not be played.
#[derive(Debug)]
pub(crate) enum StepError {
    /// The operating system refused; part of the trace, and the next step follows.
    Io(io::Error),
    /// TLS failed, for this reason; part of the trace too.
    Tls(&'static str),
    /// The scenario makes no sense here; the peer ends.
    Impossible(String),
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepError::Io(err) => err.fmt(f),
            StepError::Tls(reason) => f.write_str(reason),
            StepError::Impossible(problem) => f.write_str(problem),
        }
    }
}

impl Error for StepError {}

impl From<io::Error> for StepError {
    fn from(err: io::Error) -> Self {
        StepError::Io(err)
    }
}

impl From<String> for StepError {
    fn from(problem: String) -> Self {
        StepError::Impossible(problem)
    }
}

impl From<&str> for StepError {
    fn from(problem: &str) -> Self {
        StepError::Impossible(problem.to_owned())
    }
}

impl StepError {
    /// How a step's failure is logged; the error itself if it ends the peer.
    pub(crate) fn into_words(self) -> Result<String, StepError> {
        match self {
            StepError::Io(err) if is_timeout(&err) => Ok("timeout".to_owned()),
            StepError::Io(err) => Ok(python_name(&err).to_owned()),
            StepError::Tls(reason) => Ok(format!("SSLError {reason}")),
            StepError::Impossible(_) => Err(self),
        }
    }
}

/// Whether a socket's timeout ended the call; a blocking socket reports it as "would block".
pub(crate) fn is_timeout(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The name that Python gives the error, because the expected lines are Python's.
pub(crate) fn python_name(err: &io::Error) -> &'static str {
    match err.kind() {
        io::ErrorKind::ConnectionRefused => "ConnectionRefusedError",
        io::ErrorKind::ConnectionReset => "ConnectionResetError",
        io::ErrorKind::ConnectionAborted => "ConnectionAbortedError",
        io::ErrorKind::BrokenPipe => "BrokenPipeError",
        io::ErrorKind::NotFound => "FileNotFoundError",
        io::ErrorKind::PermissionDenied => "PermissionError",
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "TimeoutError",
        _ => "OSError",
    }
}
