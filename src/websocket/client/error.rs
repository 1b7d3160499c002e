//! [`ConnectError`]: why a client has no WebSocket.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::http1::ClientError;
use crate::websocket::WebSocketError;
use crate::websocket::handshake::{BadUrl, Rejected};

/// Why a client has no WebSocket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is none of a WebSocket.
    Url(BadUrl),
    /// The subprotocols or the header fields are none that can be sent.
    Request(WebSocketError),
    /// There is no connection, or no response: what HTTP says to it.
    Http(ClientError),
    /// It has taken longer than it may.
    TimedOut(Duration),
    /// The server has given another answer: it refuses, asks for a password, points elsewhere.
    Rejected {
        /// Status, header fields, and what is wrong.
        rejected: Rejected,
        /// The body, or the first 64 KiB of it, as far as it came in time.
        body: Bytes,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Url(_) => f.write_str("there is nothing to connect to"),
            ConnectError::Request(_) => f.write_str("the WebSocket cannot be asked for"),
            ConnectError::Http(_) => f.write_str("the server has not answered"),
            ConnectError::TimedOut(timeout) => write!(f, "there is no WebSocket after {timeout:?}: see open_timeout"),
            ConnectError::Rejected { rejected, .. } => rejected.fmt(f),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConnectError::Url(err) => Some(err),
            ConnectError::Request(err) => Some(err),
            ConnectError::Http(err) => Some(err),
            ConnectError::TimedOut(_) | ConnectError::Rejected { .. } => None,
        }
    }
}
