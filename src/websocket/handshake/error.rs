//! [`HandshakeError`]: why a server does not open a WebSocket.

use std::error::Error;
use std::fmt;

use crate::http::{HeaderList, HeaderValue, Response, StatusCode, header};

use super::fields::VERSION;
use super::opening::Opening;

/// Why a server does not open a WebSocket: what is wrong with the request of the client, as a [`Response`] says it.
///
/// ```
/// use foster::http::{Response, header};
/// use foster::websocket::{HandshakeError, Opening};
///
/// let response = Response::from(HandshakeError::Version(Opening::Upgrade));
/// assert_eq!(response.status(), 426);
/// assert_eq!(response.headers().get(&header::SEC_WEBSOCKET_VERSION).map(|value| value.as_bytes()), Some(&b"13"[..]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The method is not that of the opening: 405 with `Allow`.
    Method(Opening),
    /// The request is of HTTP/1.0, whose `Upgrade` has to be ignored (RFC 9110, 7.8): 426.
    HttpVersion,
    /// `Upgrade` does not name `websocket`: 426.
    Upgrade,
    /// `Connection` does not name `upgrade`: 426.
    Connection,
    /// `Sec-WebSocket-Version` is not there once with 13: 426, or 400 where there is no `Upgrade`, and the version that
    /// is spoken (RFC 6455, 4.4).
    Version(Opening),
    /// There is no `Sec-WebSocket-Key`: 400.
    KeyMissing,
    /// There is more than one `Sec-WebSocket-Key`: 400.
    KeyRepeated,
    /// `Sec-WebSocket-Key` is not the base64 of 16 bytes: 400.
    Key,
    /// The request has a body: 400.
    Body,
    /// [`Origins`](super::Origins) do not allow the page that asks: 403.
    Origin {
        /// What `Origin` says.
        origin: String,
    },
    /// A subprotocol is no token: 400.
    Subprotocol,
    /// A subprotocol is offered twice: 400.
    SubprotocolRepeated,
    /// More subprotocols are offered than the limit: 400.
    TooManySubprotocols {
        /// How many there may be.
        limit: usize,
    },
    /// `Sec-WebSocket-Extensions` is malformed: 400.
    Extensions,
    /// For a server that insists on a subprotocol: the client offers none that it speaks. 400.
    NoSubprotocol,
}

impl HandshakeError {
    /// The status that answers it.
    pub fn status(&self) -> StatusCode {
        match self {
            HandshakeError::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            HandshakeError::HttpVersion
            | HandshakeError::Upgrade
            | HandshakeError::Connection
            | HandshakeError::Version(Opening::Upgrade) => StatusCode::UPGRADE_REQUIRED,
            HandshakeError::Origin { .. } => StatusCode::FORBIDDEN,
            HandshakeError::Version(Opening::ExtendedConnect)
            | HandshakeError::KeyMissing
            | HandshakeError::KeyRepeated
            | HandshakeError::Key
            | HandshakeError::Body
            | HandshakeError::Subprotocol
            | HandshakeError::SubprotocolRepeated
            | HandshakeError::TooManySubprotocols { .. }
            | HandshakeError::Extensions
            | HandshakeError::NoSubprotocol => StatusCode::BAD_REQUEST,
        }
    }

    /// The header fields that answer it: what the client may do instead.
    pub fn headers(&self) -> HeaderList {
        let mut headers = HeaderList::new();
        // 426 never goes without `Upgrade` (RFC 9110, 15.5.22), which goes with `Connection` (7.8).
        if self.status() == StatusCode::UPGRADE_REQUIRED {
            headers.append(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.append(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        }
        match self {
            HandshakeError::Method(opening) => {
                let allowed = match opening {
                    Opening::Upgrade => "GET",
                    Opening::ExtendedConnect => "CONNECT",
                };
                headers.append(header::ALLOW, HeaderValue::from_static(allowed));
            }
            HandshakeError::Version(_) => {
                headers.append(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            }
            _ => {}
        }
        headers
    }
}

/// The response, with a sentence as its text.
impl From<HandshakeError> for Response {
    fn from(err: HandshakeError) -> Self {
        let mut response = Response::text(err.to_string());
        response.set_status(err.status());
        *response.headers_mut() = err.headers();
        response
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HandshakeError::Method(opening) => {
                return write!(f, "a WebSocket is opened with the method {}", opening.method());
            }
            HandshakeError::HttpVersion => {
                "a WebSocket is opened with HTTP/1.1, not 1.0: a proxy in front has to speak it, too"
            }
            HandshakeError::Upgrade => "a WebSocket is opened with the field \"Upgrade: websocket\"",
            HandshakeError::Connection => "a WebSocket is opened with the field \"Connection: Upgrade\"",
            HandshakeError::Version(_) => "a WebSocket is opened with the field \"Sec-WebSocket-Version: 13\", once",
            HandshakeError::KeyMissing => "the request has no Sec-WebSocket-Key",
            HandshakeError::KeyRepeated => "the request has more than one Sec-WebSocket-Key",
            HandshakeError::Key => "Sec-WebSocket-Key is not 16 bytes in base64",
            HandshakeError::Body => "a request that opens a WebSocket has no body",
            HandshakeError::Origin { origin } => {
                return write!(f, "a page from the origin {origin:?} may not open a WebSocket here");
            }
            HandshakeError::Subprotocol => "Sec-WebSocket-Protocol has a member that is no token",
            HandshakeError::SubprotocolRepeated => "Sec-WebSocket-Protocol names a subprotocol twice",
            HandshakeError::TooManySubprotocols { limit } => {
                return write!(f, "Sec-WebSocket-Protocol names more than {limit} subprotocols");
            }
            HandshakeError::Extensions => "Sec-WebSocket-Extensions is not a list of extensions",
            HandshakeError::NoSubprotocol => "Sec-WebSocket-Protocol names no subprotocol that is spoken here",
        })
    }
}

impl Error for HandshakeError {}
