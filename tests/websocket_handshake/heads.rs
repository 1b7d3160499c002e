//! Heads of requests and responses, read as they are read from connections.

use foster::http::{HeaderList, HeaderName, HeaderValue, Method, RequestHead, ResponseHead, header};
use foster::http1::{ClientConnection, ClientEvent, ServerConnection, ServerEvent};
use foster::websocket::{HandshakeError, Opening, Origins, ServerHandshake};

/// The lines of the handshake of RFC 6455, 1.2, but for its Origin and its subprotocols.
pub(crate) const SAMPLE: [&str; 6] = [
    "GET /chat HTTP/1.1",
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// A request of those lines.
pub(crate) fn request_of<'a>(lines: impl IntoIterator<Item = &'a str>) -> RequestHead {
    let text: String = lines.into_iter().chain([""]).map(|line| format!("{line}\r\n")).collect();
    let mut connection = ServerConnection::new(Default::default());
    match connection.receive_data(&mut text.as_bytes()) {
        Ok(Some(ServerEvent::Request(request))) => request.head,
        other => panic!("{text:?} is read as {other:?}"),
    }
}

/// The sample with those lines in the place of the one that starts with `name`, or at its end.
pub(crate) fn sample_with(name: &str, lines: &[&str]) -> RequestHead {
    let others = SAMPLE.into_iter().filter(|line| !line.starts_with(name));
    if name == "GET" {
        return request_of(lines.iter().copied().chain(others));
    }
    request_of(others.chain(lines.iter().copied()))
}

/// Reads an upgrade on an unencrypted connection, for pages of the same origin.
pub(crate) fn read(head: &RequestHead) -> Result<ServerHandshake, HandshakeError> {
    ServerHandshake::read(head, Opening::Upgrade, false, &Origins::Same)
}

/// The fields of a list as text, with the names of the RFC.
pub(crate) fn shown(headers: &HeaderList) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII"))).collect()
}

/// A list of those fields.
pub(crate) fn list(fields: &[(HeaderName, &str)]) -> HeaderList {
    fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a value"))).collect()
}

/// A response of those lines to a request with `Upgrade`.
pub(crate) fn response_of<'a>(lines: impl IntoIterator<Item = &'a str>) -> ResponseHead {
    let text: String = lines.into_iter().chain([""]).map(|line| format!("{line}\r\n")).collect();
    let mut connection = ClientConnection::new(Default::default());
    let mut out = Vec::new();
    let headers = list(&[(header::HOST, "a"), (header::UPGRADE, "websocket")]);
    connection.send_request(&Method::GET, "/", &headers, None, &mut out).expect("a request");
    connection.send_end(&HeaderList::new(), &mut out).expect("it has no body");
    match connection.receive_data(&mut text.as_bytes()) {
        Ok(Some(ClientEvent::Switched(head))) => head,
        Ok(Some(ClientEvent::Response(response))) => response.head,
        other => panic!("{text:?} is read as {other:?}"),
    }
}
