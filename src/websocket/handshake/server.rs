//! [`ServerHandshake`]: the server's side.

use crate::http::{HeaderList, HeaderValue, Headers, RequestHead, Version, header};
use crate::websocket::WebSocketError;

use super::accept_key::{accept_key, is_key};
use super::error::HandshakeError;
use super::fields::{self, Repeated, VERSION};
use super::opening::Opening;
use super::origin::Origins;
use super::subprotocols;

/// The server's side of a handshake: what a client has asked for, and the head that answers it. It does no I/O.
///
/// ```
/// use foster::http::{HeaderList, header};
/// use foster::http1::{ServerConnection, ServerEvent};
/// use foster::websocket::{Opening, Origins, ServerHandshake};
///
/// let mut connection = ServerConnection::new(Default::default());
/// let mut data = &b"GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.org\r\n\
///     Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n"[..];
/// let Some(ServerEvent::Request(request)) = connection.receive_data(&mut data)? else { panic!("a request") };
/// let handshake = ServerHandshake::read(&request.head, Opening::Upgrade, false, &Origins::Same)?;
/// assert_eq!(handshake.subprotocols(), ["chat", "superchat"]);
///
/// let chosen = handshake.choose(["superchat", "chat"]);
/// let headers = handshake.response(chosen, None, &HeaderList::new())?;
/// let value = |name| headers.get(&name).map(|value| value.as_bytes());
/// assert_eq!(value(header::SEC_WEBSOCKET_ACCEPT), Some(&b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="[..]));
/// assert_eq!(value(header::SEC_WEBSOCKET_PROTOCOL), Some(&b"superchat"[..]));
/// // connection.send_switching_protocols(&headers, &mut out) once the end of the request has come
/// # foster::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct ServerHandshake {
    opening: Opening,
    /// The answer to the key, if the opening has one.
    accept: Option<HeaderValue>,
    subprotocols: Vec<String>,
    extensions: Vec<Vec<u8>>,
}

impl ServerHandshake {
    /// Reads what a client asks for. `is_secure` is whether the connection is encrypted, which is part of its origin.
    ///
    /// `Host` was checked when the head was read.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`], which can be answered as a [`Response`](crate::http::Response).
    pub fn read(
        head: &RequestHead,
        opening: Opening,
        is_secure: bool,
        origins: &Origins,
    ) -> Result<Self, HandshakeError> {
        let headers = head.headers();
        if *head.method() != opening.method() {
            return Err(HandshakeError::Method(opening));
        }
        if opening == Opening::Upgrade {
            check_upgrade(head)?;
        }
        let version = fields::only(headers, &header::SEC_WEBSOCKET_VERSION);
        if !matches!(version, Ok(Some(version)) if version == VERSION.as_bytes()) {
            return Err(HandshakeError::Version(opening));
        }
        let accept = match opening {
            Opening::Upgrade => Some(accept(headers)?),
            Opening::ExtendedConnect => None,
        };
        if has_body(headers) {
            return Err(HandshakeError::Body);
        }
        origins.check(head, is_secure)?;
        let subprotocols = subprotocols::offered(headers)?;
        let extensions = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS.as_str()).map(<[u8]>::to_vec).collect();
        Ok(ServerHandshake { opening, accept, subprotocols, extensions })
    }

    /// How it was read, and what the status of the response is.
    pub fn opening(&self) -> Opening {
        self.opening
    }

    /// The subprotocols that the client offers, the one it likes best first: at most [`MAX_SUBPROTOCOLS`], each once.
    ///
    /// [`MAX_SUBPROTOCOLS`]: super::MAX_SUBPROTOCOLS
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The first of `preferred` that the client offers: the order is the server's, as in Quart and `websockets`. They
    /// compare as they are written.
    ///
    /// `None`, if there is none, is a subprotocol, too: the connection has no name for what it speaks. A server that
    /// insists refuses with [`HandshakeError::NoSubprotocol`].
    pub fn choose<'a>(&self, preferred: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        preferred.into_iter().find(|name| self.offers(name))
    }

    fn offers(&self, subprotocol: &str) -> bool {
        self.subprotocols.iter().any(|offered| offered == subprotocol)
    }

    /// The values of `Sec-WebSocket-Extensions`, as they came and in order.
    pub fn extensions(&self) -> impl Iterator<Item = &[u8]> {
        self.extensions.iter().map(Vec::as_slice)
    }

    /// The header fields of the response that opens the WebSocket, whose status is that of the
    /// [`opening`](ServerHandshake::opening): with a subprotocol that the client offers, or none, with the value of
    /// `Sec-WebSocket-Extensions`, and with the caller's own fields, as cookies.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`] for a subprotocol that was not offered, for extensions where none were, and for `extra`
    /// fields that are the handshake's own: `Upgrade`, `Connection`, `Sec-WebSocket-*` and the length of a body.
    pub fn response(
        &self,
        subprotocol: Option<&str>,
        extensions: Option<&HeaderValue>,
        extra: &HeaderList,
    ) -> Result<HeaderList, WebSocketError> {
        let mut headers = HeaderList::new();
        if let Some(accept) = &self.accept {
            headers.append(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.append(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.append(header::SEC_WEBSOCKET_ACCEPT, accept.clone());
        }
        if let Some(name) = subprotocol {
            const NOT_OFFERED: WebSocketError = WebSocketError::State("the client does not offer this subprotocol");
            let value = HeaderValue::from_str(name).ok().filter(|_| self.offers(name)).ok_or(NOT_OFFERED)?;
            headers.append(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        if let Some(extensions) = extensions {
            if self.extensions.is_empty() {
                return Err(WebSocketError::State("the client offers no extensions"));
            }
            headers.append(header::SEC_WEBSOCKET_EXTENSIONS, extensions.clone());
        }
        fields::append_extra(&mut headers, extra)?;
        Ok(headers)
    }
}

/// Whether HTTP/1.1 is asked to switch to WebSocket.
fn check_upgrade(head: &RequestHead) -> Result<(), HandshakeError> {
    let headers = head.headers();
    if head.version() != Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    if !headers.has_token(header::UPGRADE.as_str(), "websocket") {
        return Err(HandshakeError::Upgrade);
    }
    if !headers.has_token(header::CONNECTION.as_str(), "upgrade") {
        return Err(HandshakeError::Connection);
    }
    Ok(())
}

/// The answer to the key.
fn accept(headers: Headers<'_>) -> Result<HeaderValue, HandshakeError> {
    match fields::only(headers, &header::SEC_WEBSOCKET_KEY) {
        Ok(Some(key)) if is_key(key) => HeaderValue::try_from(accept_key(key)).map_err(|_| HandshakeError::Key),
        Ok(Some(_)) => Err(HandshakeError::Key),
        Ok(None) => Err(HandshakeError::KeyMissing),
        Err(Repeated) => Err(HandshakeError::KeyRepeated),
    }
}

/// Whether the request announces a body, which would stand where the first frame is looked for.
fn has_body(headers: Headers<'_>) -> bool {
    let length = headers.get_bytes(header::CONTENT_LENGTH.as_str());
    let has_length = length.is_some_and(|digits| digits.iter().any(|&digit| digit != b'0'));
    has_length || headers.contains(header::TRANSFER_ENCODING.as_str())
}
