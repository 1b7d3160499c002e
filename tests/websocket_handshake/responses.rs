//! What a server answers when it opens a WebSocket.

use foster::http::{HeaderList, HeaderValue, header};
use foster::websocket::{Opening, Origins, ServerHandshake, WebSocketError};

use crate::heads::{SAMPLE, list, read, request_of, sample_with, shown};

const ACCEPTED: [(&str, &str); 3] =
    [("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")];

fn offering(lines: &[&str]) -> ServerHandshake {
    read(&sample_with("-", lines)).expect("a handshake")
}

#[test]
fn the_example_of_the_rfc_gets_the_answer_of_the_rfc() {
    let handshake = read(&request_of(SAMPLE)).expect("the sample");
    let headers = handshake.response(None, None, &HeaderList::new()).expect("nothing is chosen");
    assert_eq!(shown(&headers), ACCEPTED);
    assert_eq!(handshake.opening().status(), 101);
}

#[test]
fn the_answer_names_what_was_chosen_and_what_the_caller_adds() {
    let handshake = offering(&["Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Extensions: permessage-deflate"]);
    let extensions = HeaderValue::from_static("permessage-deflate");
    let extra = list(&[(header::SET_COOKIE, "a=1"), (header::SET_COOKIE, "b=2"), (header::SERVER, "x")]);
    let headers = handshake.response(Some("b"), Some(&extensions), &extra).expect("both were offered");
    let mut expected = ACCEPTED.to_vec();
    expected.extend([
        ("sec-websocket-protocol", "b"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("server", "x"),
    ]);
    assert_eq!(shown(&headers), expected);
}

#[test]
fn the_first_that_the_server_likes_and_the_client_offers_is_chosen() {
    let handshake = offering(&["Sec-WebSocket-Protocol: a, b, c"]);
    assert_eq!(handshake.choose(["x", "c", "a"]), Some("c"));
    assert_eq!(handshake.choose(["A", "x"]), None, "the case counts");
    assert_eq!(handshake.choose([]), None);
    assert_eq!(offering(&[]).choose(["a"]), None);
}

#[test]
fn a_subprotocol_that_was_not_offered_cannot_be_chosen() {
    let handshake = offering(&["Sec-WebSocket-Protocol: a, b"]);
    for name in ["c", "A", "a, b", "", "a\r\nX: y"] {
        let err = handshake.response(Some(name), None, &HeaderList::new()).expect_err("it was not offered");
        assert!(matches!(err, WebSocketError::State(_)), "{name}: {err:?}");
    }
}

#[test]
fn extensions_need_an_offer() {
    let value = HeaderValue::from_static("permessage-deflate");
    let err = offering(&[]).response(None, Some(&value), &HeaderList::new()).expect_err("none were offered");
    assert!(matches!(err, WebSocketError::State(_)), "{err:?}");
}

#[test]
fn extra_fields_cannot_be_those_of_the_handshake() {
    let handshake = offering(&["Sec-WebSocket-Protocol: a"]);
    for name in [
        header::UPGRADE,
        header::CONNECTION,
        header::SEC_WEBSOCKET_ACCEPT,
        header::SEC_WEBSOCKET_EXTENSIONS,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_PROTOCOL,
        header::SEC_WEBSOCKET_VERSION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        let extra = list(&[(header::SERVER, "x"), (name.clone(), "a")]);
        let err = handshake.response(None, None, &extra).expect_err("it is not the caller's");
        assert!(matches!(err, WebSocketError::State(_)), "{name}: {err:?}");
    }
}

#[test]
fn an_extended_connect_is_answered_without_fields_of_http_11() {
    let head = request_of([
        "CONNECT a:443 HTTP/1.1",
        "Host: a",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: chat",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]);
    let handshake = ServerHandshake::read(&head, Opening::ExtendedConnect, true, &Origins::Same).expect("all is there");
    let headers = handshake.response(Some("chat"), None, &HeaderList::new()).expect("it was offered");
    assert_eq!(shown(&headers), [("sec-websocket-protocol", "chat")]);
    assert_eq!(handshake.opening().status(), 200);
}
