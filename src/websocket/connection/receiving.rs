//! The receiving side of a [`Connection`].

use bytes::Bytes;

use crate::http::changed_copy_of;
use crate::websocket::close::CloseFrame;
use crate::websocket::error::WebSocketError;
use crate::websocket::frame::{FrameHead, NO_KEY, Opcode, PartialHead};
use crate::websocket::incoming::{IncomingMessage, Inflation, whole_message};
use crate::websocket::mask;
use crate::websocket::message::{Message, MessageKind};

use super::{Connection, Event};

/// What has come of a frame, and of a message.
#[derive(Debug, Default)]
pub(super) struct Partial {
    head: PartialHead,
    frame: Option<IncomingFrame>,
    message: IncomingMessage,
    /// What has come of the payload of a control frame that came in pieces.
    control: Vec<u8>,
}

impl Partial {
    fn begin(&mut self, head: &FrameHead) {
        match head.opcode {
            Opcode::Text => self.message.open(MessageKind::Text, head.is_compressed),
            Opcode::Binary => self.message.open(MessageKind::Binary, head.is_compressed),
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        self.frame =
            Some(IncomingFrame { opcode: head.opcode, is_final: head.is_final, key: head.key, n_left: head.length });
    }

    fn is_empty(&self) -> bool {
        self.frame.is_none() && self.head.is_empty() && !self.message.is_open()
    }
}

/// A frame whose head was read, and whose payload is coming.
#[derive(Clone, Copy, Debug)]
struct IncomingFrame {
    opcode: Opcode,
    is_final: bool,
    /// The key for the next byte.
    key: [u8; 4],
    n_left: u64,
}

impl Connection {
    /// Takes bytes from the start of `data`, which it shortens by what was used, up to the next event. `None`: all of it
    /// was used and more is needed, or nothing more is read, and what is left belongs to nobody.
    ///
    /// Text is looked at as it comes: the first byte that makes it invalid is an error, wherever its frame ends. What a
    /// frame announces makes no room for it.
    ///
    /// # Errors
    ///
    /// What the peer did wrong: tell it with [`fail`](Connection::fail), and close. What is still to be said to the
    /// messages before may be sent first.
    pub fn receive_data(&mut self, data: &mut &[u8]) -> Result<Option<Event>, WebSocketError> {
        if self.reads_no_more || self.is_close_received() {
            return Ok(None);
        }
        let event = match self.receive_whole(data) {
            Some(message) => message.map(|message| Some(Event::Message(message))),
            None => self.receive_partial(data),
        };
        if event.is_err() {
            self.stop_reading();
        }
        event
    }

    /// A message in one frame that is there as a whole, as nearly every one: it is copied once, and nothing is remembered
    /// of it. Whatever is different, or wrong, is left to [`receive_partial`](Connection::receive_partial).
    fn receive_whole(&self, data: &mut &[u8]) -> Option<Result<Message, WebSocketError>> {
        if self.partial.is_some() {
            return None;
        }
        let (head, n_head) = FrameHead::parse(data, self.role).ok()??;
        let kind = match head.opcode {
            Opcode::Text => MessageKind::Text,
            Opcode::Binary => MessageKind::Binary,
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => return None,
        };
        let rest = &data[n_head..];
        let is_whole = head.is_final && !head.is_compressed && head.length <= rest.len() as u64;
        if !is_whole || head.length > self.max_message_size as u64 {
            return None;
        }
        let (payload, rest) = rest.split_at(head.length as usize);
        *data = rest;
        let payload = changed_copy_of(payload, |payload| {
            if head.key != NO_KEY {
                mask::apply(head.key, payload);
            }
        });
        Some(whole_message(kind, payload))
    }

    fn receive_partial(&mut self, data: &mut &[u8]) -> Result<Option<Event>, WebSocketError> {
        if data.is_empty() {
            return Ok(None);
        }
        let mut partial = self.partial.take().unwrap_or_default();
        let event = self.next_event(&mut partial, data);
        if event.is_ok() && !partial.is_empty() {
            self.partial = Some(partial);
        }
        event
    }

