//! The sending side of a [`Connection`].

use bytes::Bytes;

use crate::websocket::close::{CloseCode, CloseFrame, MAX_CLOSE_REASON};
use crate::websocket::error::WebSocketError;
use crate::websocket::frame::{FrameHead, MAX_CONTROL_PAYLOAD, MAX_FRAME_HEAD, Opcode};
use crate::websocket::mask::{self, NoRandomBytes};
use crate::websocket::message::{Message, MessageKind, Utf8Bytes};
use crate::websocket::prepared::PreparedMessage;
use crate::websocket::utf8::Utf8Check;

use super::{Connection, Role};

/// A message whose first fragment was sent, and whose last was not.
#[derive(Clone, Debug)]
pub(super) struct OutgoingMessage {
    kind: MessageKind,
    is_compressed: bool,
    utf8: Utf8Check,
}

/// Sending appends frames to `out`; after an error, nothing was appended and nothing has changed.
impl Connection {
    /// Sends a message in one frame, compressed if that was agreed and makes it smaller.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`]: a close frame was sent, the connection has failed, or a fragmented message was begun
    /// and not ended. The same holds for its kin below. A client may find that the system has no random bytes for a
    /// mask.
    pub fn send_message(&mut self, message: &Message, out: &mut Vec<u8>) -> Result<(), WebSocketError> {
        self.send_whole(message.kind(), message.as_bytes(), out)
    }

    /// Sends a message of text.
    ///
    /// # Errors
    ///
    /// As [`send_message`](Connection::send_message).
    pub fn send_text(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), WebSocketError> {
        self.send_whole(MessageKind::Text, text.as_bytes(), out)
    }

    /// Sends a message of bytes.
    ///
    /// # Errors
    ///
    /// As [`send_message`](Connection::send_message).
    pub fn send_binary(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), WebSocketError> {
        self.send_whole(MessageKind::Binary, bytes, out)
    }

    fn send_whole(&mut self, kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) -> Result<(), WebSocketError> {
        self.may_begin_message()?;
        let head = FrameHead::of(kind.into(), payload.len());
        let key = self.key()?;
        let start = out.len();
        if self.deflate.as_mut().is_some_and(|deflate| deflate.compress(payload, out)) {
            frame_what_stands(FrameHead { is_compressed: true, ..head }, key, start, out);
        } else {
            write_frame(head, key, payload, out);
        }
        Ok(())
    }

    /// Sends the head of a message alone: its payload, as it is, has to follow in the stream at once. A large message
    /// then goes out without a copy. `false`, and nothing was written, where that cannot be: a client masks, and what
    /// may be compressed is not sent as it is.
    ///
    /// # Errors
    ///
    /// As [`send_message`](Connection::send_message).
    pub fn send_head(&mut self, message: &Message, out: &mut Vec<u8>) -> Result<bool, WebSocketError> {
        self.may_begin_message()?;
        if self.role == Role::Client || self.deflate.is_some() {
            return Ok(false);
        }
        FrameHead::of(message.kind().into(), message.len()).write(None, out);
        Ok(true)
    }

    /// Sends a message that was prepared for many connections.
    ///
    /// # Errors
    ///
    /// As [`send_message`](Connection::send_message).
    pub fn send_prepared(&mut self, message: &PreparedMessage, out: &mut Vec<u8>) -> Result<(), WebSocketError> {
        match self.begin_prepared(message)? {
            Some(frame) => out.extend_from_slice(frame),
            None => self.send_message(message.message(), out)?,
        }
        Ok(())
    }

    /// Sends a prepared message without a copy: the frame has to follow in the stream at once. `None`, and nothing was
    /// sent, where that cannot be: a client masks.
    ///
    /// # Errors
    ///
    /// As [`send_message`](Connection::send_message).
    pub fn share_prepared(&mut self, message: &PreparedMessage) -> Result<Option<Bytes>, WebSocketError> {
        self.begin_prepared(message).map(|frame| frame.cloned())
    }

    /// Whether a prepared message, if it were sent now, would go out as the frame that it is for everybody.
    pub(in crate::websocket) fn sends_frames_as_they_are(&self) -> bool {
        self.role == Role::Server && self.deflate.is_none() && self.may_begin_message().is_ok()
    }

