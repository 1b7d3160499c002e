//! [`IncomingMessage`]: a message as its frames come.

use super::error::WebSocketError;
use super::frame::NO_KEY;
use super::mask;
use super::message::{Message, MessageKind, Utf8Bytes};
use super::utf8::Utf8Check;

const NOT_UTF8: WebSocketError = WebSocketError::InvalidData("text that is not UTF-8");

/// A message as its frames come. Between messages it holds no memory.
#[derive(Debug, Default)]
pub(super) struct IncomingMessage {
    kind: Option<MessageKind>,
    utf8: Utf8Check,
    payload: Vec<u8>,
}

impl IncomingMessage {
    /// Whether frames of a message have come, and more are to come.
    pub(super) fn is_open(&self) -> bool {
        self.kind.is_some()
    }

    /// How many bytes have come.
    pub(super) fn len(&self) -> usize {
        self.payload.len()
    }

    pub(super) fn open(&mut self, kind: MessageKind) {
        self.kind = Some(kind);
    }

    /// Takes the next piece. `n_left` is what is left of the message with this piece, where that is known: its last
    /// frame has begun.
    pub(super) fn push(&mut self, piece: &[u8], key: [u8; 4], n_left: Option<usize>) -> Result<(), WebSocketError> {
        self.reserve(piece.len(), n_left);
        let n_before = self.payload.len();
        self.payload.extend_from_slice(piece);
        let piece = &mut self.payload[n_before..];
        if key != NO_KEY {
            mask::apply(key, piece);
        }
        if self.kind == Some(MessageKind::Text) {
            self.utf8.push(piece).map_err(|_| NOT_UTF8)?;
        }
        Ok(())
    }

    /// Makes room as the bytes come: what a peer announces costs it nothing, so it counts only as the size beyond which
    /// no room is needed.
    fn reserve(&mut self, n_piece: usize, n_left: Option<usize>) {
        match n_left {
            None => self.payload.reserve(n_piece),
            Some(n_left) if self.payload.capacity() - self.payload.len() < n_piece => {
                self.payload.reserve_exact(n_left.min(self.payload.len()).max(n_piece));
            }
            Some(_) => {}
        }
    }

    /// Its end: the message, or text that ends within a character.
    pub(super) fn finish(&mut self) -> Result<Message, WebSocketError> {
        let IncomingMessage { kind, utf8, payload } = std::mem::take(self);
        match kind {
            Some(MessageKind::Text) if !utf8.is_complete() => Err(NOT_UTF8),
            Some(MessageKind::Text) => Ok(Message::Text(Utf8Bytes::from_checked(payload.into()))),
            Some(MessageKind::Binary) | None => Ok(Message::Binary(payload.into())),
        }
    }
}

/// A message in one frame that is there as a whole.
pub(super) fn whole_message(kind: MessageKind, payload: Vec<u8>) -> Result<Message, WebSocketError> {
    match kind {
        MessageKind::Text => Ok(Message::Text(Utf8Bytes::try_from(payload).map_err(|_| NOT_UTF8)?)),
        MessageKind::Binary => Ok(Message::Binary(payload.into())),
    }
}