    fn next_event(&mut self, partial: &mut Partial, data: &mut &[u8]) -> Result<Option<Event>, WebSocketError> {
        loop {
            if partial.frame.is_none() {
                let Some(head) = partial.head.next(data, self.role)? else { return Ok(None) };
                self.check(&head, &partial.message)?;
                partial.begin(&head);
            }
            if let Some(event) = self.receive_payload(partial, data)? {
                return Ok(Some(event));
            }
            if partial.frame.is_some() {
                return Ok(None);
            }
        }
    }

    /// What a head says that cannot be here.
    fn check(&self, head: &FrameHead, message: &IncomingMessage) -> Result<(), WebSocketError> {
        if head.is_compressed {
            if self.deflate.is_none() {
                return Err(WebSocketError::Protocol("a compressed frame without an agreement on compression"));
            }
            if !matches!(head.opcode, Opcode::Text | Opcode::Binary) {
                return Err(WebSocketError::Protocol("the bit of compression is not on the first frame of a message"));
            }
        }
        if head.opcode.is_control() {
            return Ok(());
        }
        match (head.opcode, message.is_open()) {
            (Opcode::Continuation, false) => return Err(WebSocketError::Protocol("a continuation of no message")),
            (Opcode::Text | Opcode::Binary, true) => {
                return Err(WebSocketError::Protocol("a message begins inside a fragmented one"));
            }
            _ => {}
        }
        // The size of a compressed message is found out as it comes.
        let is_compressed = head.is_compressed || message.is_compressed();
        if !is_compressed && head.length > (self.max_message_size - message.len()) as u64 {
            return Err(WebSocketError::MessageTooBig { limit: self.max_message_size });
        }
        Ok(())
    }

    /// Takes what there is of the payload; an event, if it has an end with it that is one.
    fn receive_payload(&mut self, partial: &mut Partial, data: &mut &[u8]) -> Result<Option<Event>, WebSocketError> {
        let Some(frame) = &mut partial.frame else { return Ok(None) };
        let n_piece = frame.n_left.min(data.len() as u64) as usize;
        let (piece, rest) = data.split_at(n_piece);
        *data = rest;
        let IncomingFrame { opcode, is_final, key, n_left } = *frame;
        frame.n_left -= n_piece as u64;
        mask::advance(&mut frame.key, n_piece);
        let is_whole = frame.n_left == 0;
        if is_whole {
            partial.frame = None;
        }
        if opcode.is_control() {
            let n_before = partial.control.len();
            partial.control.extend_from_slice(piece);
            mask::apply(key, &mut partial.control[n_before..]);
            if !is_whole {
                return Ok(None);
            }
            let payload = std::mem::take(&mut partial.control);
            return self.control_event(partial, opcode, payload.into()).map(Some);
        }
        let inflation = Inflation { deflate: self.deflate.as_deref_mut(), limit: self.max_message_size };
        // A length was checked against the limit, which is one of memory. That of a compressed frame is not used.
        partial.message.push(piece, key, is_final.then_some(n_left as usize), inflation)?;
        if !is_whole || !is_final {
            return Ok(None);
        }
        let inflation = Inflation { deflate: self.deflate.as_deref_mut(), limit: self.max_message_size };
        partial.message.finish(inflation).map(Event::Message).map(Some)
    }

    fn control_event(
        &mut self,
        partial: &mut Partial,
        opcode: Opcode,
        payload: Bytes,
    ) -> Result<Event, WebSocketError> {
        match opcode {
            Opcode::Ping => Ok(Event::Ping(payload)),
            Opcode::Pong => Ok(Event::Pong(payload)),
            _ => {
                let frame = CloseFrame::parse(&payload)?;
                *partial = Partial::default();
                self.close_frames().received = Some(frame.clone());
                Ok(Event::Close(frame))
            }
        }
    }
}
