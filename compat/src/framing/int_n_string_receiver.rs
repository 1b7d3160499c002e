//! [`IntNStringReceiver`]: strings behind their lengths.

use std::cell::Cell;
use std::fmt;

use bytes::{Buf, BytesMut};

use super::base::Base;
use super::callbacks::{connection_callbacks, forward_connection_callbacks};
use super::receiver_protocol::ReceiverProtocol;
use super::receives::{Receives, State, Step};
use super::struct_format::StructFormat;
use crate::error::{Error, Result};

/// The longest string that is taken unless another is set: Twisted's `MAX_LENGTH` of strings.
pub(super) const MAX_LENGTH: usize = 99_999;

/// Receives strings, each behind its length: Twisted's `IntNStringReceiver`, and the base class of its relatives
/// [`Int8StringReceiver`](super::Int8StringReceiver), [`Int16StringReceiver`](super::Int16StringReceiver) and
/// [`Int32StringReceiver`](super::Int32StringReceiver). Drive it with an [`IntNStringProtocol`].
///
/// Differs from Twisted: a string that is too long is skipped where `length_limit_exceeded` leaves the connection open;
/// there the same length is looked at again with all that comes.
///
/// # Examples
///
/// ```
/// use foster_compat::framing::{IntNStringProtocol, IntNStringReceiver, StringBase, StructFormat};
/// use foster_compat::{Protocol, Result};
///
/// #[derive(Default)]
/// struct Strings(Vec<String>);
///
/// impl IntNStringReceiver for Strings {
///     const STRUCT_FORMAT: StructFormat = StructFormat::new("<L");
///
///     fn string_received(&mut self, _base: &StringBase, string: &[u8]) -> Result<()> {
///         self.0.push(String::from_utf8(string.to_vec())?);
///         Ok(())
///     }
/// }
///
/// let mut protocol = IntNStringProtocol::<Strings>::default();
/// protocol.data_received(b"\x05\0\0\0first\x06\0\0")?;
/// protocol.data_received(b"\0second")?;
/// assert_eq!(protocol.with(|strings| strings.0.clone()), ["first", "second"]);
/// # foster_compat::Ok(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` receives no strings",
    label = "an `IntNStringProtocol` drives an `IntNStringReceiver`",
    note = "implement `IntNStringReceiver` for it: `STRUCT_FORMAT` and `string_received` are all that has to be there"
)]
pub trait IntNStringReceiver: 'static {
    /// How the length is written: Twisted's `structFormat`.
    const STRUCT_FORMAT: StructFormat;

    /// The longest string that is taken, without its prefix: Twisted's `MAX_LENGTH`.
    const MAX_LENGTH: usize = MAX_LENGTH;

    /// A whole string has come, here without its prefix: Twisted's `stringReceived`.
    fn string_received(&mut self, base: &StringBase, string: &[u8]) -> Result<()>;

    /// A string of `length` bytes is announced, more than `MAX_LENGTH`: Twisted's `lengthLimitExceeded`. Unless
    /// overridden the transport is closed.
    ///
    /// If this leaves it open the string is skipped, and the next one received.
    fn length_limit_exceeded(&mut self, base: &StringBase, length: u64) -> Result<()> {
        let _ = length;
        base.transport.close();
        Ok(())
    }

    connection_callbacks!(StringBase);
}

/// The protocol that drives an [`IntNStringReceiver`].
pub type IntNStringProtocol<R> = ReceiverProtocol<IntNString, R>;

/// The framing of an [`IntNStringReceiver`].
#[derive(Clone, Copy, Debug)]
pub enum IntNString {}

/// What an [`IntNStringReceiver`] and its relatives inherit.
pub type StringBase = Base<Prefixed>;

/// What they remember.
pub struct Prefixed {
    format: StructFormat,
    max_length: Cell<usize>,
    /// The rest of a string that was too long.
    n_to_skip: Cell<u64>,
}

