//! [`PreparedMessage`]: a message that is encoded once for many connections.

use bytes::Bytes;

use super::frame::{FrameHead, MAX_FRAME_HEAD};
use super::message::{Message, MessageKind, Utf8Bytes};

/// A message as a server sends it, for any number of connections: the frame is made once. A clone is another reference.
///
/// ```
/// use foster::websocket::{Connection, Message, PreparedMessage, Role};
///
/// let message = PreparedMessage::new(&Message::from("to all"));
/// for mut connection in [Connection::new(Role::Server, None), Connection::new(Role::Server, None)] {
///     let mut out = Vec::new();
///     connection.send_prepared(&message, &mut out)?;
///     assert_eq!(out, b"\x81\x06to all");
/// }
/// # Ok::<(), foster::websocket::WebSocketError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    frame: Bytes,
    /// Lies in the frame.
    message: Message,
}

impl PreparedMessage {
    /// Encodes a message.
    pub fn new(message: &Message) -> Self {
        let payload = message.as_bytes();
        let mut frame = Vec::with_capacity(MAX_FRAME_HEAD + payload.len());
        FrameHead::of(message.kind().into(), payload.len()).write(None, &mut frame);
        let n_head = frame.len();
        frame.extend_from_slice(payload);
        let frame = Bytes::from(frame);
        let payload = frame.slice(n_head..);
        let message = match message.kind() {
            MessageKind::Text => Message::Text(Utf8Bytes::from_checked(payload)),
            MessageKind::Binary => Message::Binary(payload),
        };
        PreparedMessage { frame, message }
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The frame that a server sends, not compressed.
    pub(super) fn frame(&self) -> &Bytes {
        &self.frame
    }
}
