//! Header fields of handshakes.

use crate::http::{HeaderList, HeaderName, Headers, header};
use crate::websocket::WebSocketError;

/// The only version that there is (RFC 6455, 4.1).
pub(super) const VERSION: &str = "13";

/// What the handshake says itself, and what would give a head a body that neither side of a handshake has.
const OWN: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::SEC_WEBSOCKET_ACCEPT,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_VERSION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Appends the header fields of the caller.
///
/// # Errors
///
/// [`WebSocketError::State`] if one of them is the handshake's own.
pub(super) fn append_extra(headers: &mut HeaderList, extra: &HeaderList) -> Result<(), WebSocketError> {
    if extra.iter().any(|(name, _)| OWN.contains(name)) {
        return Err(WebSocketError::State(
            "Upgrade, Connection, Sec-WebSocket-* and the length of a body are not for extra headers of a handshake",
        ));
    }
    for (name, value) in extra.iter() {
        headers.append(name.clone(), value.clone());
    }
    Ok(())
}

/// The value of the only field of that name: `Ok(None)` if there is none.
///
/// # Errors
///
/// [`Repeated`] if there are several.
pub(super) fn only<'a>(headers: Headers<'a>, name: &HeaderName) -> Result<Option<&'a [u8]>, Repeated> {
    let mut values = headers.get_all(name.as_str());
    let first = values.next();
    if values.next().is_some() { Err(Repeated) } else { Ok(first) }
}

/// A field stands there more than once.
#[derive(Debug)]
pub(super) struct Repeated;
