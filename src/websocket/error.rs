//! [`WebSocketError`]: what goes wrong with a WebSocket, and with which code it ends.

use std::error::Error;
use std::fmt;

use super::close::{CloseCode, CloseFrame};

/// What goes wrong with a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The peer broke RFC 6455 or 7692: 1002.
    Protocol(&'static str),
    /// Text that is not UTF-8, or compressed data that is none: 1007.
    InvalidData(&'static str),
    /// A message that is not the JSON that was asked for, with what is wrong: 1007.
    Json(String),
    /// A message above the limit, in bytes after decompression: 1009.
    MessageTooBig {
        /// The limit.
        limit: usize,
    },
    /// The connection is over. What was received before has been delivered.
    Closed(Box<Closed>),
    /// The caller has asked for what cannot be done now.
    State(&'static str),
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What the peer said: [`CloseCode::NO_STATUS`] if it gave no code, [`CloseCode::ABNORMAL`] if the connection was
    /// lost without a closing handshake.
    pub received: CloseFrame,
    /// What this end has said, if it came to that.
    pub sent: Option<CloseFrame>,
}

impl WebSocketError {
    /// How the connection ended, if that is what it says.
    pub fn closed(&self) -> Option<&Closed> {
        match self {
            WebSocketError::Closed(closed) => Some(closed),
            _ => None,
        }
    }

    /// The code that tells the peer; `None` where there is nobody, or nothing, to tell.
    pub fn close_code(&self) -> Option<CloseCode> {
        match self {
            WebSocketError::Protocol(_) => Some(CloseCode::PROTOCOL_ERROR),
            WebSocketError::InvalidData(_) | WebSocketError::Json(_) => Some(CloseCode::INVALID_DATA),
            WebSocketError::MessageTooBig { .. } => Some(CloseCode::MESSAGE_TOO_BIG),
            WebSocketError::Closed(_) | WebSocketError::State(_) => None,
        }
    }
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebSocketError::Protocol(what) | WebSocketError::InvalidData(what) | WebSocketError::State(what) => {
                f.write_str(what)
            }
            WebSocketError::Json(what) => write!(f, "a message is not the JSON that was expected: {what}"),
            WebSocketError::MessageTooBig { limit } => write!(f, "a message is larger than {limit} bytes"),
            WebSocketError::Closed(closed) => write!(f, "the WebSocket is closed: {}", closed.received),
        }
    }
}

impl Error for WebSocketError {}
