//! [`Opening`]: what a handshake looks like in a version of HTTP.

use crate::http::{Method, StatusCode};

/// What a handshake looks like in a version of HTTP. What both forms share is said by the same header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opening {
    /// In HTTP/1.1 (RFC 6455, 4): GET with `Upgrade: websocket` and a key, which 101 and the matching
    /// `Sec-WebSocket-Accept` answer.
    Upgrade,
    /// In HTTP/2 and HTTP/3 (RFC 8441, RFC 9220): CONNECT with `:protocol` of `websocket`, which 200 answers. There is no
    /// `Upgrade`, no `Connection`, no key. The pseudo-header fields are for the caller to read and to write.
    ExtendedConnect,
}

impl Opening {
    /// The method of the request.
    pub fn method(self) -> Method {
        match self {
            Opening::Upgrade => Method::GET,
            Opening::ExtendedConnect => Method::CONNECT,
        }
    }

    /// The status of the response that opens the WebSocket.
    pub fn status(self) -> StatusCode {
        match self {
            Opening::Upgrade => StatusCode::SWITCHING_PROTOCOLS,
            Opening::ExtendedConnect => StatusCode::OK,
        }
    }
}
