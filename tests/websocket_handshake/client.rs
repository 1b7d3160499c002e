//! What a client asks, and which answers it takes.

use std::collections::HashSet;

use foster::http::{HeaderList, HeaderValue, header};
use foster::websocket::{
    Accepted, ClientHandshake, MAX_SUBPROTOCOLS, Opening, Rejected, Rejection, ServerHandshake, WebSocketError,
};

use crate::heads::{list, read, request_of, response_of, shown};

fn handshake(subprotocols: &[&str], extensions: Option<&'static str>) -> ClientHandshake {
    let extensions = extensions.map(HeaderValue::from_static);
    ClientHandshake::new(Opening::Upgrade, subprotocols.iter().copied(), extensions).expect("a handshake")
}

/// What a server reads of the request.
fn received(client: &ClientHandshake) -> ServerHandshake {
    let headers = client.request(&HeaderList::new()).expect("no extra fields");
    let fields: Vec<String> = shown(&headers).iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let lines = ["GET / HTTP/1.1", "Host: a"].into_iter().chain(fields.iter().map(String::as_str));
    read(&request_of(lines)).expect("what a client asks, a server understands")
}

/// The lines of the right answer, without a subprotocol.
fn answer(client: &ClientHandshake) -> Vec<String> {
    let headers = received(client).response(None, None, &HeaderList::new()).expect("nothing is chosen");
    let fields = shown(&headers).into_iter().map(|(name, value)| format!("{name}: {value}"));
    ["HTTP/1.1 101 Switching Protocols".to_owned()].into_iter().chain(fields).collect()
}

fn check<'a>(client: &ClientHandshake, lines: impl IntoIterator<Item = &'a String>) -> Result<Accepted, Rejected> {
    client.check(response_of(lines.into_iter().map(String::as_str)))
}

/// The answer with those lines in the place of the one that starts with `name`, or at its end.
fn check_with(client: &ClientHandshake, name: &str, lines: &[String]) -> Result<Accepted, Rejected> {
    let answer = answer(client);
    check(client, answer.iter().filter(|line| !line.starts_with(name)).chain(lines))
}

fn reason(result: Result<Accepted, Rejected>) -> Rejection {
    result.expect_err("this one is to be rejected").reason()
}

#[test]
fn a_request_has_the_fields_of_the_rfc_and_those_of_the_caller() {
    let client = handshake(&["a", "b"], Some("permessage-deflate"));
    let extra = list(&[(header::ORIGIN, "https://example.org"), (header::COOKIE, "a=b")]);
    let headers = client.request(&extra).expect("they are the caller's");
    let key = headers.get(&header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()).expect("a key");
    let expected = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", key),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "a, b"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("origin", "https://example.org"),
        ("cookie", "a=b"),
    ];
    assert_eq!(shown(&headers), expected);
    assert_eq!(headers, client.request(&extra).expect("again"), "the key stays");
}

#[test]
fn every_handshake_has_a_key_of_its_own() {
    let keys: HashSet<_> = (0..100)
        .map(|_| {
            let headers = handshake(&[], None).request(&HeaderList::new()).expect("a request");
            headers.get(&header::SEC_WEBSOCKET_KEY).expect("a key").clone()
        })
        .collect();
    assert_eq!(keys.len(), 100);
}

#[test]
fn a_server_reads_what_a_client_offers() {
    let server = received(&handshake(&["a", "b"], Some("permessage-deflate; client_max_window_bits")));
    assert_eq!(server.subprotocols(), ["a", "b"]);
    assert_eq!(server.extensions().collect::<Vec<_>>(), [b"permessage-deflate; client_max_window_bits"]);
    let server = received(&handshake(&[], None));
    assert!(server.subprotocols().is_empty() && server.extensions().next().is_none());
}

#[test]
fn extra_fields_cannot_be_those_of_the_handshake() {
    let client = handshake(&[], None);
    for name in [
        header::UPGRADE,
        header::CONNECTION,
        header::SEC_WEBSOCKET_KEY,
        header::SEC_WEBSOCKET_VERSION,
        header::SEC_WEBSOCKET_PROTOCOL,
        header::SEC_WEBSOCKET_EXTENSIONS,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        let err = client.request(&list(&[(name.clone(), "1")])).expect_err("it is not the caller's");
        assert!(matches!(err, WebSocketError::State(_)), "{name}: {err:?}");
    }
}