impl StringBase {
    /// Sends a string behind its length: Twisted's `sendString`.
    ///
    /// # Errors
    ///
    /// A [`StringTooLongError`] if the prefix cannot hold the length, else as
    /// [`writelines`](crate::WriteTransport::writelines).
    pub fn send_string(&self, string: &[u8]) -> Result<()> {
        let format = self.core.state.format;
        let length = u64::try_from(string.len()).unwrap_or(u64::MAX);
        if length > format.max() {
            return Err(StringTooLongError { length, max: format.max() }.into());
        }
        self.transport.writelines(&[format.pack(length, &mut [0; 8]), string])
    }

    /// Sets the longest string that is taken from now on, as an assignment to `self.MAX_LENGTH` does in Twisted.
    pub fn set_max_length(&self, max_length: usize) {
        self.core.state.max_length.set(max_length);
    }
}

/// A string is longer than its prefix can say: Twisted's `StringTooLongError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringTooLongError {
    length: u64,
    max: u64,
}

impl StringTooLongError {
    /// How long the string is.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How long a string may be.
    pub fn max(&self) -> u64 {
        self.max
    }
}

impl fmt::Display for StringTooLongError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StringTooLongError { length, max } = self;
        write!(f, "a string of {length} bytes is too long: its prefix holds at most {max}, send it in parts")
    }
}

impl std::error::Error for StringTooLongError {}

impl Prefixed {
    pub(super) fn new(format: StructFormat, max_length: usize) -> Self {
        Prefixed { format, max_length: Cell::new(max_length), n_to_skip: Cell::new(0) }
    }

    /// Takes the next string out of the buffer.
    pub(super) fn next(&self, buffer: &mut BytesMut) -> Next {
        let n_to_skip = self.n_to_skip.get();
        if n_to_skip > 0 && !buffer.is_empty() {
            let n_here = usize::try_from(n_to_skip).unwrap_or(usize::MAX).min(buffer.len());
            buffer.advance(n_here);
            self.n_to_skip.set(n_to_skip - n_here as u64);
            return Next::Skipped;
        }
        let Some(length) = self.format.unpack(buffer) else { return Next::Starved };
        let prefix_length = self.format.prefix_length();
        match usize::try_from(length) {
            Ok(n) if n <= self.max_length.get() => {
                if buffer.len() - prefix_length < n {
                    return Next::Starved;
                }
                buffer.advance(prefix_length);
                Next::String(buffer.split_to(n))
            }
            _ => {
                buffer.advance(prefix_length);
                self.n_to_skip.set(length);
                Next::TooLong(length)
            }
        }
    }
}

/// What the buffer begins with.
pub(super) enum Next {
    String(BytesMut),
    TooLong(u64),
    Skipped,
    Starved,
}

impl State for Prefixed {
    fn reset(&self) {
        self.n_to_skip.set(0);
    }
}

impl<R: IntNStringReceiver> Receives<IntNString> for R {
    type State = Prefixed;

    fn state(&self) -> Prefixed {
        Prefixed::new(R::STRUCT_FORMAT, R::MAX_LENGTH)
    }

    fn step(&mut self, base: &StringBase) -> Result<Step> {
        step(base, self, R::string_received, R::length_limit_exceeded)
    }

    forward_connection_callbacks!(IntNStringReceiver, StringBase);
}

/// A step of any receiver of strings.
pub(super) fn step<R>(
    base: &StringBase,
    receiver: &mut R,
    string_received: fn(&mut R, &StringBase, &[u8]) -> Result<()>,
    length_limit_exceeded: fn(&mut R, &StringBase, u64) -> Result<()>,
) -> Result<Step> {
    let next = base.core.state.next(&mut base.core.buffer.borrow_mut());
    match next {
        Next::String(string) => string_received(receiver, base, &string)?,
        Next::TooLong(length) => length_limit_exceeded(receiver, base, length)?,
        Next::Skipped => {}
        Next::Starved => return Ok(Step::Starved),
    }
    Ok(Step::Done)
}
