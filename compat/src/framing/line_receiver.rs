//! [`LineReceiver`]: lines, and raw data where the program asks for them.

use std::borrow::Cow;
use std::cell::Cell;

use super::base::Base;
use super::callbacks::{connection_callbacks, forward_connection_callbacks};
use super::delimited::{DELIMITER, Delimited, MAX_LENGTH, Next};
use super::receiver_protocol::ReceiverProtocol;
use super::receives::{Receives, State, Step};
use crate::error::{Error, Result};

/// Receives lines, and raw data while it is in raw mode: Twisted's `LineReceiver`.
///
/// Drive it with a [`LineProtocol`]. The mode may be switched inside every callback and as often as wanted: what has come
/// and was not handed over goes to the new mode at once.
///
/// Differs from Twisted: a line of `MAX_LENGTH` bytes is taken also if the peer cuts its delimiter in two, and
/// `pause_reading` of the transport is what `pauseProducing` of the receiver is there.
///
/// # Examples
///
/// A body of a given length behind a line:
///
/// ```
/// use foster_compat::framing::{LineBase, LineProtocol, LineReceiver};
/// use foster_compat::{Protocol, Result};
///
/// #[derive(Default)]
/// struct Put {
///     n_missing: usize,
///     bodies: Vec<Vec<u8>>,
/// }
///
/// impl LineReceiver for Put {
///     fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
///         self.n_missing = std::str::from_utf8(line)?.parse()?;
///         self.bodies.push(Vec::new());
///         base.set_raw_mode();
///         Ok(())
///     }
///
///     fn raw_data_received(&mut self, base: &LineBase, data: &[u8]) -> Result<()> {
///         let (body, rest) = data.split_at(data.len().min(self.n_missing));
///         self.n_missing -= body.len();
///         self.bodies.last_mut().map(|last| last.extend(body));
///         if self.n_missing == 0 {
///             base.set_line_mode(rest);
///         }
///         Ok(())
///     }
/// }
///
/// let mut protocol = LineProtocol::<Put>::default();
/// protocol.data_received(b"5\r\nhello6\r\nwor")?;
/// protocol.data_received(b"ld!")?;
/// assert_eq!(protocol.with(|put| put.bodies.clone()), [b"hello".to_vec(), b"world!".to_vec()]);
/// # foster_compat::Ok(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` receives no lines",
    label = "a `LineProtocol` drives a `LineReceiver`",
    note = "implement `LineReceiver` for it: `line_received` is all that has to be there"
)]
pub trait LineReceiver: 'static {
    /// What ends a line: Twisted's `delimiter`. An empty one is never found.
    const DELIMITER: &'static [u8] = DELIMITER;

    /// The longest line that is taken, without its delimiter: Twisted's `MAX_LENGTH`.
    const MAX_LENGTH: usize = MAX_LENGTH;

    /// A whole line has come, here without its delimiter: Twisted's `lineReceived`.
    fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()>;

    /// Bytes have come in raw mode, at least one: Twisted's `rawDataReceived`. A receiver that asks for raw mode
    /// overrides it; unless it does they are dropped.
    fn raw_data_received(&mut self, base: &LineBase, data: &[u8]) -> Result<()> {
        let _ = (base, data);
        Ok(())
    }

    /// A line is longer than `MAX_LENGTH`: Twisted's `lineLengthExceeded`. Unless overridden the transport is closed.
    ///
    /// `line` is everything that has come from the beginning of that line on: only a part of it, or more than one line. It
    /// is dropped when this returns; [`set_line_mode`](LineBase::set_line_mode) takes a part of it back.
    fn line_length_exceeded(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
        let _ = line;
        base.transport.close();
        Ok(())
    }

    connection_callbacks!(LineBase);
}

/// The protocol that drives a [`LineReceiver`].
pub type LineProtocol<R> = ReceiverProtocol<Line, R>;

/// What a [`LineReceiver`] inherits.
pub type LineBase = Base<Line>;

/// The framing of a [`LineReceiver`].
pub struct Line {
    lines: Delimited,
    is_raw: Cell<bool>,
}

impl LineBase {
    /// Sends a line and its delimiter: Twisted's `sendLine`.
    ///
    /// # Errors
    ///
    /// As [`writelines`](crate::WriteTransport::writelines).
    pub fn send_line(&self, line: &[u8]) -> Result<()> {
        self.core.state.lines.send_line(self, line)
    }

    /// Whether lines are received, and no raw data: Twisted's `line_mode`. So it is at the beginning.
    pub fn line_mode(&self) -> bool {
        !self.core.state.is_raw.get()
    }

    /// What comes from now on is raw data: Twisted's `setRawMode`. Idempotent.
    ///
    /// Inside a callback what lies behind the line is handed over as soon as that returns, elsewhere what is there in the
    /// next turn.
    pub fn set_raw_mode(&self) {
        self.core.state.is_raw.set(true);
        self.deliver_later();
    }

    /// What comes from now on are lines, first of all those in `extra`: Twisted's `setLineMode`. Idempotent with an empty
    /// `extra`.
    ///
    /// `extra` is what `raw_data_received` got too much. It is put behind what was not handed over yet, so it belongs in
    /// calls from there. Inside a callback it is handed over as soon as that returns, elsewhere in the next turn.
    pub fn set_line_mode(&self, extra: &[u8]) {
        self.core.state.is_raw.set(false);
        self.give_back(extra);
        self.deliver_later();
    }

    /// Sets what ends a line from now on, as an assignment to `self.delimiter` does in Twisted.
    pub fn set_delimiter(&self, delimiter: impl Into<Cow<'static, [u8]>>) {
        self.core.state.lines.set_delimiter(delimiter.into());
    }

    /// Sets the longest line that is taken from now on, as an assignment to `self.MAX_LENGTH` does in Twisted.
    pub fn set_max_length(&self, max_length: usize) {
        self.core.state.lines.set_max_length(max_length);
    }

    /// As [`clear_buffer`](Base::clear_buffer), by the name that Twisted gives it here.
    pub fn clear_line_buffer(&self) -> Vec<u8> {
        self.clear_buffer()
    }
}

impl State for Line {
    fn reset(&self) {
        self.lines.reset();
    }
}

impl<R: LineReceiver> Receives<Line> for R {
    type State = Line;

    fn state(&self) -> Line {
        Line { lines: Delimited::new(R::DELIMITER, R::MAX_LENGTH), is_raw: Cell::new(false) }
    }

    fn step(&mut self, base: &LineBase) -> Result<Step> {
        if base.core.state.is_raw.get() {
            return base.lend(|data| self.raw_data_received(base, data));
        }
        let next = base.core.state.lines.next(&mut base.core.buffer.borrow_mut());
        match next {
            Next::Line(line) => self.line_received(base, &line)?,
            Next::TooLong => return base.lend(|line| self.line_length_exceeded(base, line)),
            Next::Starved => return Ok(Step::Starved),
        }
        Ok(Step::Done)
    }

    forward_connection_callbacks!(LineReceiver, LineBase);
}