#[test]
fn subprotocols_that_a_server_would_refuse_are_not_offered() {
    let many: Vec<String> = (0..=MAX_SUBPROTOCOLS).map(|n| format!("v{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for names in [&["a b"][..], &[""], &["a,b"], &["a", "b", "a"], &["a\r\nX: y"], &["\u{e9}"], &many] {
        let err = ClientHandshake::new(Opening::Upgrade, names.iter().copied(), None).expect_err("they are refused");
        assert!(matches!(err, WebSocketError::State(_)), "{names:?}: {err:?}");
    }
    assert!(ClientHandshake::new(Opening::Upgrade, many[1..].iter().copied(), None).is_ok());
}

#[test]
fn the_right_answer_is_taken_in_every_spelling() {
    let client = handshake(&["a"], None);
    assert_eq!(check(&client, &answer(&client)).expect("it is right").subprotocol(), None);
    let other = ["Upgrade: WebSocket".to_owned()];
    check_with(&client, "upgrade", &other).expect("in any case");
    let other = ["Connection: x,".to_owned(), "Connection: keep-alive ,UPGRADE".to_owned()];
    check_with(&client, "connection", &other).expect("in any case and company");
    let other = ["Sec-WebSocket-Extensions: ,".to_owned()];
    check_with(&client, "-", &other).expect("an empty list is none");
}

#[test]
fn another_status_is_a_rejection_that_shows_the_head() {
    let client = handshake(&[], None);
    for (line, field, value) in [
        ("HTTP/1.1 200 OK", "Server", "x"),
        ("HTTP/1.1 302 Found", "Location", "/elsewhere"),
        ("HTTP/1.1 401 Unauthorized", "WWW-Authenticate", "Basic"),
        ("HTTP/1.1 403 Forbidden", "X-Reason", "origin"),
        ("HTTP/1.1 426 Upgrade Required", "Sec-WebSocket-Version", "13"),
        ("HTTP/1.1 503 Service Unavailable", "Retry-After", "120"),
    ] {
        let head = response_of([line, "Content-Length: 0", &format!("{field}: {value}")]);
        let rejected = client.check(head).expect_err("it is another status");
        assert_eq!(rejected.reason(), Rejection::Status);
        assert!(line.contains(rejected.status().as_str()));
        assert_eq!(rejected.headers().get(field), Some(value));
        assert_eq!(rejected.head().status(), rejected.status());
        assert_eq!(rejected.to_string(), format!("the server has refused the WebSocket with {}", rejected.status()));
    }
}

#[test]
fn an_answer_that_switches_to_something_else_is_rejected() {
    let client = handshake(&[], None);
    assert_eq!(reason(check_with(&client, "upgrade", &[])), Rejection::Upgrade);
    for value in ["h2c", "websocket, h2c", "websocket/13", "", "websocket, websocket"] {
        assert_eq!(
            reason(check_with(&client, "upgrade", &[format!("Upgrade: {value}")])),
            Rejection::Upgrade,
            "{value}"
        );
    }
}

#[test]
fn an_answer_whose_connection_does_not_upgrade_is_rejected() {
    let client = handshake(&[], None);
    for lines in [&[][..], &["Connection: close".to_owned()], &["Connection: up-grade".to_owned()]] {
        assert_eq!(reason(check_with(&client, "connection", lines)), Rejection::Connection, "{lines:?}");
    }
}

#[test]
fn an_answer_to_another_key_is_rejected() {
    let client = handshake(&[], None);
    let right = answer(&client);
    let right = right.iter().find(|line| line.starts_with("sec-websocket-accept")).expect("an accept").clone();
    let other = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned();
    let (name, value) = right.split_once(": ").expect("a field");
    let folded = format!("{name}: {}", value.to_ascii_lowercase());
    let cut = right[..right.len() - 1].to_owned();
    let longer = format!("{right}=");
    for lines in [vec![], vec![other], vec![folded], vec![cut], vec![longer], vec![right.clone(), right]] {
        assert_eq!(reason(check_with(&client, "sec-websocket-accept", &lines)), Rejection::Accept, "{lines:?}");
    }
}

#[test]
fn the_subprotocol_has_to_be_one_that_was_offered() {
    let client = handshake(&["a", "b"], None);
    let accepted = check_with(&client, "-", &["Sec-WebSocket-Protocol: b".to_owned()]).expect("it was offered");
    assert_eq!(accepted.subprotocol(), Some("b"));
    for value in ["c", "B", "a, b", "", "a,"] {
        let lines = [format!("Sec-WebSocket-Protocol: {value}")];
        assert_eq!(reason(check_with(&client, "-", &lines)), Rejection::Subprotocol, "{value:?}");
    }
    let lines = ["Sec-WebSocket-Protocol: a".to_owned(), "Sec-WebSocket-Protocol: a".to_owned()];
    assert_eq!(reason(check_with(&client, "-", &lines)), Rejection::Subprotocol);
    let client = handshake(&[], None);
    assert_eq!(reason(check_with(&client, "-", &lines[..1])), Rejection::Subprotocol);
}

#[test]
fn extensions_have_to_be_offered() {
    let lines = ["Sec-WebSocket-Extensions: permessage-deflate".to_owned(), "Sec-WebSocket-Extensions: x".to_owned()];
    assert_eq!(reason(check_with(&handshake(&[], None), "-", &lines)), Rejection::Extensions);
    let accepted = check_with(&handshake(&[], Some("permessage-deflate")), "-", &lines).expect("for others to look at");
    assert_eq!(accepted.extensions().collect::<Vec<_>>(), [&b"permessage-deflate"[..], b"x"]);
    let rejected = accepted.reject();
    assert_eq!((rejected.reason(), rejected.status().as_u16()), (Rejection::Extensions, 101));
}

#[test]
fn an_extended_connect_has_neither_upgrade_nor_key_and_takes_any_success() {
    let client = ClientHandshake::new(Opening::ExtendedConnect, ["a"], None).expect("a handshake");
    let headers = client.request(&HeaderList::new()).expect("a request");
    assert_eq!(shown(&headers), [("sec-websocket-version", "13"), ("sec-websocket-protocol", "a")]);
    let accepted = client.check(response_of(["HTTP/1.1 200 OK", "Content-Length: 0", "Sec-WebSocket-Protocol: a"]));
    assert_eq!(accepted.expect("it is right").subprotocol(), Some("a"));
    assert_eq!(reason(client.check(response_of(["HTTP/1.1 400 Bad Request", "Content-Length: 0"]))), Rejection::Status);
    assert_eq!(reason(client.check(response_of(["HTTP/1.1 101 Switching Protocols"]))), Rejection::Status);
}
