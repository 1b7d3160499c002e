//! [`FrameHead`]: what stands before the payload of a frame (RFC 6455, 5.2).

use super::connection::Role;
use super::error::WebSocketError;
use super::message::MessageKind;

/// The longest payload of a control frame (RFC 6455, 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// The longest head: two bytes, a length of eight, a key of four.
pub(super) const MAX_FRAME_HEAD: usize = 14;

/// The first byte: whether the frame is the last of its message, the bit of compression (RFC 7692, 6), the two bits
/// that nothing has given a meaning, and the opcode.
const FINAL: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const RESERVED: u8 = 0x30;
const OPCODE: u8 = 0x0f;

/// The second byte: whether the payload is masked, and its length or one of two marks.
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_OF_TWO_BYTES: u8 = 126;
const LENGTH_OF_EIGHT_BYTES: u8 = 127;

/// What undoes itself: a payload that is not masked has this key.
pub(super) const NO_KEY: [u8; 4] = [0; 4];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) opcode: Opcode,
    pub(super) is_final: bool,
    pub(super) is_compressed: bool,
    pub(super) length: u64,
    pub(super) key: [u8; 4],
}

impl Opcode {
    fn of(first: u8) -> Option<Self> {
        Some(match first & OPCODE {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return None,
        })
    }

    pub(super) fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

impl From<MessageKind> for Opcode {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        }
    }
}

impl FrameHead {
    /// The head of a frame that is the last, or the only one, of its message.
    pub(super) fn of(opcode: Opcode, length: usize) -> Self {
        FrameHead { opcode, is_final: true, is_compressed: false, length: length as u64, key: NO_KEY }
    }

    /// Reads the head of a frame that `reader` has got, and its length; `None` if more is needed. An error says what is
    /// wrong.
    #[inline]
    pub(super) fn parse(bytes: &[u8], reader: Role) -> Result<Option<(Self, usize)>, &'static str> {
        let &[first, second, ..] = bytes else { return Ok(None) };
        if first & RESERVED != 0 {
            return Err("a reserved bit is set");
        }
        let opcode = Opcode::of(first).ok_or("a reserved opcode")?;
        let is_final = first & FINAL != 0;
        let (is_masked, short) = (second & MASKED != 0, second & LENGTH);
        match reader {
            Role::Server if !is_masked => return Err("a frame of a client is not masked"),
            Role::Client if is_masked => return Err("a frame of a server is masked"),
            Role::Server | Role::Client => {}
        }
        if opcode.is_control() {
            if !is_final {
                return Err("a control frame is fragmented");
            }
            if usize::from(short) > MAX_CONTROL_PAYLOAD {
                return Err("a control frame is longer than 125 bytes");
            }
        }
        let (length, n_read) = match short {
            LENGTH_OF_TWO_BYTES => {
                let Some(length) = bytes.get(2..4) else { return Ok(None) };
                let length = u64::from(u16::from_be_bytes(length.try_into().expect("two bytes")));
                (at_least(126, length)?, 4)
            }
            LENGTH_OF_EIGHT_BYTES => {
                let Some(length) = bytes.get(2..10) else { return Ok(None) };
                let length = u64::from_be_bytes(length.try_into().expect("eight bytes"));
                if length > i64::MAX as u64 {
                    return Err("the top bit of a length is set");
                }
                (at_least(0x1_0000, length)?, 10)
            }
            length => (u64::from(length), 2),
        };
        let (key, n_read) = match bytes.get(n_read..n_read + 4) {
            Some(key) if is_masked => (key.try_into().expect("four bytes"), n_read + 4),
            None if is_masked => return Ok(None),
            _ => (NO_KEY, n_read),
        };
        let is_compressed = first & COMPRESSED != 0;
        Ok(Some((FrameHead { opcode, is_final, is_compressed, length, key }, n_read)))
    }

    /// Writes the head of a frame of `length` bytes, masked if there is a key.
    #[inline]
    pub(super) fn write(&self, key: Option<[u8; 4]>, out: &mut Vec<u8>) {
        let first =
            self.opcode as u8 | if self.is_final { FINAL } else { 0 } | if self.is_compressed { COMPRESSED } else { 0 };
        let masked = if key.is_some() { MASKED } else { 0 };
        match self.length {
            0..=125 => out.extend_from_slice(&[first, masked | self.length as u8]),
            126..=0xffff => {
                let [high, low] = (self.length as u16).to_be_bytes();
                out.extend_from_slice(&[first, masked | LENGTH_OF_TWO_BYTES, high, low]);
            }
            _ => {
                out.extend_from_slice(&[first, masked | LENGTH_OF_EIGHT_BYTES]);
                out.extend_from_slice(&self.length.to_be_bytes());
            }
        }
        if let Some(key) = key {
            out.extend_from_slice(&key);
        }
    }
}

/// A length takes as few bytes as it can (RFC 6455, 5.2).
fn at_least(least: u64, length: u64) -> Result<u64, &'static str> {
    if length < least {
        return Err("a length takes more bytes than it needs");
    }
    Ok(length)
}

/// The start of a head whose end has not come.
#[derive(Debug, Default)]
pub(super) struct PartialHead {
    bytes: [u8; MAX_FRAME_HEAD],
    n_bytes: u8,
}

impl PartialHead {
    /// Whether nothing of a head has come.
    pub(super) fn is_empty(&self) -> bool {
        self.n_bytes == 0
    }

    /// Takes the next head from the start of `data`; `None` if it ends before, when all of it is kept.
    pub(super) fn next(&mut self, data: &mut &[u8], reader: Role) -> Result<Option<FrameHead>, WebSocketError> {
        let n_before = usize::from(self.n_bytes);
        let n_added = data.len().min(MAX_FRAME_HEAD - n_before);
        let n_bytes = n_before + n_added;
        self.bytes[n_before..n_bytes].copy_from_slice(&data[..n_added]);
        match FrameHead::parse(&self.bytes[..n_bytes], reader).map_err(WebSocketError::Protocol)? {
            Some((head, n_read)) => {
                self.n_bytes = 0;
                *data = &data[n_read - n_before..];
                Ok(Some(head))
            }
            None => {
                self.n_bytes = n_bytes as u8;
                *data = &data[n_added..];
                Ok(None)
            }
        }
    }
}
