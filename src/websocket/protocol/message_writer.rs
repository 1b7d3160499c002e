//! [`MessageWriter`]: a message that is sent in pieces.

use super::websocket::WebSocket;
use crate::websocket::close::{CloseCode, CloseFrame};
use crate::websocket::error::WebSocketError;
use crate::websocket::message::MessageKind;

/// A message that is sent in pieces, each a fragment (RFC 6455, 5.4). Text may be cut anywhere.
///
/// It is a handle of its WebSocket, as a clone. Dropped before [`finish`](MessageWriter::finish), it closes the connection with 1011: half a message cannot be taken
/// back.
///
/// ```
/// use foster::websocket::{MessageKind, WebSocket, WebSocketError};
///
/// async fn count(websocket: &WebSocket) -> Result<(), WebSocketError> {
///     let mut message = websocket.start_message(MessageKind::Text).await?;
///     for n in 0..1000 {
///         message.write(format!("{n} ").as_bytes()).await?;
///     }
///     message.finish()
/// }
/// ```
#[must_use = "a message that is not finished closes the connection"]
pub struct MessageWriter {
    websocket: WebSocket,
    kind: MessageKind,
    is_finished: bool,
}

impl MessageWriter {
    pub(super) fn begin(websocket: WebSocket, kind: MessageKind) -> Result<Self, WebSocketError> {
        websocket.session().send_fragment(kind, &[], false)?;
        Ok(MessageWriter { websocket, kind, is_finished: false })
    }

    /// Sends a piece, and waits while the peer does not take what was sent before.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Closed`] once the connection has ended, [`WebSocketError::State`] for text that is not UTF-8.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), WebSocketError> {
        self.websocket.session().drained().await?;
        self.websocket.session().send_fragment(self.kind, piece, false)
    }

    /// Ends the message.
    ///
    /// # Errors
    ///
    /// As [`write`](MessageWriter::write), also for text that ends within a character.
    pub fn finish(mut self) -> Result<(), WebSocketError> {
        self.websocket.session().send_fragment(self.kind, &[], true)?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for MessageWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // It fails only where there is nothing left to close.
            let frame = CloseFrame::new(CloseCode::INTERNAL_ERROR, "a message was not finished");
            let _ = self.websocket.session().close(frame);
        }
    }
}
