//! The end of HTTP on a connection: `101 Switching Protocols`, and CONNECT.

use foster::http::{HeaderList, HeaderValue, HttpError, Method, StatusCode, header};
use foster::http1::{BodySize, ServerConnection, ServerEvent};

use crate::wire::{asked, asked_for, taken};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn to_websocket() -> HeaderList {
    HeaderList::from_iter([(header::UPGRADE, HeaderValue::from_static("websocket"))])
}

#[test]
fn a_client_asks_for_another_protocol_with_both_fields_and_http_11() {
    let asks = |fields: &str| taken(&[&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")])[0].has_upgrade;
    assert!(asks("Connection: upgrade\r\nUpgrade: websocket\r\n"));
    assert!(asks("upgrade: h2c\r\nconnection: x\r\nconnection: y, UPGRADE\r\n"));
    assert!(!asks("Connection: upgrade\r\n"));
    assert!(!asks("Upgrade: websocket\r\n"));
    assert!(!asks("Connection: upgraded\r\nUpgrade: websocket\r\n"));
    assert!(!taken(&["GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"])[0].has_upgrade);
}

#[test]
fn a_switch_leaves_what_comes_behind_it_to_the_other_protocol() {
    let mut connection = ServerConnection::new(Default::default());
    let input = format!("{UPGRADE}\x01\x02frames");
    let mut data = input.as_bytes();
    assert!(matches!(connection.receive_data(&mut data), Ok(Some(ServerEvent::Request(_)))));
    assert!(matches!(connection.receive_data(&mut data), Ok(Some(ServerEvent::EndOfMessage(_)))));
    let mut out = Vec::new();
    connection.send_switching_protocols(&to_websocket(), &mut out).expect("it was asked for");
    assert_eq!(out, b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    assert!(matches!(connection.receive_data(&mut data), Ok(None)));
    assert_eq!(data, b"\x01\x02frames");
    assert!(!connection.must_close() && !connection.is_idle() && !connection.must_respond());
    assert_eq!(connection.receive_eof(), Ok(()));
    assert!(!connection.must_close(), "the end of the stream is the other protocol's, too");
    connection.send_error(StatusCode::BAD_REQUEST, None, &mut out);
    assert!(out.ends_with(b"websocket\r\n\r\n"), "HTTP has no more to say");
}

#[test]
fn nothing_is_switched_that_no_request_has_asked_for() {
    let mut out = Vec::new();
    let mut idle = ServerConnection::new(Default::default());
    assert!(matches!(idle.send_switching_protocols(&to_websocket(), &mut out), Err(HttpError::State(_))));
    let mut plain = asked_for(Method::GET);
    assert!(matches!(plain.send_switching_protocols(&to_websocket(), &mut out), Err(HttpError::State(_))));
    let mut old = asked("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(matches!(old.send_switching_protocols(&to_websocket(), &mut out), Err(HttpError::State(_))));
    assert!(out.is_empty() && plain.must_respond());
}

#[test]
fn nothing_is_switched_before_the_request_was_read() {
    let mut connection = ServerConnection::new(Default::default());
    let input = UPGRADE.replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n");
    let mut data = input.as_bytes();
    assert!(matches!(connection.receive_data(&mut data), Ok(Some(ServerEvent::Request(_)))));
    let mut out = Vec::new();
    assert!(matches!(connection.send_switching_protocols(&to_websocket(), &mut out), Err(HttpError::State(_))));
    let mut data = &b"hi"[..];
    while let Ok(Some(_)) = connection.receive_data(&mut data) {}
    connection.send_switching_protocols(&to_websocket(), &mut out).expect("it was read");
}

#[test]
fn an_upgrade_may_be_answered_as_any_request() {
    let mut connection = asked(UPGRADE);
    let mut out = Vec::new();
    let headers = to_websocket();
    let size = BodySize::Known(0);
    connection.send_response(StatusCode::UPGRADE_REQUIRED, None, &headers, size, None, &mut out).expect("it waits");
    assert_eq!(
        String::from_utf8_lossy(&out),
        "HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\ncontent-length: 0\r\nconnection: upgrade\r\n\r\n"
    );
    connection.send_end(&HeaderList::new(), &mut out).expect("nothing more was said");
    assert!(connection.is_idle());
}

#[test]
fn a_tunnel_has_neither_length_nor_end() {
    let mut connection = asked_for(Method::CONNECT);
    let mut out = Vec::new();
    let length = HeaderList::from_iter([(header::CONTENT_LENGTH, HeaderValue::from_static("5"))]);
    connection.send_connected(&length, &mut out).expect("CONNECT");
    assert_eq!(out, b"HTTP/1.1 200 OK\r\n\r\n");
    let mut data = &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..];
    assert!(matches!(connection.receive_data(&mut data), Ok(None)));
    assert_eq!(data.len(), 27);
}

#[test]
fn only_connect_opens_a_tunnel() {
    let mut connection = asked_for(Method::GET);
    let mut out = Vec::new();
    assert!(matches!(connection.send_connected(&HeaderList::new(), &mut out), Err(HttpError::State(_))));
    assert!(out.is_empty() && connection.must_respond());
}

#[test]
fn a_tunnel_that_is_refused_is_an_exchange_like_any_other() {
    let mut connection = asked_for(Method::CONNECT);
    let mut out = Vec::new();
    let none = HeaderList::new();
    connection
        .send_response(StatusCode::FORBIDDEN, None, &none, BodySize::Known(2), None, &mut out)
        .and_then(|()| connection.send_data(b"no", &mut out))
        .and_then(|()| connection.send_end(&none, &mut out))
        .expect("it waits");
    assert_eq!(out, b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
    assert!(connection.is_idle());
}

#[test]
fn a_plain_success_to_connect_has_no_body_and_closes() {
    let mut connection = asked_for(Method::CONNECT);
    let mut out = Vec::new();
    let none = HeaderList::new();
    connection
        .send_response(StatusCode::OK, None, &none, BodySize::Known(2), None, &mut out)
        .and_then(|()| connection.send_data(b"no", &mut out))
        .and_then(|()| connection.send_end(&none, &mut out))
        .expect("it waits");
    assert_eq!(out, b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
    assert!(connection.must_close());
}