    fn begin_prepared<'a>(&mut self, message: &'a PreparedMessage) -> Result<Option<&'a Bytes>, WebSocketError> {
        self.may_begin_message()?;
        if self.role == Role::Client {
            return Ok(None);
        }
        if let Some(deflate) = &mut self.deflate {
            if let Some(frame) = message.compressed_frame(deflate) {
                deflate.forget_context();
                return Ok(Some(frame));
            }
        }
        Ok(Some(message.frame()))
    }

    /// Sends the next fragment of a message, which may be empty; the first one begins it. Pings, pongs and the close
    /// frame may go between them. Text may be cut anywhere.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`]: a close frame was sent, the connection has failed, the kind is not that of the
    /// fragments before, or the text is not UTF-8, which its end within a character makes it, too.
    pub fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        is_last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), WebSocketError> {
        self.may_send_data()?;
        let (opcode, mut message) = match &self.outgoing {
            None => (kind.into(), OutgoingMessage { kind, is_compressed: false, utf8: Utf8Check::default() }),
            Some(message) if message.kind == kind => (Opcode::Continuation, message.clone()),
            Some(_) => return Err(WebSocketError::State("a fragment of another kind than those before it")),
        };
        let utf8 = &mut message.utf8;
        if kind == MessageKind::Text && (utf8.push(payload).is_err() || (is_last && !utf8.is_complete())) {
            return Err(WebSocketError::State("the text of a message is not UTF-8"));
        }
        let is_first = self.outgoing.is_none();
        let head = FrameHead { is_final: is_last, ..FrameHead::of(opcode, payload.len()) };
        let key = self.key()?;
        let start = out.len();
        let deflate = self.deflate.as_mut().filter(|_| is_first || message.is_compressed);
        if deflate.is_some_and(|deflate| deflate.compress_piece(payload, is_first, is_last, out)) {
            message.is_compressed = true;
            frame_what_stands(FrameHead { is_compressed: is_first, ..head }, key, start, out);
        } else if message.is_compressed {
            return Err(WebSocketError::State("a fragment could not be compressed as those before it"));
        } else {
            write_frame(head, key, payload, out);
        }
        self.outgoing = (!is_last).then_some(message);
        Ok(())
    }

    /// Whether a fragmented message was begun and not ended.
    pub fn is_sending_fragments(&self) -> bool {
        self.outgoing.is_some()
    }

    /// Sends a ping with a payload of up to [`MAX_CONTROL_PAYLOAD`] bytes. It may follow the close frame of this end: the
    /// peer may still be talking.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`]: the payload is too long, or the connection is closed.
    pub fn send_ping(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), WebSocketError> {
        self.send_control(Opcode::Ping, payload, out)
    }

    /// Sends a pong, as a [ping](Connection::send_ping).
    ///
    /// # Errors
    ///
    /// As [`send_ping`](Connection::send_ping).
    pub fn send_pong(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), WebSocketError> {
        self.send_control(Opcode::Pong, payload, out)
    }

    /// Sends the close frame of this end, without a code for `None`. No message may follow. The second time does nothing.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`]: the code [may not be sent](CloseCode::is_sendable), or the reason is longer than
    /// [`MAX_CLOSE_REASON`] bytes.
    pub fn send_close(&mut self, frame: Option<&CloseFrame>, out: &mut Vec<u8>) -> Result<(), WebSocketError> {
        if self.is_close_sent() {
            return Ok(());
        }
        let payload = frame.map_or(Ok(Vec::new()), CloseFrame::payload)?;
        write_frame(FrameHead::of(Opcode::Close, payload.len()), self.key()?, &payload, out);
        let sent = frame.cloned().unwrap_or_else(|| CloseFrame::new(CloseCode::NO_STATUS, Utf8Bytes::default()));
        self.close_frames().sent = Some(sent);
        self.outgoing = None;
        Ok(())
    }

    /// Answers the close frame of the peer with its code and reason, if it has come and this end has sent none: the peer's
    /// application is told what comes back.
    ///
    /// # Errors
    ///
    /// A client may find that the system has no random bytes for a mask.
    pub fn answer_close(&mut self, out: &mut Vec<u8>) -> Result<(), WebSocketError> {
        match self.received().cloned() {
            None => Ok(()),
            Some(frame) if frame.code == CloseCode::NO_STATUS => self.send_close(None, out),
            Some(frame) => self.send_close(Some(&frame), out),
        }
    }

    /// Fails the connection (RFC 6455, 7.1.7): sends the close frame that says what is wrong, if the error has a
    /// [code](WebSocketError::close_code) and none was sent, and reads nothing more. Then close the stream.
    pub fn fail(&mut self, err: &WebSocketError, out: &mut Vec<u8>) {
        self.has_failed = true;
        self.stop_reading();
        if let Some(code) = err.close_code() {
            let mut reason = err.to_string();
            while reason.len() > MAX_CLOSE_REASON {
                reason.pop();
            }
            // Without random bytes for a mask the peer has to do with the end of the stream.
            _ = self.send_close(Some(&CloseFrame::new(code, reason)), out);
        }
    }

    fn may_send_data(&self) -> Result<(), WebSocketError> {
        if self.is_close_sent() || self.has_failed {
            return Err(WebSocketError::State("no message may follow the close frame"));
        }
        Ok(())
    }

    fn may_begin_message(&self) -> Result<(), WebSocketError> {
        self.may_send_data()?;
        if self.outgoing.is_some() {
            return Err(WebSocketError::State("a fragmented message has not ended"));
        }
        Ok(())
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) -> Result<(), WebSocketError> {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(WebSocketError::State("a ping or pong holds at most 125 bytes"));
        }
        if self.is_closed() {
            return Err(WebSocketError::State("the WebSocket is closed"));
        }
        write_frame(FrameHead::of(opcode, payload.len()), self.key()?, payload, out);
        Ok(())
    }

    /// The mask of the next frame, if this end masks.
    fn key(&self) -> Result<Option<[u8; 4]>, NoRandomBytes> {
        match self.role {
            Role::Client => mask::random_key().map(Some),
            Role::Server => Ok(None),
        }
    }
}

fn write_frame(head: FrameHead, key: Option<[u8; 4]>, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(MAX_FRAME_HEAD + payload.len());
    head.write(key, out);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        mask::apply(key, &mut out[start..]);
    }
}

/// Makes what stands in `out` from `start` on the payload of a frame with this head but for the length.
fn frame_what_stands(head: FrameHead, key: Option<[u8; 4]>, start: usize, out: &mut Vec<u8>) {
    let end = out.len();
    if let Some(key) = key {
        mask::apply(key, &mut out[start..]);
    }
    FrameHead { length: (end - start) as u64, ..head }.write(key, out);
    let n_head = out.len() - end;
    out[start..].rotate_right(n_head);
}
