//! Errors under the names of Python's exceptions.

use std::io;

use foster_compat::{
    CancelledError, Error, IncompleteReadError, InvalidStateError, LimitOverrunError, NotImplementedError,
    RuntimeError, SslError, TimeoutError, TypeError, ValueError,
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
        (err.is::<TypeError>(), "TypeError"),
        (err.is::<InvalidStateError>(), "InvalidStateError"),
        (err.is::<NotImplementedError>(), "NotImplementedError"),
        (err.is::<CancelledError>(), "CancelledError"),
        (err.is::<TimeoutError>(), "TimeoutError"),
        (err.is::<IncompleteReadError>(), "IncompleteReadError"),
        (err.is::<LimitOverrunError>(), "LimitOverrunError"),
    ];
    is_a.iter().find(|(is_it, _)| *is_it).map_or("Exception", |(_, name)| name)
}

/// `raised EXC: MESSAGE`, as `try` prints it.
pub(crate) fn raised(err: &Error) -> String {
    let (name, message) = (name(Some(err)), without_ports(&err.to_string()));
    // Python's has no message.
    if message.is_empty() || err.is::<CancelledError>() {
        format!("raised {name}")
    } else {
        format!("raised {name}: {message}")
    }
}

/// The message with `PORT` behind the two hosts of the scenarios, because no two runs have the same ports.
fn without_ports(message: &str) -> String {
    let mut shown = message.to_owned();
    for host in ["'127.0.0.1', ", "'::1', "] {
        let mut parts = shown.split(host);
        let first = parts.next().unwrap_or_default().to_owned();
        let replace = |part: &str| {
            let rest = part.trim_start_matches(|char: char| char.is_ascii_digit());
            let port = if rest.len() < part.len() { "PORT" } else { "" };
            format!("{host}{port}{rest}")
        };
        shown = parts.map(replace).fold(first, |text, part| text + &part);
    }
    shown
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_behind_the_two_hosts_are_left_out() {
        for (message, shown) in [
            ("must be None or ('127.0.0.1', 4711)", "must be None or ('127.0.0.1', PORT)"),
            ("('::1', 1, 0, 0) and ('::1', 2, 0, 0)", "('::1', PORT, 0, 0) and ('::1', PORT, 0, 0)"),
            ("('10.0.0.1', 80), '127.0.0.1', x", "('10.0.0.1', 80), '127.0.0.1', x"),
        ] {
            assert_eq!(without_ports(message), shown);
        }
    }
}
