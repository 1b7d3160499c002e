//! [`LineOnlyReceiver`]: nothing but lines.

use std::borrow::Cow;

use super::base::Base;
use super::callbacks::{connection_callbacks, forward_connection_callbacks};
use super::delimited::{DELIMITER, Delimited, MAX_LENGTH, Next};
use super::receiver_protocol::ReceiverProtocol;
use super::receives::{Receives, State, Step};
use crate::error::{Error, Result};

/// Receives lines and has no raw mode: Twisted's `LineOnlyReceiver`. Drive it with a [`LineOnlyProtocol`].
///
/// Differs from Twisted: it is no faster than a [`LineReceiver`](super::LineReceiver), and as there, `line_length_exceeded`
/// gets everything from the beginning of the line on, and pausing works.
///
/// # Examples
///
/// ```
/// use foster_compat::framing::{LineOnlyBase, LineOnlyProtocol, LineOnlyReceiver};
/// use foster_compat::{Protocol, Result};
///
/// #[derive(Default)]
/// struct Words(Vec<String>);
///
/// impl LineOnlyReceiver for Words {
///     const DELIMITER: &'static [u8] = b"\n";
///
///     fn line_received(&mut self, _base: &LineOnlyBase, line: &[u8]) -> Result<()> {
///         self.0.push(String::from_utf8_lossy(line).into_owned());
///         Ok(())
///     }
/// }
///
/// let mut protocol = LineOnlyProtocol::<Words>::default();
/// protocol.data_received(b"one\ntw")?;
/// protocol.data_received(b"o\nthree")?;
/// assert_eq!(protocol.with(|words| words.0.clone()), ["one", "two"]);
/// # foster_compat::Ok(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` receives no lines",
    label = "a `LineOnlyProtocol` drives a `LineOnlyReceiver`",
    note = "implement `LineOnlyReceiver` for it: `line_received` is all that has to be there"
)]
pub trait LineOnlyReceiver: 'static {
    /// What ends a line: Twisted's `delimiter`. An empty one is never found.
    const DELIMITER: &'static [u8] = DELIMITER;

    /// The longest line that is taken, without its delimiter: Twisted's `MAX_LENGTH`.
    const MAX_LENGTH: usize = MAX_LENGTH;

    /// A whole line has come, here without its delimiter: Twisted's `lineReceived`.
    fn line_received(&mut self, base: &LineOnlyBase, line: &[u8]) -> Result<()>;

    /// As [`LineReceiver::line_length_exceeded`](super::LineReceiver::line_length_exceeded).
    fn line_length_exceeded(&mut self, base: &LineOnlyBase, line: &[u8]) -> Result<()> {
        let _ = line;
        base.transport.close();
        Ok(())
    }

    connection_callbacks!(LineOnlyBase);
}

/// The protocol that drives a [`LineOnlyReceiver`].
pub type LineOnlyProtocol<R> = ReceiverProtocol<LineOnly, R>;

/// What a [`LineOnlyReceiver`] inherits.
pub type LineOnlyBase = Base<LineOnly>;

/// The framing of a [`LineOnlyReceiver`].
pub struct LineOnly {
    lines: Delimited,
}

impl LineOnlyBase {
    /// Sends a line and its delimiter: Twisted's `sendLine`.
    ///
    /// # Errors
    ///
    /// As [`writelines`](crate::WriteTransport::writelines).
    pub fn send_line(&self, line: &[u8]) -> Result<()> {
        self.core.state.lines.send_line(self, line)
    }

    /// Sets what ends a line from now on, as an assignment to `self.delimiter` does in Twisted.
    pub fn set_delimiter(&self, delimiter: impl Into<Cow<'static, [u8]>>) {
        self.core.state.lines.set_delimiter(delimiter.into());
    }

    /// Sets the longest line that is taken from now on, as an assignment to `self.MAX_LENGTH` does in Twisted.
    pub fn set_max_length(&self, max_length: usize) {
        self.core.state.lines.set_max_length(max_length);
    }
}

impl State for LineOnly {
    fn reset(&self) {
        self.lines.reset();
    }
}

impl<R: LineOnlyReceiver> Receives<LineOnly> for R {
    type State = LineOnly;

    fn state(&self) -> LineOnly {
        LineOnly { lines: Delimited::new(R::DELIMITER, R::MAX_LENGTH) }
    }

    fn step(&mut self, base: &LineOnlyBase) -> Result<Step> {
        let next = base.core.state.lines.next(&mut base.core.buffer.borrow_mut());
        match next {
            Next::Line(line) => self.line_received(base, &line)?,
            Next::TooLong => return base.lend(|line| self.line_length_exceeded(base, line)),
            Next::Starved => return Ok(Step::Starved),
        }
        Ok(Step::Done)
    }

    forward_connection_callbacks!(LineOnlyReceiver, LineOnlyBase);
}
