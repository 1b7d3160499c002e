//! Every reason for which a server refuses, with its status, its header fields and its sentence.

use foster::http::{RequestHead, Response, header};
use foster::websocket::{HandshakeError, MAX_SUBPROTOCOLS, Opening, Origins, ServerHandshake};

use crate::heads::{SAMPLE, read, request_of, sample_with, shown};

const UPGRADE: [(&str, &str); 2] = [("upgrade", "websocket"), ("connection", "Upgrade")];

fn refusal(head: &RequestHead) -> HandshakeError {
    read(head).expect_err("this one is to be refused")
}

/// The status and the fields with which an error is answered, which stand in its response, too.
fn answer(err: &HandshakeError) -> (u16, Vec<(String, String)>) {
    let response = Response::from(err.clone());
    let headers = err.headers();
    assert_eq!(response.status(), err.status());
    assert_eq!(response.headers(), &headers);
    assert_eq!(response.content_type().expect("text").as_bytes(), b"text/plain; charset=utf-8");
    assert_eq!(response.body().content_length(), Some(err.to_string().len() as u64));
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    (err.status().as_u16(), shown(&headers).into_iter().map(owned).collect())
}

fn assert_answer(err: &HandshakeError, status: u16, fields: &[(&str, &str)]) {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    assert_eq!(answer(err), (status, fields), "{err:?}");
}

#[test]
fn a_method_other_than_get_is_405_with_allow() {
    for line in ["POST /chat HTTP/1.1", "HEAD /chat HTTP/1.1", "get /chat HTTP/1.1", "CONNECT chat:80 HTTP/1.1"] {
        let err = refusal(&sample_with("GET", &[line]));
        assert_eq!(err, HandshakeError::Method(Opening::Upgrade), "{line}");
        assert_answer(&err, 405, &[("allow", "GET")]);
    }
}

#[test]
fn http_10_is_426() {
    let err = refusal(&sample_with("GET", &["GET /chat HTTP/1.0"]));
    assert_eq!(err, HandshakeError::HttpVersion);
    assert_answer(&err, 426, &UPGRADE);
}

#[test]
fn a_plain_request_is_426_with_the_protocol_to_switch_to() {
    let err = refusal(&request_of(["GET /chat HTTP/1.1", "Host: server.example.com"]));
    assert_eq!(err, HandshakeError::Upgrade);
    assert_answer(&err, 426, &UPGRADE);
    for line in ["Upgrade: h2c", "Upgrade: web socket", "Upgrade: websocket/13", "Upgrade: websockets", "Upgrade:"] {
        assert_eq!(refusal(&sample_with("Upgrade", &[line])), HandshakeError::Upgrade, "{line}");
    }
}

#[test]
fn an_upgrade_that_the_connection_does_not_name_is_426() {
    for lines in [&[][..], &["Connection: keep-alive"], &["Connection: upgraded"], &["Connection: close, up grade"]] {
        let err = refusal(&sample_with("Connection", lines));
        assert_eq!(err, HandshakeError::Connection, "{lines:?}");
        assert_answer(&err, 426, &UPGRADE);
    }
}

#[test]
fn another_version_is_426_with_the_version_that_is_spoken() {
    let name = "Sec-WebSocket-Version";
    let mut answers = vec![refusal(&sample_with(name, &[]))];
    for value in ["8", "12", "14", "", "13, 8", "013", "+13", "13 13"] {
        answers.push(refusal(&sample_with(name, &[&format!("{name}: {value}")])));
    }
    answers.push(refusal(&sample_with(name, &["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"])));
    for err in answers {
        assert_eq!(err, HandshakeError::Version(Opening::Upgrade));
        assert_answer(&err, 426, &[UPGRADE[0], UPGRADE[1], ("sec-websocket-version", "13")]);
    }
}

#[test]
fn a_request_without_a_key_is_400() {
    let err = refusal(&sample_with("Sec-WebSocket-Key", &[]));
    assert_eq!(err, HandshakeError::KeyMissing);
    assert_answer(&err, 400, &[]);
}

#[test]
fn two_keys_are_400_even_if_they_are_the_same() {
    let err = refusal(&sample_with("Sec-WebSocket-Key", &[SAMPLE[4], SAMPLE[4]]));
    assert_eq!(err, HandshakeError::KeyRepeated);
    assert_answer(&err, 400, &[]);
}

#[test]
fn a_key_that_is_not_16_bytes_of_base64_is_400() {
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",           // no padding
        "dGhlIHNhbXBsZSBub25jZQ=",          // half of it
        "dGhlIHNhbXBsZSBub25jZQ===",        // too much
        "dGhlIHNhbXBsZSBub25jZQ=a",         // something behind it
        "dGhlIHNhbXBsZSBub25jZQ==, x",      // a list
        "dGhlIHNhbXBsZSBub25j",             // 15 bytes
        "dGhlIHNhbXBsZSBub25jZSE=",         // 17 bytes
        "dGhlIHNhbXBsZSBub25jZSEh",         // 18 bytes
        "dGhlIHNhbXBsZSBub25jZQ-_",         // 18 bytes in another alphabet
        "dGhlIHNh bXBsZSBub25jZQ=",         // a space
        "========================",         // only padding
        "dGhlIHNhbXBsZSBub25jZQ==AAAA",     // data behind the padding
        "dGhlIHNhbXBsZSBub25jZQ\u{e9}",     // beyond ASCII
        "74686520736d706c65206e6f6e636500", // hexadecimal
    ] {
        let err = refusal(&sample_with("Sec-WebSocket-Key", &[&format!("Sec-WebSocket-Key: {key}")]));
        assert_eq!(err, HandshakeError::Key, "{key}");
        assert_answer(&err, 400, &[]);
    }
}

