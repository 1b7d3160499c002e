//! [`Connection`]: either side of a WebSocket, as a machine.

mod receiving;
mod sending;

use bytes::Bytes;

use super::close::{CloseCode, CloseFrame};
use super::deflate::Deflate;
use super::error::{Closed, WebSocketError};
use super::message::{Message, Utf8Bytes};

use receiving::Partial;
use sending::OutgoingMessage;

/// The largest message that is received, in bytes after decompression, if nobody says otherwise: 16 MiB, the largest
/// that Autobahn's test suite sends. fastwebsockets and tungstenite take 64 MiB, Python's `websockets` 1 MiB.
pub const DEFAULT_MAX_MESSAGE_SIZE: usize = 16 * 1024 * 1024;

/// Either side of a WebSocket whose opening handshake is done: bytes in, events out, and messages in, bytes out. It does
/// no I/O, looks at no clock, and answers nothing by itself.
///
/// ```text
///   receive_data:  ( Message | Ping | Pong )* ──> Close ─┐
///   send:          ( message | fragment* | ping | pong )* ──> close ─┴─> closed
///   an error:      ──> fail ──> closed
/// ```
///
/// A [ping](Event::Ping) wants a [pong](Connection::send_pong) with the same payload, a [close](Event::Close) wants
/// [its answer](Connection::answer_close). Nothing is read behind a close frame or an error. An idle connection holds no
/// memory but its own.
///
/// ```
/// use foster::websocket::{CloseCode, CloseFrame, Connection, Event, Message, Role};
///
/// let mut server = Connection::new(Role::Server, Some(1024), None);
/// let mut client = Connection::new(Role::Client, Some(1024), None);
///
/// let mut sent = Vec::new();
/// client.send_text("Hello", &mut sent)?;
/// client.send_close(Some(&CloseFrame::new(CloseCode::NORMAL, "done")), &mut sent)?;
///
/// let mut data = &sent[..];
/// assert_eq!(server.receive_data(&mut data)?, Some(Event::Message(Message::from("Hello"))));
/// let Some(Event::Close(frame)) = server.receive_data(&mut data)? else { panic!("a close frame") };
/// assert_eq!(frame.code, CloseCode::NORMAL);
///
/// let mut answer = Vec::new();
/// server.answer_close(&mut answer)?;
/// assert!(server.is_closed());
/// assert_eq!(answer, b"\x88\x06\x03\xe8done");
/// # Ok::<(), foster::websocket::WebSocketError>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    role: Role,
    /// Nothing more is read or sent but the close frame that says why.
    has_failed: bool,
    /// Something was wrong with what came, or it has ended.
    reads_no_more: bool,
    max_message_size: usize,
    /// What has come of a message that is not complete: few have one, and all carry the room for it.
    partial: Option<Box<Partial>>,
    outgoing: Option<OutgoingMessage>,
    deflate: Option<Box<Deflate>>,
    /// Made with the first of them.
    close_frames: Option<Box<CloseFrames>>,
}

/// The close frames that have come and gone.
#[derive(Debug, Default)]
struct CloseFrames {
    received: Option<CloseFrame>,
    sent: Option<CloseFrame>,
}

/// Which side of a connection this end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It masks what it sends.
    Client,
    /// It takes nothing that is not masked.
    Server,
}

/// What the peer sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole message.
    Message(Message),
    /// A ping: it wants a pong with the same payload.
    Ping(Bytes),
    /// A pong, asked for or not.
    Pong(Bytes),
    /// The peer sends nothing more. [`CloseCode::NO_STATUS`] if it gave no code.
    Close(CloseFrame),
}

impl Connection {
    /// A connection whose opening handshake is done. A message above `max_message_size`, in bytes after decompression, is
    /// refused; with `None`, memory is the limit. Without `deflate`, what both ends agreed on compression, a compressed
    /// message is refused.
    pub fn new(role: Role, max_message_size: Option<usize>, deflate: Option<Deflate>) -> Self {
        Connection {
            role,
            has_failed: false,
            reads_no_more: false,
            max_message_size: max_message_size.unwrap_or(usize::MAX),
            partial: None,
            outgoing: None,
            deflate: deflate.map(Box::new),
            close_frames: None,
        }
    }

    /// Which side this end is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether neither side has closed, and nothing has gone wrong.
    pub fn is_open(&self) -> bool {
        !self.reads_no_more && self.close_frames.is_none()
    }

    /// Whether nothing more comes and nothing more may be sent: both close frames have gone, or something went wrong.
    pub fn is_closed(&self) -> bool {
        self.has_failed || (self.is_close_sent() && self.is_close_received())
    }

    /// Whether this end has sent its close frame.
    pub fn is_close_sent(&self) -> bool {
        self.sent().is_some()
    }

    /// Whether the peer's close frame has come.
    pub fn is_close_received(&self) -> bool {
        self.received().is_some()
    }

    /// What both sides have said of the end, up to now.
    pub fn closed(&self) -> Closed {
        let lost = || CloseFrame::new(CloseCode::ABNORMAL, Utf8Bytes::default());
        Closed { received: self.received().cloned().unwrap_or_else(lost), sent: self.sent().cloned() }
    }

    fn received(&self) -> Option<&CloseFrame> {
        self.close_frames.as_ref()?.received.as_ref()
    }

    fn sent(&self) -> Option<&CloseFrame> {
        self.close_frames.as_ref()?.sent.as_ref()
    }

    fn close_frames(&mut self) -> &mut CloseFrames {
        self.close_frames.get_or_insert_default()
    }

    /// Takes the end of the peer's stream.
    ///
    /// # Errors
    ///
    /// No close frame has come before: [`WebSocketError::Closed`] with [`CloseCode::ABNORMAL`].
    pub fn receive_eof(&mut self) -> Result<(), WebSocketError> {
        if self.is_close_received() {
            return Ok(());
        }
        self.has_failed = true;
        self.stop_reading();
        Err(WebSocketError::Closed(Box::new(self.closed())))
    }

    /// Reads nothing more, and lets go what has come of a message.
    fn stop_reading(&mut self) {
        self.reads_no_more = true;
        self.partial = None;
    }
}
