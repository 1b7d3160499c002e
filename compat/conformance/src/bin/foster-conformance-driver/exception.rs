//! Errors under the names of Python's exceptions.

use std::io;

use foster_compat::{
    CancelledError, Error, InvalidStateError, NotImplementedError, RuntimeError, SslError, TimeoutError, ValueError,
};

/// An exception that a scenario raises.
#[derive(Clone, Debug)]
pub(crate) struct Exception {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Runtime,
    Value,
    Timeout,
    Os,
    ConnectionReset,
}

impl Exception {
    /// The exception of that name; `None` for a name that no scenario raises.
    pub(crate) fn new(name: &str, message: &str) -> Option<Self> {
        let kind = match name {
            "RuntimeError" => Kind::Runtime,
            "ValueError" => Kind::Value,
            "TimeoutError" => Kind::Timeout,
            "OSError" => Kind::Os,
            "ConnectionResetError" => Kind::ConnectionReset,
            _ => return None,
        };
        Some(Exception { kind, message: message.to_owned() })
    }

    /// The error that a Rust program would return in its place.
    pub(crate) fn to_error(&self) -> Error {
        let message = self.message.clone();
        match self.kind {
            Kind::Runtime => RuntimeError::new(message).into(),
            Kind::Value => ValueError::new(message).into(),
            Kind::Timeout => TimeoutError::new(message).into(),
            Kind::Os => io::Error::other(message).into(),
            Kind::ConnectionReset => io::Error::new(io::ErrorKind::ConnectionReset, message).into(),
        }
    }
}

/// Python's name of an error, or `None` for none.
pub(crate) fn name(err: Option<&Error>) -> &'static str {
    let Some(err) = err else { return "None" };
    if let Some(err) = err.downcast_ref::<io::Error>() {
        return os_error_name(err);
    }
    if let Some(err) = err.downcast_ref::<SslError>() {
        return if err.is_certificate_verification() { "SSLCertVerificationError" } else { "SSLError" };
    }
    let is_a = [
        (err.is::<RuntimeError>(), "RuntimeError"),
        (err.is::<ValueError>(), "ValueError"),
        (err.is::<InvalidStateError>(), "InvalidStateError"),
        (err.is::<NotImplementedError>(), "NotImplementedError"),
        (err.is::<CancelledError>(), "CancelledError"),
        (err.is::<TimeoutError>(), "TimeoutError"),
    ];
    is_a.iter().find(|(is_it, _)| *is_it).map_or("Exception", |(_, name)| name)
}

/// `raised EXC: MESSAGE`, as `try` prints it.
pub(crate) fn raised(err: &Error) -> String {
    let (name, message) = (name(Some(err)), err.to_string());
    // Python's has no message.
    if message.is_empty() || err.is::<CancelledError>() {
        format!("raised {name}")
    } else {
        format!("raised {name}: {message}")
    }
}

/// Whether Python's traces show the message of the error that `connection_lost` gets.
pub(crate) fn shows_message(err: &Error) -> bool {
    err.is::<RuntimeError>() || err.is::<ValueError>()
}

fn os_error_name(err: &io::Error) -> &'static str {
    const ESRCH: i32 = 3;
    match err.kind() {
        io::ErrorKind::ConnectionReset => "ConnectionResetError",
        io::ErrorKind::ConnectionAborted => "ConnectionAbortedError",
        io::ErrorKind::ConnectionRefused => "ConnectionRefusedError",
        io::ErrorKind::BrokenPipe => "BrokenPipeError",
        io::ErrorKind::NotFound => "FileNotFoundError",
        io::ErrorKind::TimedOut => "TimeoutError",
        _ if err.raw_os_error() == Some(ESRCH) => "ProcessLookupError",
        _ => "OSError",
    }
}
