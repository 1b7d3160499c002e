//! Python's exceptions that asyncio raises, as errors.

use std::fmt;
use std::io;

use crate::error::Error;

macro_rules! exception {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            message: String,
        }

        impl $name {
            /// The exception with its message.
            pub fn new(message: impl Into<String>) -> Self {
                $name { message: message.into() }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.message)
            }
        }

        impl std::error::Error for $name {}
    };
}

exception! {
    /// Something was called at the wrong time: Python's `RuntimeError`.
    RuntimeError
}

exception! {
    /// An argument has a value that makes no sense: Python's `ValueError`.
    ValueError
}

exception! {
    /// An argument is of a kind that this cannot work on: Python's `TypeError`.
    TypeError
}

exception! {
    /// This transport or platform cannot do that: Python's `NotImplementedError`.
    NotImplementedError
}

exception! {
    /// The system sends no file over this transport, or not this one: `asyncio.SendfileNotAvailableError`.
    SendfileNotAvailableError
}

exception! {
    /// A future or task is not in the state that this asks for: `asyncio.InvalidStateError`.
    InvalidStateError
}

exception! {
    /// Something took too long: `asyncio.TimeoutError`. Python counts it among the operating system's errors; here
    /// one that a transport gives to `connection_lost` is not reported to the exception handler either.
    TimeoutError
}

/// The awaited future or task was cancelled: `asyncio.CancelledError`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CancelledError;

impl fmt::Display for CancelledError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task or future was cancelled")
    }
}

impl std::error::Error for CancelledError {}

/// What Python counts among the operating system's errors is not reported, only handed to `connection_lost`.
pub(crate) fn is_expected(err: &Error) -> bool {
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    if err.is::<super::tls::SslError>() {
        return true;
    }
    err.is_os_error() || err.is::<TimeoutError>()
}

/// `ConnectionResetError('Connection lost')`.
pub(crate) fn connection_lost() -> Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "Connection lost").into()
}

/// What a write is answered with while a file is being sent.
pub(crate) fn sendfile_is_in_progress() -> Error {
    RuntimeError::new("unable to write; sendfile is in progress").into()
}
