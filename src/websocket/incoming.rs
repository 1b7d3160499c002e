//! [`IncomingMessage`]: a message as its frames come.

use std::borrow::Cow;

use bytes::Bytes;

use super::deflate::Deflate;
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
    is_compressed: bool,
    utf8: Utf8Check,
    payload: Vec<u8>,
}

/// What the compressed pieces of a message go through.
#[derive(Debug)]
pub(super) struct Inflation<'a> {
    pub(super) deflate: Option<&'a mut Deflate>,
    pub(super) limit: usize,
}

impl IncomingMessage {
    /// Whether frames of a message have come, and more are to come.
    pub(super) fn is_open(&self) -> bool {
        self.kind.is_some()
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// How many bytes have come, after decompression.
    pub(super) fn len(&self) -> usize {
        self.payload.len()
    }

    pub(super) fn open(&mut self, kind: MessageKind, is_compressed: bool) {
        self.kind = Some(kind);
        self.is_compressed = is_compressed;
    }

    /// Takes the next piece. `n_left` is what is left of the message with this piece, where that is known: its last
    /// frame has begun.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        key: [u8; 4],
        n_left: Option<usize>,
        inflation: Inflation<'_>,
    ) -> Result<(), WebSocketError> {
        if self.is_compressed {
            return self.inflate(&unmasked(piece, key), false, inflation);
        }
        self.reserve(piece.len(), n_left);
        let n_before = self.payload.len();
        self.payload.extend_from_slice(piece);
        if key != NO_KEY {
            mask::apply(key, &mut self.payload[n_before..]);
        }
        self.check_text(n_before)
    }

    fn inflate(&mut self, piece: &[u8], is_last: bool, inflation: Inflation<'_>) -> Result<(), WebSocketError> {
        let Some(deflate) = inflation.deflate else { return Ok(()) };
        let n_before = self.payload.len();
        let result = deflate.decompress(piece, is_last, &mut self.payload, Some(inflation.limit));
        // Text comes first, as it would if the piece had been cut before what is wrong.
        self.check_text(n_before)?;
        result
    }

    fn check_text(&mut self, n_before: usize) -> Result<(), WebSocketError> {
        if self.kind == Some(MessageKind::Text) {
            self.utf8.push(&self.payload[n_before..]).map_err(|_| NOT_UTF8)?;
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
    pub(super) fn finish(&mut self, inflation: Inflation<'_>) -> Result<Message, WebSocketError> {
        if self.is_compressed {
            self.inflate(&[], true, inflation)?;
        }
        let IncomingMessage { kind, utf8, mut payload, .. } = std::mem::take(self);
        // A message may wait for long until somebody takes it.
        payload.shrink_to_fit();
        match kind {
            Some(MessageKind::Text) if !utf8.is_complete() => Err(NOT_UTF8),
            Some(MessageKind::Text) => Ok(Message::Text(Utf8Bytes::from_checked(payload.into()))),
            Some(MessageKind::Binary) | None => Ok(Message::Binary(payload.into())),
        }
    }
}

/// The decompressor reads, and a mask is taken off in place.
fn unmasked(piece: &[u8], key: [u8; 4]) -> Cow<'_, [u8]> {
    if key == NO_KEY {
        return Cow::Borrowed(piece);
    }
    let mut piece = piece.to_vec();
    mask::apply(key, &mut piece);
    Cow::Owned(piece)
}

/// A message in one frame that is there as a whole.
pub(super) fn whole_message(kind: MessageKind, payload: Bytes) -> Result<Message, WebSocketError> {
    match kind {
        MessageKind::Text => Ok(Message::Text(Utf8Bytes::try_from(payload).map_err(|_| NOT_UTF8)?)),
        MessageKind::Binary => Ok(Message::Binary(payload)),
    }
}

#[cfg(test)]
mod tests;
