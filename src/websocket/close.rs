//! [`CloseCode`] and [`CloseFrame`]: why a connection ends.

use std::fmt;

use bytes::Bytes;

use super::error::WebSocketError;
use super::message::Utf8Bytes;

/// The longest reason, in bytes: a control frame holds 125, two of which are the code (RFC 6455, 5.5).
pub const MAX_CLOSE_REASON: usize = 123;

/// A status code of a closing handshake (RFC 6455, 7.4, and the registry of IANA).
///
/// ```
/// use foster::websocket::CloseCode;
///
/// assert!(CloseCode::NORMAL.is_sendable());
/// assert!(!CloseCode::ABNORMAL.is_sendable());
/// assert!(CloseCode::from(4000).is_sendable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled.
    pub const NORMAL: Self = CloseCode(1000);
    /// 1001: a server stops, or a browser leaves the page.
    pub const GOING_AWAY: Self = CloseCode(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = CloseCode(1002);
    /// 1003: a kind of message that is not taken.
    pub const UNSUPPORTED_DATA: Self = CloseCode(1003);
    /// 1005: the peer gave no code. Never sent.
    pub const NO_STATUS: Self = CloseCode(1005);
    /// 1006: the connection ended without a closing handshake. Never sent.
    pub const ABNORMAL: Self = CloseCode(1006);
    /// 1007: data that is not what its type says, as text that is not UTF-8.
    pub const INVALID_DATA: Self = CloseCode(1007);
    /// 1008: against the rules of this end.
    pub const POLICY_VIOLATION: Self = CloseCode(1008);
    /// 1009: a message that is too large.
    pub const MESSAGE_TOO_BIG: Self = CloseCode(1009);
    /// 1010: a client misses an extension.
    pub const MANDATORY_EXTENSION: Self = CloseCode(1010);
    /// 1011: an error of this end.
    pub const INTERNAL_ERROR: Self = CloseCode(1011);
    /// 1012: the server restarts.
    pub const SERVICE_RESTART: Self = CloseCode(1012);
    /// 1013: the server has too much to do.
    pub const TRY_AGAIN_LATER: Self = CloseCode(1013);
    /// 1014: a gateway got a bad answer.
    pub const BAD_GATEWAY: Self = CloseCode(1014);
    /// 1015: TLS failed. Never sent.
    pub const TLS_HANDSHAKE: Self = CloseCode(1015);

    /// Whether it may stand in a close frame: 1000 to 1003, 1007 to 1014, and 3000 to 4999, which belong to libraries
    /// and applications.
    pub fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        CloseCode(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a close frame says: a code and a reason, which is for people who read logs, and often empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code.
    pub code: CloseCode,
    /// The reason.
    pub reason: Utf8Bytes,
}

impl CloseFrame {
    /// A code and its reason.
    pub fn new(code: impl Into<CloseCode>, reason: impl Into<Utf8Bytes>) -> Self {
        CloseFrame { code: code.into(), reason: reason.into() }
    }

    /// Reads the payload of a close frame, which may have neither code nor reason (RFC 6455, 5.5.1).
    pub(super) fn parse(payload: &Bytes) -> Result<Self, WebSocketError> {
        let code = match **payload {
            [] => return Ok(CloseFrame::new(CloseCode::NO_STATUS, Utf8Bytes::default())),
            [_] => return Err(WebSocketError::Protocol("a close frame of one byte")),
            [high, low, ..] => CloseCode(u16::from_be_bytes([high, low])),
        };
        if !code.is_sendable() {
            return Err(WebSocketError::Protocol("a close code that nobody may send"));
        }
        let reason = Utf8Bytes::try_from(payload.slice(2..))
            .map_err(|_| WebSocketError::InvalidData("the reason of a close frame is not UTF-8"))?;
        Ok(CloseFrame { code, reason })
    }

    /// The payload of a close frame.
    ///
    /// # Errors
    ///
    /// The code may not be sent, or the reason is longer than [`MAX_CLOSE_REASON`].
    pub(super) fn payload(&self) -> Result<Vec<u8>, WebSocketError> {
        if !self.code.is_sendable() {
            return Err(WebSocketError::State("a close code that may not be sent"));
        }
        if self.reason.as_bytes().len() > MAX_CLOSE_REASON {
            return Err(WebSocketError::State("the reason of a close frame is longer than 123 bytes"));
        }
        Ok([&self.code.0.to_be_bytes(), self.reason.as_bytes()].concat())
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.reason {
            "" => self.code.fmt(f),
            reason => write!(f, "{} ({reason})", self.code),
        }
    }
}
