//! [`PreparedMessage`]: a message that is encoded once for many connections.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::deflate::Deflate;
use super::frame::{FrameHead, MAX_FRAME_HEAD};
use super::message::{Message, MessageKind, Utf8Bytes};

/// A message as a server sends it, for any number of connections: the frame is made once, and once more for every size of
/// window that connections with compression have agreed on. A clone is another reference.
///
/// ```
/// use foster::websocket::{Connection, Message, PreparedMessage, Role};
///
/// let message = PreparedMessage::new(&Message::from("to all"));
/// for mut connection in [Connection::new(Role::Server, None, None), Connection::new(Role::Server, None, None)] {
///     let mut out = Vec::new();
///     connection.send_prepared(&message, &mut out)?;
///     assert_eq!(out, b"\x81\x06to all");
/// }
/// # Ok::<(), foster::websocket::WebSocketError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PreparedMessage(Arc<Prepared>);

#[derive(Debug)]
struct Prepared {
    frame: Bytes,
    /// Lies in the frame.
    message: Message,
    /// A frame for each number of window bits, made when a connection first asks; `None` if it is not worth it.
    compressed: [OnceLock<Option<Bytes>>; N_WINDOWS],
}

/// Windows of 8 to 15 bits (RFC 7692, 7.1.2).
const MIN_WINDOW_BITS: u8 = 8;
const N_WINDOWS: usize = 8;

impl PreparedMessage {
    /// Encodes a message.
    pub fn new(message: &Message) -> Self {
        let (frame, payload) = frame(message.kind(), false, message.as_bytes());
        let message = match message.kind() {
            MessageKind::Text => Message::Text(Utf8Bytes::from_checked(payload)),
            MessageKind::Binary => Message::Binary(payload),
        };
        PreparedMessage(Arc::new(Prepared { frame, message, compressed: Default::default() }))
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The frame that a server sends, not compressed.
    pub(super) fn frame(&self) -> &Bytes {
        &self.0.frame
    }

    /// The frame for a connection with this compression: the first connection with such a window decides whether it is
    /// worth it. It refers to no other message, so the compressor of the connection has to forget its context.
    pub(super) fn compressed_frame(&self, deflate: &Deflate) -> Option<&Bytes> {
        let nth = deflate.window_bits().saturating_sub(MIN_WINDOW_BITS);
        let compressed = self.0.compressed.get(usize::from(nth))?;
        compressed
            .get_or_init(|| {
                let payload = deflate.compress_once(self.0.message.as_bytes())?;
                Some(frame(self.0.message.kind(), true, &payload).0)
            })
            .as_ref()
    }
}

/// A whole message in a frame, and its payload there.
fn frame(kind: MessageKind, is_compressed: bool, payload: &[u8]) -> (Bytes, Bytes) {
    let head = FrameHead { is_compressed, ..FrameHead::of(kind.into(), payload.len()) };
    let mut frame = Vec::with_capacity(MAX_FRAME_HEAD + payload.len());
    head.write(None, &mut frame);
    let n_head = frame.len();
    frame.extend_from_slice(payload);
    let frame = Bytes::from(frame);
    let payload = frame.slice(n_head..);
    (frame, payload)
}
