//! Spellings of a request that have to pass.

use foster::websocket::{Opening, Origins, ServerHandshake};

use crate::heads::{SAMPLE, read, request_of, sample_with};

fn accepts(name: &str, lines: &[&str]) {
    if let Err(err) = read(&sample_with(name, lines)) {
        panic!("{lines:?}: {err}");
    }
}

#[test]
fn the_case_of_names_and_tokens_does_not_matter() {
    for fold in [str::to_ascii_lowercase, str::to_ascii_uppercase] {
        let lines = SAMPLE.map(|line| match line.split_once(": ") {
            Some((name, value)) if name == "Sec-WebSocket-Key" => format!("{}: {value}", fold(name)),
            Some((name, value)) => format!("{}: {}", fold(name), fold(value)),
            None => line.to_owned(),
        });
        read(&request_of(lines.iter().map(String::as_str))).expect("only the case differs");
    }
}

#[test]
fn upgrade_is_one_of_several_tokens_of_connection() {
    accepts("Connection", &["Connection: keep-alive, Upgrade"]);
    accepts("Connection", &["Connection: upgrade,keep-alive"]);
    accepts("Connection", &["Connection:   ,\t keep-alive ,, UPGRADE\t,"]);
}

#[test]
fn connection_may_be_split_into_several_fields() {
    accepts("Connection", &["Connection: keep-alive", "Connection: Upgrade"]);
    accepts("Connection", &["Connection: Upgrade", "Connection: x"]);
}

#[test]
fn websocket_is_one_of_several_protocols_to_upgrade_to() {
    accepts("Upgrade", &["Upgrade: h2c, WebSocket"]);
    accepts("Upgrade", &["Upgrade: websocket , IRC/6.9"]);
    accepts("Upgrade", &["Upgrade: TLS/1.2", "Upgrade:websocket"]);
}

#[test]
fn whitespace_around_values_does_not_count() {
    accepts("Sec-WebSocket-Version", &["Sec-WebSocket-Version:  \t13 \t "]);
    accepts("Sec-WebSocket-Key", &["Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==  "]);
}

#[test]
fn the_unused_bits_of_a_key_may_be_set() {
    accepts("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZX=="]);
    accepts("Sec-WebSocket-Key", &["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]);
    accepts("Sec-WebSocket-Key", &["Sec-WebSocket-Key: /+/+/+/+/+/+/+/+/+/+/w=="]);
}

#[test]
fn the_order_of_fields_and_unknown_ones_do_not_matter() {
    let [line, fields @ ..] = SAMPLE;
    let lines =
        [line].into_iter().chain(fields.into_iter().rev()).chain(["X-Other: 1", "Cookie: a=b", "Pragma: no-cache"]);
    read(&request_of(lines)).expect("all of it is there");
}

#[test]
fn subprotocols_keep_their_order_and_case_over_several_fields() {
    let lines = ["Sec-WebSocket-Protocol: b,a ,, B", "Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol: v1.k8s.io~!"];
    let handshake = read(&sample_with("-", &lines)).expect("four subprotocols");
    assert_eq!(handshake.subprotocols(), ["b", "a", "B", "v1.k8s.io~!"]);
    assert!(read(&sample_with("-", &["Sec-WebSocket-Protocol: ,"])).expect("none").subprotocols().is_empty());
}

#[test]
fn extensions_come_as_they_are() {
    let lines = [
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x; y=\"a,b\"",
        "sec-websocket-extensions: foo",
    ];
    let handshake = read(&sample_with("-", &lines)).expect("they are for others to look at");
    let values: Vec<&[u8]> = handshake.extensions().collect();
    assert_eq!(values, [&b"permessage-deflate; client_max_window_bits, x; y=\"a,b\""[..], b"foo"]);
    assert_eq!(read(&request_of(SAMPLE)).expect("the sample").extensions().count(), 0);
}

#[test]
fn an_extended_connect_needs_no_upgrade_and_no_key() {
    let head = request_of([
        "CONNECT server.example.com:443 HTTP/1.1",
        "Host: server.example.com",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: chat",
        "Origin: https://server.example.com",
    ]);
    let handshake = ServerHandshake::read(&head, Opening::ExtendedConnect, true, &Origins::Same).expect("all is there");
    assert_eq!((handshake.opening(), handshake.subprotocols()), (Opening::ExtendedConnect, &["chat".to_owned()][..]));
}
