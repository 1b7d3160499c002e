//! Subprotocols: offered by the client in the order of its liking, one of them chosen by the server.

use crate::http::{HeaderValue, Headers, IN_TOKEN, header, tokens};
use crate::websocket::WebSocketError;

use super::error::HandshakeError;

/// The most subprotocols that a client may offer. Programs in browsers offer one or two, `kubectl` five; each is
/// compared with every other, so what fits a head would be too many.
pub const MAX_SUBPROTOCOLS: usize = 64;

/// What a request offers, in order. Empty members do not count, nor does an empty field.
///
/// # Errors
///
/// [`HandshakeError`] for what is no token, for one that is offered twice (RFC 6455, 4.1), and for too many.
pub(super) fn offered(headers: Headers<'_>) -> Result<Vec<String>, HandshakeError> {
    let mut names: Vec<String> = Vec::new();
    for name in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL.as_str()).flat_map(tokens) {
        let name = as_token(name).ok_or(HandshakeError::Subprotocol)?;
        if names.iter().any(|found| found == name) {
            return Err(HandshakeError::SubprotocolRepeated);
        }
        if names.len() == MAX_SUBPROTOCOLS {
            return Err(HandshakeError::TooManySubprotocols { limit: MAX_SUBPROTOCOLS });
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// What a client is to offer, as the value of its field; `None` if that is nothing.
///
/// # Errors
///
/// [`WebSocketError::State`] for what a server would refuse.
pub(super) fn to_offer(names: &[String]) -> Result<Option<HeaderValue>, WebSocketError> {
    if names.iter().any(|name| as_token(name.as_bytes()).is_none()) {
        return Err(WebSocketError::State("a subprotocol is a token: letters, digits and !#$%&'*+-.^_`|~"));
    }
    if names.iter().enumerate().any(|(n, name)| names[..n].contains(name)) {
        return Err(WebSocketError::State("a subprotocol is offered twice"));
    }
    if names.len() > MAX_SUBPROTOCOLS {
        return Err(WebSocketError::State("more than 64 subprotocols are offered"));
    }
    Ok(if names.is_empty() { None } else { HeaderValue::try_from(names.join(", ")).ok() })
}

/// The text of a token (RFC 9110, 5.6.2).
fn as_token(bytes: &[u8]) -> Option<&str> {
    let is_token = IN_TOKEN.n_leading(bytes) == bytes.len();
    if is_token && !bytes.is_empty() { std::str::from_utf8(bytes).ok() } else { None }
}
