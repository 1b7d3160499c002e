//! [`NetstringReceiver`]: `5:hello,`.

use std::cell::Cell;

use bytes::{Buf, BytesMut};

use super::base::Base;
use super::callbacks::{connection_callbacks, forward_connection_callbacks};
use super::int_n_string_receiver::MAX_LENGTH;
use super::receiver_protocol::ReceiverProtocol;
use super::receives::{Receives, State, Step};
use crate::error::{Error, Result};

/// Receives [netstrings](https://cr.yp.to/proto/netstrings.txt), `5:hello,`: Twisted's `NetstringReceiver`. Drive it with
/// a [`NetstringProtocol`].
///
/// What is no netstring closes the transport, and nothing behind it is looked at: a length that is missing, has leading
/// zeros or is more than `MAX_LENGTH`, and a string without a comma behind it. A length is refused with its first byte
/// that cannot be right.
///
/// # Examples
///
/// ```
/// use foster_compat::framing::{NetstringBase, NetstringProtocol, NetstringReceiver};
/// use foster_compat::{Protocol, Result};
///
/// #[derive(Default)]
/// struct Strings(Vec<String>);
///
/// impl NetstringReceiver for Strings {
///     fn string_received(&mut self, _base: &NetstringBase, string: &[u8]) -> Result<()> {
///         self.0.push(String::from_utf8(string.to_vec())?);
///         Ok(())
///     }
/// }
///
/// let mut protocol = NetstringProtocol::<Strings>::default();
/// protocol.data_received(b"5:hello,0:,05:wrong,")?;
/// assert_eq!(protocol.with(|strings| strings.0.clone()), ["hello", ""]);
/// assert!(protocol.base().broken_peer());
/// # foster_compat::Ok(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` receives no netstrings",
    label = "a `NetstringProtocol` drives a `NetstringReceiver`",
    note = "implement `NetstringReceiver` for it: `string_received` is all that has to be there"
)]
pub trait NetstringReceiver: 'static {
    /// The longest string that is taken: Twisted's `MAX_LENGTH`.
    const MAX_LENGTH: usize = MAX_LENGTH;

    /// A whole string has come, here without its length and its comma: Twisted's `stringReceived`.
    fn string_received(&mut self, base: &NetstringBase, string: &[u8]) -> Result<()>;

    connection_callbacks!(NetstringBase);
}

/// The protocol that drives a [`NetstringReceiver`].
pub type NetstringProtocol<R> = ReceiverProtocol<Netstring, R>;

/// What a [`NetstringReceiver`] inherits.
pub type NetstringBase = Base<Netstring>;

/// The framing of a [`NetstringReceiver`].
pub struct Netstring {
    max_length: Cell<usize>,
    is_broken: Cell<bool>,
}

impl NetstringBase {
    /// Sends a string as a netstring: Twisted's `sendString`. Its length has no limit, as there.
    ///
    /// # Errors
    ///
    /// As [`writelines`](crate::WriteTransport::writelines).
    pub fn send_string(&self, string: &[u8]) -> Result<()> {
        self.transport.writelines(&[format!("{}:", string.len()).as_bytes(), string, b","])
    }

    /// Whether the peer has sent what is no netstring, so that the transport was closed: Twisted's `brokenPeer`.
    pub fn broken_peer(&self) -> bool {
        self.core.state.is_broken.get()
    }

    /// Sets the longest string that is taken from now on, as an assignment to `self.MAX_LENGTH` does in Twisted.
    pub fn set_max_length(&self, max_length: usize) {
        self.core.state.max_length.set(max_length);
    }
}

/// What the buffer begins with.
enum Next {
    String(BytesMut),
    Starved,
    Broken,
}

impl Netstring {
    /// Takes the next string out of the buffer.
    fn next(&self, buffer: &mut BytesMut) -> Next {
        let (length, payload_offset) = match length(buffer, self.max_length.get()) {
            Length::Whole(length, payload_offset) => (length, payload_offset),
            Length::Starved => return Next::Starved,
            Length::Broken => return Next::Broken,
        };
        match buffer[payload_offset..].get(length) {
            Some(b',') => {
                buffer.advance(payload_offset);
                let string = buffer.split_to(length);
                buffer.advance(1);
                Next::String(string)
            }
            Some(_) => Next::Broken,
            None => Next::Starved,
        }
    }
}

enum Length {
    /// The length, and where the string begins.
    Whole(usize, usize),
    Starved,
    Broken,
}

/// The length at the beginning of `data`. It looks at no more digits than `max_length` has, and one.
fn length(data: &[u8], max_length: usize) -> Length {
    let mut length = 0_usize;
    for (n_digits, byte) in data.iter().enumerate() {
        match byte {
            b':' if n_digits > 0 => return Length::Whole(length, n_digits + 1),
            b'0'..=b'9' if n_digits == 0 || length > 0 => {
                let longer = length.checked_mul(10).and_then(|tens| tens.checked_add(usize::from(byte - b'0')));
                match longer {
                    Some(longer) if longer <= max_length => length = longer,
                    _ => return Length::Broken,
                }
            }
            _ => return Length::Broken,
        }
    }
    Length::Starved
}

impl State for Netstring {
    fn reset(&self) {}
}

impl<R: NetstringReceiver> Receives<Netstring> for R {
    type State = Netstring;

    fn state(&self) -> Netstring {
        Netstring { max_length: Cell::new(R::MAX_LENGTH), is_broken: Cell::new(false) }
    }

    fn step(&mut self, base: &NetstringBase) -> Result<Step> {
        let state = &base.core.state;
        let next = if state.is_broken.get() { Next::Broken } else { state.next(&mut base.core.buffer.borrow_mut()) };
        match next {
            Next::String(string) => {
                self.string_received(base, &string)?;
                Ok(Step::Done)
            }
            Next::Starved => Ok(Step::Starved),
            Next::Broken => {
                state.is_broken.set(true);
                base.clear();
                base.transport.close();
                Ok(Step::Starved)
            }
        }
    }

    forward_connection_callbacks!(NetstringReceiver, NetstringBase);
}