#[test]
fn a_body_is_400() {
    for line in ["Content-Length: 1", "Content-Length: 010", "Transfer-Encoding: chunked"] {
        let err = refusal(&request_of(SAMPLE.into_iter().chain([line])));
        assert_eq!(err, HandshakeError::Body, "{line}");
        assert_answer(&err, 400, &[]);
    }
    assert!(read(&request_of(SAMPLE.into_iter().chain(["Content-Length: 0"]))).is_ok(), "there is none");
}

#[test]
fn the_page_of_somebody_else_is_403() {
    let err = refusal(&sample_with("Origin", &["Origin: https://evil.example"]));
    assert_eq!(err, HandshakeError::Origin { origin: "https://evil.example".to_owned() });
    assert_answer(&err, 403, &[]);
    assert_eq!(err.to_string(), "a page from the origin \"https://evil.example\" may not open a WebSocket here");
}

#[test]
fn a_subprotocol_that_is_no_token_is_400() {
    for value in ["chat room", "chat;q=1", "\"chat\"", "chat, su/per", "ch\u{e4}t", "a=b"] {
        let err = refusal(&sample_with("-", &[&format!("Sec-WebSocket-Protocol: {value}")]));
        assert_eq!(err, HandshakeError::Subprotocol, "{value}");
        assert_answer(&err, 400, &[]);
    }
}

#[test]
fn a_subprotocol_that_is_offered_twice_is_400_also_in_two_fields() {
    for lines in [
        &["Sec-WebSocket-Protocol: chat, x, chat"][..],
        &["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat"],
    ] {
        let err = refusal(&sample_with("-", lines));
        assert_eq!(err, HandshakeError::SubprotocolRepeated, "{lines:?}");
        assert_answer(&err, 400, &[]);
    }
}

#[test]
fn more_subprotocols_than_the_limit_are_400() {
    let offer = |n: usize| {
        let names: Vec<String> = (0..n).map(|n| format!("v{n}")).collect();
        read(&sample_with("-", &[&format!("Sec-WebSocket-Protocol: {}", names.join(","))]))
    };
    assert_eq!(offer(MAX_SUBPROTOCOLS).expect("as many as may be").subprotocols().len(), MAX_SUBPROTOCOLS);
    let err = offer(MAX_SUBPROTOCOLS + 1).expect_err("one more");
    assert_eq!(err, HandshakeError::TooManySubprotocols { limit: MAX_SUBPROTOCOLS });
    assert_answer(&err, 400, &[]);
    assert_eq!(offer(2000).expect_err("many more"), err);
}

#[test]
fn a_server_that_insists_on_a_subprotocol_answers_400() {
    assert_answer(&HandshakeError::NoSubprotocol, 400, &[]);
}

#[test]
fn an_extended_connect_is_refused_without_fields_of_http_11() {
    let read = |lines: &[&str]| {
        let err =
            ServerHandshake::read(&request_of(lines.iter().copied()), Opening::ExtendedConnect, true, &Origins::Same);
        err.expect_err("this one is to be refused")
    };
    let connect = "CONNECT server.example.com:443 HTTP/1.1";
    let host = "Host: server.example.com";
    let err = read(&["GET / HTTP/1.1", host, SAMPLE[5]]);
    assert_eq!(err, HandshakeError::Method(Opening::ExtendedConnect));
    assert_answer(&err, 405, &[("allow", "CONNECT")]);
    let err = read(&[connect, host]);
    assert_eq!(err, HandshakeError::Version(Opening::ExtendedConnect));
    assert_answer(&err, 400, &[("sec-websocket-version", "13")]);
    let err = read(&[connect, host, SAMPLE[5], "Origin: http://server.example.com"]);
    assert_answer(&err, 403, &[]);
    let err = read(&[connect, host, SAMPLE[5], "Content-Length: 3"]);
    assert_eq!(err, HandshakeError::Body);
}

#[test]
fn a_refusal_says_one_sentence_in_lower_case_but_for_names() {
    let origin = HandshakeError::Origin { origin: "<b>\n\u{1b}[31m".to_owned() };
    let text = origin.to_string();
    assert!(!text.contains('\n') && !text.contains('\u{1b}'), "{text}");
    assert!(Response::from(origin).headers().get(&header::CONTENT_TYPE).is_none());
    for err in [
        HandshakeError::Method(Opening::Upgrade),
        HandshakeError::HttpVersion,
        HandshakeError::Upgrade,
        HandshakeError::Connection,
        HandshakeError::Version(Opening::Upgrade),
        HandshakeError::KeyMissing,
        HandshakeError::KeyRepeated,
        HandshakeError::Key,
        HandshakeError::Body,
        HandshakeError::Subprotocol,
        HandshakeError::SubprotocolRepeated,
        HandshakeError::TooManySubprotocols { limit: 64 },
        HandshakeError::NoSubprotocol,
    ] {
        let text = err.to_string();
        assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{text}");
    }
}
