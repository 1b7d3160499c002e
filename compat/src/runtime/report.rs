//! Errors that nobody waits for: asyncio's exception handler and its context.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use super::log;
use super::tasks::Payload;
use crate::error::{Error, Result};

/// What [`Loop::set_exception_handler`](crate::Loop::set_exception_handler) stores.
pub(crate) type ExceptionHandler = Rc<dyn Fn(&ExceptionContext) -> Result<()>>;

/// What an exception handler is told: asyncio's `context` dictionary.
///
/// Beside the message and the exception it holds the objects concerned, under asyncio's keys `"transport"`,
/// `"protocol"`, `"task"`, `"future"`, `"handle"` and `"socket"`, as far as they are known.
pub struct ExceptionContext {
    message: Cow<'static, str>,
    exception: Option<Error>,
    entries: Vec<(&'static str, Rc<dyn Entry>)>,
}

impl ExceptionContext {
    /// A context with the two entries that every handler looks at.
    pub fn new(message: impl Into<Cow<'static, str>>, exception: Option<Error>) -> Self {
        ExceptionContext { message: message.into(), exception, entries: Vec::new() }
    }

    /// Adds an object under a key.
    pub fn with<T: fmt::Debug + 'static>(mut self, key: &'static str, value: T) -> Self {
        self.entries.push((key, Rc::new(value)));
        self
    }

    /// What happened, in asyncio's words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The error, if there was one.
    pub fn exception(&self) -> Option<&Error> {
        self.exception.as_ref()
    }

    /// The object under a key, if it is there and has that type.
    pub fn get<T: 'static>(&self, key: &str) -> Option<&T> {
        let (_, entry) = self.entries.iter().find(|(name, _)| *name == key)?;
        entry.as_any().downcast_ref()
    }

    /// What the default exception handler does: one error event with everything in it.
    pub(crate) fn log(&self) {
        log::error(&self.to_string());
    }

    pub(crate) fn log_handler_failure(&self, failure: Failure) {
        log::error_with("Unhandled error in exception handler", &format!("{failure}; it was told: {self}"));
    }
}

impl fmt::Display for ExceptionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(err) = &self.exception {
            write!(f, ": {err:#}")?;
        }
        for (key, entry) in &self.entries {
            write!(f, "; {key}: {entry:?}", entry = entry.as_debug())?;
        }
        Ok(())
    }
}

impl fmt::Debug for ExceptionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExceptionContext({self})")
    }
}

/// How user code failed: by an error or by a panic.
pub(crate) enum Failure {
    Error(Error),
    Panic(Payload),
}

impl Failure {
    /// The failure as an error, a panic as [`Panicked`].
    pub(crate) fn into_error(self) -> Error {
        match self {
            Failure::Error(err) => err,
            Failure::Panic(payload) => Panicked::new(payload).into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error(err) => write!(f, "{err:#}"),
            Failure::Panic(payload) => write!(f, "panicked: {}", panic_message(payload)),
        }
    }
}

/// A panic that was caught and is handed on as an error.
///
/// The payload itself stays out of it: it may not be shared between threads, and its message is what people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked {
    message: String,
}

impl Panicked {
    /// Of what [`catch_unwind`](std::panic::catch_unwind) gives, which is dropped.
    pub fn new(payload: Box<dyn Any + Send>) -> Self {
        Panicked { message: panic_message(&payload).to_owned() }
    }

    /// The message of the panic; `Box<dyn Any>` where it was no string.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message)
    }
}

impl std::error::Error for Panicked {}

fn panic_message(payload: &Payload) -> &str {
    if let Some(message) = payload.downcast_ref::<&'static str>() {
        message
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message
    } else {
        "Box<dyn Any>"
    }
}

/// A value of the context.
trait Entry {
    fn as_any(&self) -> &dyn Any;
    fn as_debug(&self) -> &dyn fmt::Debug;
}

impl<T: fmt::Debug + 'static> Entry for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_debug(&self) -> &dyn fmt::Debug {
        self
    }
}
