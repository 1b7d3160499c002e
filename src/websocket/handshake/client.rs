//! [`ClientHandshake`]: the client's side.

use crate::http::{HeaderList, HeaderValue, Headers, ResponseHead, header, tokens};
use crate::websocket::WebSocketError;

use super::accept_key::{accept_key, random_key};
use super::fields::{self, VERSION};
use super::opening::Opening;
use super::rejected::{Rejected, Rejection};
use super::subprotocols;

/// The client's side of a handshake: the head that asks for a WebSocket, and what the answer to it says. It does no I/O.
///
/// ```
/// use foster::http::{HeaderList, HeaderValue};
/// use foster::http1::{ClientConnection, ClientEvent};
/// use foster::websocket::{ClientHandshake, Opening, Rejection, WebSocketUrl};
///
/// let url: WebSocketUrl = "ws://example.org/chat".parse()?;
/// let handshake = ClientHandshake::new(Opening::Upgrade, ["chat"], None)?;
/// let mut connection = ClientConnection::new(Default::default());
/// connection.set_host(Some(url.host_header().clone()));
/// let headers = handshake.request(&HeaderList::new())?;
/// let mut out = Vec::new();
/// connection.send_request(&Opening::Upgrade.method(), url.target(), &headers, None, &mut out)?;
/// connection.send_end(&HeaderList::new(), &mut out)?;
///
/// let mut data = &b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: of another key\r\n\r\n"[..];
/// let Some(ClientEvent::Switched(head)) = connection.receive_data(&mut data)? else { panic!("a switch") };
/// assert_eq!(handshake.check(head).unwrap_err().reason(), Rejection::Accept);
/// # foster::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientHandshake {
    opening: Opening,
    /// If the opening has one.
    key: Option<HeaderValue>,
    subprotocols: Vec<String>,
    /// `subprotocols` in one line.
    protocol: Option<HeaderValue>,
    extensions: Option<HeaderValue>,
}

impl ClientHandshake {
    /// A handshake with a key of its own, which offers these subprotocols, the one it likes best first, and the
    /// extensions of that value of `Sec-WebSocket-Extensions`.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`] for a subprotocol that is no token or is there twice, for more than
    /// [`MAX_SUBPROTOCOLS`](super::MAX_SUBPROTOCOLS), and if the operating system gives no random key.
    pub fn new(
        opening: Opening,
        subprotocols: impl IntoIterator<Item: Into<String>>,
        extensions: Option<HeaderValue>,
    ) -> Result<Self, WebSocketError> {
        // One beyond the limit is enough to refuse them.
        let names = subprotocols.into_iter().take(subprotocols::MAX_SUBPROTOCOLS + 1);
        let subprotocols: Vec<String> = names.map(Into::into).collect();
        let protocol = subprotocols::to_offer(&subprotocols)?;
        let key = match opening {
            Opening::Upgrade => {
                Some(random_key().ok_or(WebSocketError::State("the operating system gives no random key"))?)
            }
            Opening::ExtendedConnect => None,
        };
        Ok(ClientHandshake { opening, key, subprotocols, protocol, extensions })
    }

    /// The header fields of the request, whose method is that of the [`Opening`], and the caller's own, as `Origin`,
    /// `Authorization` and cookies. `Host` is not among them unless the caller gives it.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`] for `extra` fields that are the handshake's own: `Upgrade`, `Connection`,
    /// `Sec-WebSocket-*` and the length of a body.
    pub fn request(&self, extra: &HeaderList) -> Result<HeaderList, WebSocketError> {
        let mut headers = HeaderList::new();
        if let Some(key) = &self.key {
            headers.append(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.append(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.append(header::SEC_WEBSOCKET_KEY, key.clone());
        }
        headers.append(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        if let Some(protocol) = &self.protocol {
            headers.append(header::SEC_WEBSOCKET_PROTOCOL, protocol.clone());
        }
        if let Some(extensions) = &self.extensions {
            headers.append(header::SEC_WEBSOCKET_EXTENSIONS, extensions.clone());
        }
        fields::append_extra(&mut headers, extra)?;
        Ok(headers)
    }

    /// Looks at the response (RFC 6455, 4.1). Whether the extensions are as they were offered is for who has offered
    /// them to say, with [`reject`](Accepted::reject) if not; where none were, there must be none.
    ///
    /// # Errors
    ///
    /// [`Rejected`]: the connection is no WebSocket.
    pub fn check(&self, head: ResponseHead) -> Result<Accepted, Rejected> {
        match self.subprotocol_of(&head) {
            Ok(subprotocol) => Ok(Accepted { subprotocol, head }),
            Err(reason) => Err(Rejected::new(reason, head)),
        }
    }

    fn subprotocol_of(&self, head: &ResponseHead) -> Result<Option<String>, Rejection> {
        let headers = head.headers();
        let is_status = match self.opening {
            Opening::Upgrade => head.status() == self.opening.status(),
            Opening::ExtendedConnect => head.status().is_success(),
        };
        if !is_status {
            return Err(Rejection::Status);
        }
        if let Some(key) = &self.key {
            check_upgrade(headers, key)?;
        }
        let extensions = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS.as_str()).flat_map(tokens);
        if self.extensions.is_none() && extensions.count() > 0 {
            return Err(Rejection::Extensions);
        }
        match fields::only(headers, &header::SEC_WEBSOCKET_PROTOCOL) {
            Ok(None) => Ok(None),
            Ok(Some(name)) => {
                let offered = self.subprotocols.iter().find(|offered| offered.as_bytes() == name);
                offered.cloned().map(Some).ok_or(Rejection::Subprotocol)
            }
            Err(_) => Err(Rejection::Subprotocol),
        }
    }
}

/// Whether HTTP/1.1 has switched to the WebSocket that was asked for.
fn check_upgrade(headers: Headers<'_>, key: &HeaderValue) -> Result<(), Rejection> {
    let mut upgrades = headers.get_all(header::UPGRADE.as_str()).flat_map(tokens);
    let is_websocket = upgrades.next().is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"));
    if !is_websocket || upgrades.next().is_some() {
        return Err(Rejection::Upgrade);
    }
    if !headers.has_token(header::CONNECTION.as_str(), "upgrade") {
        return Err(Rejection::Connection);
    }
    let accept = accept_key(key.as_bytes());
    match fields::only(headers, &header::SEC_WEBSOCKET_ACCEPT) {
        Ok(Some(found)) if found == accept.as_bytes() => Ok(()),
        _ => Err(Rejection::Accept),
    }
}

/// A response that opens a WebSocket.
#[derive(Clone, Debug)]
pub struct Accepted {
    subprotocol: Option<String>,
    head: ResponseHead,
}

impl Accepted {
    /// The subprotocol that the server has chosen, if it has chosen one.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// The values of `Sec-WebSocket-Extensions`, as they came and in order.
    pub fn extensions(&self) -> impl Iterator<Item = &[u8]> {
        self.head.headers().get_all(header::SEC_WEBSOCKET_EXTENSIONS.as_str())
    }

    /// The same response as one that opens no WebSocket after all, because its extensions are not as they were offered.
    pub fn reject(self) -> Rejected {
        Rejected::new(Rejection::Extensions, self.head)
    }

    /// Status, version and header fields of the response.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }
}
