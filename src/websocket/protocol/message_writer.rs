//! [`MessageWriter`]: a message that is sent in pieces.

use super::websocket::WebSocket;
use crate::websocket::close::{CloseCode, CloseFrame};
use crate::websocket::error::WebSocketError;
use crate::websocket::message::MessageKind;

/// A message that is sent in pieces, each a fragment (RFC 6455, 5.4). Text may be cut anywhere. With compression, the
/// first piece decides: a small one leaves all of the message uncompressed.
///
/// It is a handle of its WebSocket, as a clone. Dropped before [`finish`](MessageWriter::finish), it closes the
/// connection with 1011, unless nothing was written: half a message cannot be taken back.
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
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begun,
    /// A fragment was sent.
    Written,
    Finished,
}

impl MessageWriter {
    /// A writer, once other messages may be sent no more.
    pub(super) fn begin(websocket: WebSocket, kind: MessageKind) -> Self {
        websocket.session().begin_streaming();
        MessageWriter { websocket, kind, state: State::Begun }
    }

    /// Sends a piece, and waits while the peer does not take what was sent before. An empty one sends nothing.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Closed`] once the connection has ended, [`WebSocketError::State`] for text that is not UTF-8.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it has sent nothing.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), WebSocketError> {
        let session = self.websocket.session();
        session.drained().await?;
        if !piece.is_empty() {
            session.send_fragment(self.kind, piece, false)?;
            self.state = State::Written;
        }
        Ok(())
    }

    /// Ends the message.
    ///
    /// # Errors
    ///
    /// As [`write`](MessageWriter::write), also for text that ends within a character.
    pub fn finish(mut self) -> Result<(), WebSocketError> {
        self.websocket.session().send_fragment(self.kind, &[], true)?;
        self.state = State::Finished;
        Ok(())
    }
}

impl Drop for MessageWriter {
    fn drop(&mut self) {
        let session = self.websocket.session();
        if self.state == State::Written {
            // It fails only where there is nothing left to close.
            let _ = session.close(CloseFrame::new(CloseCode::INTERNAL_ERROR, "a message was not finished"));
        }
        session.end_streaming();
    }
}
