//! [`Error`], the one concrete error type, and [`Result`].

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::process::ExitCode;
use std::sync::Arc;

use crate::interrupted::Interrupted;

/// What callbacks, children and [`run`](crate::run) return.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// `Ok` with the error type fixed to [`Error`], for a block whose error type nothing else names: `foster::Ok(())`.
#[expect(non_snake_case, reason = "reads as the variant it stands for")]
pub fn Ok<T>(value: T) -> Result<T> {
    Result::Ok(value)
}

/// Any error, cheap to clone: what an exception is in Python.
///
/// Every `std::error::Error + Send + Sync` converts with `?`; a plain message becomes one with [`Error::msg`].
/// Like a Python exception it may be stored in several places (a future's waiters, the argument of
/// `connection_lost`, a [`NurseryError`](crate::NurseryError)), so it is reference counted, and
/// [`downcast`](Error::downcast) gives an `Arc`.
///
/// `{}` prints the message, `{:#}` the message and its causes on one line, `{:?}` one cause a line.
#[derive(Clone)]
pub struct Error(Arc<dyn Object>);

impl Error {
    /// Wraps any error.
    pub fn new<E>(err: E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        Error(Arc::new(err))
    }

    /// An error that is only a message, as `raise Exception("message")`.
    pub fn msg(message: impl Into<String>) -> Self {
        Error::new(Message(message.into()))
    }

    /// Wraps a boxed error, for which `?` cannot convert; one that was an `Error` is that again.
    pub fn from_boxed(err: Box<dyn std::error::Error + Send + Sync>) -> Self {
        match err.downcast::<Unboxed>() {
            Result::Ok(err) => err.0,
            Err(err) => Error::new(Boxed(err)),
        }
    }

    /// The error as `E`, if that is its type: `isinstance(exc, E)`.
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.as_any().downcast_ref()
    }

    /// The error as `E`, or the error unchanged if it has another type.
    ///
    /// # Errors
    ///
    /// Gives `self` back when it is not an `E`.
    pub fn downcast<E: std::error::Error + Send + Sync + 'static>(self) -> Result<Arc<E>, Self> {
        if self.is::<E>() {
            Result::Ok(self.0.into_any().downcast().expect("the type was checked in the line above"))
        } else {
            Err(self)
        }
    }

    /// Whether the error is an `E`.
    pub fn is<E: std::error::Error + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// Whether Python would call this an `OSError`: asyncio does not report those to the exception handler.
    pub fn is_os_error(&self) -> bool {
        self.is::<std::io::Error>()
    }

    /// Whether both are the same error object, as Python's `is`.
    pub fn ptr_eq(&self, other: &Error) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(&other.0))
    }

    /// The error and its causes, outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
        std::iter::successors(Some(self.0.as_std()), |err| err.source())
    }

    /// Whether a signal ended [`run`](crate::run) before its future completed.
    pub fn is_interrupt(&self) -> bool {
        self.is::<Interrupted>()
    }

    /// The number of the signal that ended [`run`](crate::run), if one did.
    pub fn signal(&self) -> Option<i32> {
        self.downcast_ref::<Interrupted>().map(Interrupted::signal)
    }

    /// What a program that ends with this error exits with: 128 plus the signal after an interrupt, else 1.
    pub fn exit_code(&self) -> ExitCode {
        match self.signal() {
            Some(signal) => ExitCode::from(128 + u8::try_from(signal & 0x7f).unwrap_or(0)),
            None => ExitCode::FAILURE,
        }
    }
}

impl<E> From<E> for Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    fn from(err: E) -> Self {
        Error::new(err)
    }
}

impl Deref for Error {
    type Target = dyn std::error::Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        self.0.as_shared()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_std())?;
        if f.alternate() {
            for cause in self.chain().skip(1) {
                write!(f, ": {cause}")?;
            }
        }
        Result::Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(interrupted) = self.downcast_ref::<Interrupted>() {
            interrupted.exit_if_main_returned(f)?;
        }
        if f.alternate() {
            return fmt::Debug::fmt(self.0.as_std(), f);
        }
        write!(f, "{}", self.0.as_std())?;
        for cause in self.chain().skip(1) {
            write!(f, "\n    caused by: {cause}")?;
        }
        Result::Ok(())
    }
}

/// An error that is only a message.
#[derive(Debug)]
struct Message(String);

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Message {}

/// A boxed error given a type of its own.
#[derive(Debug)]
struct Boxed(Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Boxed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// For those who ask for boxed errors. [`Error::from_boxed`] gives it back.
///
/// ```
/// use foster_compat::Error;
///
/// let err = Error::from(std::io::Error::other("no space"));
/// let boxed: Box<dyn std::error::Error + Send + Sync> = err.clone().into();
/// assert_eq!(boxed.to_string(), "no space");
/// assert!(Error::from_boxed(boxed).ptr_eq(&err));
/// ```
impl From<Error> for Box<dyn std::error::Error + Send + Sync> {
    fn from(err: Error) -> Self {
        Box::new(Unboxed(err))
    }
}

/// An error of this kind in a box.
struct Unboxed(Error);

impl fmt::Debug for Unboxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Unboxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unboxed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// The conversions between the views of one error object.
trait Object: Send + Sync {
    fn as_std(&self) -> &(dyn std::error::Error + 'static);
    fn as_shared(&self) -> &(dyn std::error::Error + Send + Sync + 'static);
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<E: std::error::Error + Send + Sync + 'static> Object for E {
    fn as_std(&self) -> &(dyn std::error::Error + 'static) {
        self
    }

    fn as_shared(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
