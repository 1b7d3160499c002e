//! The client's machine: what it writes, and what it makes of what servers send.

#![cfg(feature = "http1")]

use std::rc::Rc;

use foster::http::{HeaderList, HeaderName, HeaderValue, HttpError, Limits, Method, StatusCode};
use foster::http1::{BodySize, ClientConnection, ClientEvent, ServerConnection, ServerEvent};

/// Names and values of header fields.
type Fields<'a> = &'a [(&'static str, &'static str)];

const HOST: &str = "example.org";

fn connection() -> ClientConnection {
    connection_with(Limits::default().max_body_size(None))
}

fn connection_with(limits: Limits) -> ClientConnection {
    let mut connection = ClientConnection::new(Rc::new(limits));
    connection.set_host(Some(HeaderValue::from_static(HOST)));
    connection
}

fn headers(fields: Fields<'_>) -> HeaderList {
    let field = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    fields.iter().map(field).collect()
}

/// What is written for a request, its end included unless it has a body.
fn written(method: &Method, target: &str, fields: Fields<'_>, size: Option<BodySize>) -> Result<String, HttpError> {
    let (mut connection, mut out) = (connection(), Vec::new());
    connection.send_request(method, target, &headers(fields), size, &mut out)?;
    if size.is_none() {
        connection.send_end(&HeaderList::new(), &mut out)?;
    }
    Ok(String::from_utf8(out).expect("ASCII"))
}

/// A connection whose request was sent.
fn asked(method: Method, fields: Fields<'_>) -> ClientConnection {
    asked_with(Limits::default().max_body_size(None), method, fields)
}

fn asked_with(limits: Limits, method: Method, fields: Fields<'_>) -> ClientConnection {
    let (mut connection, mut out) = (connection_with(limits), Vec::new());
    let target = if method == Method::CONNECT { "example.org:443" } else { "/" };
    connection.send_request(&method, target, &headers(fields), None, &mut out).expect("a request");
    connection.send_end(&HeaderList::new(), &mut out).expect("its end");
    connection
}

/// What a connection says of some bytes, in words; data that follows data is one word, however it was cut.
fn heard(connection: &mut ClientConnection, pieces: &[&[u8]], has_eof: bool) -> (Vec<String>, Vec<u8>) {
    let (mut words, mut left) = (Vec::<String>::new(), Vec::new());
    'reading: for piece in pieces {
        let mut data = *piece;
        loop {
            match connection.receive_data(&mut data) {
                Ok(Some(event)) => say(&mut words, event),
                Ok(None) => break,
                Err(err) => {
                    words.push(format!("{err:?}"));
                    break 'reading;
                }
            }
        }
        left.extend_from_slice(data);
    }
    if has_eof {
        match connection.receive_eof() {
            Ok(Some(event)) => say(&mut words, event),
            Ok(None) => {}
            Err(err) => words.push(format!("{err:?}")),
        }
    }
    (words, left)
}

fn say(words: &mut Vec<String>, event: ClientEvent<'_>) {
    let word = match event {
        ClientEvent::Informational(head) => format!("informational {}", head.status().as_u16()),
        ClientEvent::Response(response) => format!("{} {:?}", response.head.status().as_u16(), response.body),
        ClientEvent::Data(data) => {
            let text = String::from_utf8_lossy(data);
            match words.last_mut() {
                Some(last) if last.starts_with("data ") => {
                    last.push_str(&text);
                    return;
                }
                _ => format!("data {text}"),
            }
        }
        ClientEvent::EndOfMessage(trailers) if trailers.is_empty() => "end".to_owned(),
        ClientEvent::EndOfMessage(trailers) => {
            let names: Vec<&str> = trailers.iter().map(|(name, _)| name.as_str()).collect();
            format!("end with {}", names.join(" "))
        }
        ClientEvent::Switched(head) => format!("switched {}", head.status().as_u16()),
    };
    words.push(word);
}

/// What is heard of a response to GET, whole and byte by byte, which has to be the same.
fn answer(response: &[u8], has_eof: bool) -> Vec<String> {
    answer_to(&Method::GET, &[], response, has_eof).0
}

fn answer_to(method: &Method, fields: Fields<'_>, response: &[u8], has_eof: bool) -> (Vec<String>, Vec<u8>) {
    let whole = heard(&mut asked(method.clone(), fields), &[response], has_eof);
    let bytes: Vec<&[u8]> = response.chunks(1).collect();
    let cut = heard(&mut asked(method.clone(), fields), &bytes, has_eof);
    assert_eq!(whole, cut, "byte by byte");
    let halves = response.split_at(response.len() / 2);
    assert_eq!(whole, heard(&mut asked(method.clone(), fields), &[halves.0, halves.1], has_eof), "in halves");
    whole
}

#[test]
fn a_request_has_its_host_first() {
    let request = written(&Method::GET, "/a?b=%20", &[("accept", "*/*")], None);
    assert_eq!(request.as_deref(), Ok("GET /a?b=%20 HTTP/1.1\r\nhost: example.org\r\naccept: */*\r\n\r\n"));
}

#[test]
fn the_host_of_the_headers_goes_before_the_one_of_the_target_and_of_the_connection() {
    let request = written(&Method::GET, "http://a.test/", &[("host", "b.test:81")], None);
    assert_eq!(request.as_deref(), Ok("GET http://a.test/ HTTP/1.1\r\nhost: b.test:81\r\n\r\n"));
    let request = written(&Method::GET, "http://a.test/", &[], None);
    assert_eq!(request.as_deref(), Ok("GET http://a.test/ HTTP/1.1\r\nhost: a.test\r\n\r\n"));
    let request = written(&Method::CONNECT, "a.test:443", &[], None);
    assert_eq!(request.as_deref(), Ok("CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n"));
}

#[test]
fn a_request_without_exactly_one_good_host_is_not_written() {
    let mut out = Vec::new();
    let mut connection = ClientConnection::new(Rc::default());
    for fields in [&[][..], &[("host", "a"), ("host", "b")], &[("host", "a b")], &[("host", "a, b")]] {
        let sent = connection.send_request(&Method::GET, "/", &headers(fields), None, &mut out);
        assert!(matches!(sent, Err(HttpError::State(_))), "{fields:?}");
    }
    assert!(out.is_empty() && connection.is_idle());
}

#[test]
fn a_target_that_would_break_the_line_is_not_written() {
    for target in ["", "a", "/ b", "/\r\nx: y", "/a#b", "/\u{e4}", "*", "ftp://a/", "http://", "http://a b/", "//\0"] {
        assert!(matches!(written(&Method::GET, target, &[], None), Err(HttpError::State(_))), "{target:?}");
    }
    assert!(written(&Method::OPTIONS, "*", &[], None).is_ok());
    for target in ["/", "a.test", "http://a.test/", ":443", "a.test:"] {
        assert!(matches!(written(&Method::CONNECT, target, &[], None), Err(HttpError::State(_))), "{target:?}");
    }
}

#[test]
fn the_body_is_marked_off_by_what_is_known_of_it() {
    let (known, unknown) = (Some(BodySize::Known(3)), Some(BodySize::Unknown));
    let cases: [(Method, Fields<'_>, Option<BodySize>, &str); 9] = [
        (Method::GET, &[], None, ""),
        (Method::POST, &[], None, "content-length: 0\r\n"),
        (Method::GET, &[], Some(BodySize::Known(0)), "content-length: 0\r\n"),
        (Method::POST, &[], known, "content-length: 3\r\n"),
        (Method::POST, &[("content-length", "3")], known, "content-length: 3\r\n"),
        (Method::POST, &[("transfer-encoding", "gzip")], known, "content-length: 3\r\n"),
        (Method::POST, &[], unknown, "transfer-encoding: chunked\r\n"),
        (Method::POST, &[("content-length", "7")], unknown, "content-length: 7\r\n"),
        (Method::DELETE, &[("content-length", "0")], None, "content-length: 0\r\n"),
    ];
    for (method, fields, size, framing) in cases {
        let expected = format!("{method} / HTTP/1.1\r\nhost: example.org\r\n{framing}\r\n");
        assert_eq!(written(&method, "/", fields, size), Ok(expected), "{method} {fields:?} {size:?}");
    }
}

#[test]
fn a_length_that_contradicts_the_body_is_refused() {
    let known = Some(BodySize::Known(3));
    let cases: [(Method, &str, Option<BodySize>); 5] = [
        (Method::POST, "4", known),
        (Method::POST, "+3", known),
        (Method::POST, "", known),
        (Method::GET, "3", None),
        (Method::POST, "99999999999999999999", Some(BodySize::Unknown)),
    ];
    for (method, length, size) in cases {
        assert_eq!(written(&method, "/", &[("content-length", length)], size), Err(HttpError::Framing), "{length:?}");
    }
    assert_eq!(written(&Method::CONNECT, "a:1", &[], known), Err(HttpError::Framing));
    assert_eq!(written(&Method::CONNECT, "a:1", &[], Some(BodySize::Unknown)), Err(HttpError::Framing));
}

#[test]
fn connection_names_what_is_for_the_next_hop_only() {
    let fields = [("connection", "x, close"), ("upgrade", "websocket"), ("te", "trailers")];
    let request = written(&Method::GET, "/", &fields, None).expect("a request");
    assert!(request.ends_with("\r\nupgrade: websocket\r\nte: trailers\r\nconnection: upgrade, TE, close\r\n\r\n"));
}

#[test]
fn a_body_is_held_against_its_length() {
    let (mut connection, mut out) = (connection(), Vec::new());
    let size = Some(BodySize::Known(3));
    connection.send_request(&Method::POST, "/", &HeaderList::new(), size, &mut out).expect("a request");
    connection.send_data(b"ab", &mut out).expect("two of three");
    assert_eq!(connection.send_end(&HeaderList::new(), &mut out), Err(HttpError::TooLittleBody));
    assert_eq!(connection.send_data(b"cd", &mut out), Err(HttpError::TooMuchBody));
    assert!(connection.is_sending());
}

#[test]
fn chunks_and_trailers_are_written() {
    let (mut connection, mut out) = (connection(), Vec::new());
    let size = Some(BodySize::Unknown);
    connection.send_request(&Method::POST, "/", &HeaderList::new(), size, &mut out).expect("a request");
    out.clear();
    connection.send_data(b"0123456789abcdef!", &mut out).expect("a chunk");
    connection.send_data(b"", &mut out).expect("nothing");
    connection.send_end(&headers(&[("x-sum", "1")]), &mut out).expect("the end");
    assert_eq!(String::from_utf8_lossy(&out), "11\r\n0123456789abcdef!\r\n0\r\nx-sum: 1\r\n\r\n");
}

#[test]
fn a_second_request_waits_for_the_first() {
    let (mut connection, mut out) = (asked(Method::GET, &[]), Vec::new());
    let sent = connection.send_request(&Method::GET, "/", &HeaderList::new(), None, &mut out);
    assert!(matches!(sent, Err(HttpError::State(_))));
    assert_eq!(heard(&mut connection, &[b"HTTP/1.1 204 No Content\r\n\r\n"], false).0, ["204 Known(0)", "end"]);
    assert!(connection.is_idle());
    connection.send_request(&Method::GET, "/", &HeaderList::new(), None, &mut out).expect("the second");
}

#[test]
fn sending_without_a_request_is_refused() {
    let (mut connection, mut out) = (connection(), Vec::new());
    assert!(matches!(connection.send_data(b"x", &mut out), Err(HttpError::State(_))));
    assert!(matches!(connection.send_end(&HeaderList::new(), &mut out), Err(HttpError::State(_))));
    assert!(out.is_empty());
}

#[test]
fn a_body_of_known_length_ends_with_its_last_byte() {
    assert_eq!(
        answer(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", false),
        ["200 Known(5)", "data hello", "end"]
    );
    assert_eq!(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false), ["200 Known(0)", "end"]);
}

#[test]
fn line_ends_of_a_body_are_its_own() {
    assert_eq!(
        answer(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na\nb", false),
        ["200 Known(3)", "data a\nb", "end"]
    );
    for n in 0..38 {
        let (head, rest) = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\n\n\n\n".split_at(n);
        assert_eq!(heard(&mut asked(Method::GET, &[]), &[head, rest], false).0.last().map(String::as_str), Some("end"));
    }
}

#[test]
fn a_chunked_body_ends_with_its_trailers() {
    let response =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nx-sum: 1\r\n\r\n";
    assert_eq!(answer(response, false), ["200 Unknown", "data hello", "end with x-sum"]);
}

#[test]
fn a_body_without_a_length_ends_with_the_stream() {
    let response = b"HTTP/1.1 200 OK\r\n\r\nhello";
    assert_eq!(answer(response, false), ["200 Unknown", "data hello"]);
    assert_eq!(answer(response, true), ["200 Unknown", "data hello", "end"]);
    assert_eq!(answer(b"HTTP/1.0 200 OK\r\n\r\n", true), ["200 Unknown", "end"]);
}

#[test]
fn some_responses_have_no_body_whatever_they_say() {
    let head = &[(Method::HEAD, "200 OK"), (Method::GET, "204 No Content"), (Method::GET, "304 Not Modified")];
    for (method, status) in head {
        for field in ["content-length: 5\r\n", "transfer-encoding: chunked\r\n", ""] {
            let response = format!("HTTP/1.1 {status}\r\n{field}\r\n");
            let (words, _) = answer_to(method, &[], response.as_bytes(), false);
            assert_eq!(words, [format!("{} Known(0)", &status[..3]), "end".into()], "{method} {response}");
        }
    }
}

#[test]
fn informational_responses_come_before_the_response() {
    let response = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
        HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    assert_eq!(answer(response, false), ["informational 100", "informational 103", "200 Known(1)", "data x", "end"]);
}

#[test]
fn a_switch_of_protocols_leaves_what_follows() {
    let upgrade = [("upgrade", "echo")];
    let (words, left) =
        answer_to(&Method::GET, &upgrade, b"HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\n\r\n\x00raw", true);
    assert_eq!((words, &left[..]), (vec!["switched 101".to_owned()], &b"\x00raw"[..]));
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nraw";
    let (words, left) = answer_to(&Method::CONNECT, &[], response, true);
    assert_eq!((words, &left[..]), (vec!["switched 200".to_owned()], &b"raw"[..]));
}

#[test]
fn a_refused_switch_is_a_response() {
    let response = b"HTTP/1.1 407 No\r\ncontent-length: 2\r\n\r\nno";
    assert_eq!(answer_to(&Method::CONNECT, &[], response, false).0, ["407 Known(2)", "data no", "end"]);
    assert_eq!(answer_to(&Method::GET, &[("upgrade", "echo")], response, false).0, ["407 Known(2)", "data no", "end"]);
}

#[test]
fn a_switch_that_nobody_has_asked_for_is_an_error() {
    assert_eq!(answer(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\n\r\n", false), ["Unexpected"]);
    // Its body was not sent, so that the server cannot have read the request.
    let (mut connection, mut out) = (connection(), Vec::new());
    let upgrade = headers(&[("upgrade", "echo")]);
    connection.send_request(&Method::POST, "/", &upgrade, Some(BodySize::Known(1)), &mut out).expect("a request");
    assert_eq!(heard(&mut connection, &[b"HTTP/1.1 101 X\r\n\r\n"], false).0, ["Unexpected"]);
}

#[test]
fn data_that_no_request_has_asked_for_is_an_error() {
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    let stray = [&response[..], b"HTTP/1.1 200 OK\r\n\r\n"].concat();
    assert_eq!(answer(&stray, false), ["200 Known(1)", "data x", "end", "Unexpected"]);
    let mut idle = connection();
    assert_eq!(heard(&mut idle, &[b"H"], false).0, ["Unexpected"]);
    assert!(idle.must_close() && !idle.is_idle());
}

#[test]
fn what_follows_the_last_response_of_a_connection_is_ignored() {
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nxjunk";
    let mut connection = asked(Method::GET, &[]);
    assert_eq!(heard(&mut connection, &[response], true).0, ["200 Known(1)", "data x", "end"]);
    assert!(connection.must_close());
}

#[test]
fn malformed_responses_are_errors() {
    let cases: [(&[u8], &str); 25] = [
        (b"HTTP/1.1 200 OK\n\n", "LineEnd"),
        (b"HTTP/1.1 200 OK\n\r\n", "LineEnd"),
        (b"HTTP/1.1 200 OK\r\na: b\n\r\n", "LineEnd"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "StatusLine"),
        (b"\nHTTP/1.1 200 OK\r\n\r\n", "StatusLine"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "StatusLine"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "StatusLine"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "StatusLine"),
        (b"HTTP/1.1 x00 OK\r\n\r\n", "StatusLine"),
        (b"HTTP/1.2 200 OK\r\n\r\n", "Version"),
        (b"HTTP/2 200\r\n\r\n", "Version"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "Version"),
        (b"<html></html>\r\n\r\n", "Version"),
        (b"HTTP/1.1 200 OK\r\n folded\r\n\r\n", "HeaderName"),
        (b"HTTP/1.1 200 OK\r\na : b\r\n\r\n", "HeaderName"),
        (b"HTTP/1.1 200 OK\r\na: b\0\r\n\r\n", "HeaderValue"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "ContentLength"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "ContentLength"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\n", "ContentLength"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", "LengthAndTransferEncoding"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", "TransferEncoding"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "TransferCoding"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", "TransferEncoding"),
        (b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "TransferEncodingBefore11"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n", "TransferEncoding"),
    ];
    for (response, expected) in cases {
        for pieces in [vec![response], response.chunks(1).collect()] {
            let mut connection = asked(Method::GET, &[]);
            let (words, _) = heard(&mut connection, &pieces, true);
            assert_eq!(words, [expected], "{:?}", String::from_utf8_lossy(response));
            assert!(connection.must_close());
        }
    }
}

#[test]
fn a_broken_chunk_is_an_error_after_the_head() {
    for (chunks, expected) in [("x\r\n", "ChunkSize"), ("1\r\nabc", "ChunkEnd"), ("0\r\nhost: a\r\n\r\n", "Trailer")] {
        let response = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(answer(response.as_bytes(), false).last().map(String::as_str), Some(expected));
    }
}

#[test]
fn a_stream_that_ends_within_a_response_is_incomplete() {
    let responses = [
        "",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-len",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ];
    for response in responses {
        assert_eq!(answer(response.as_bytes(), true).last().map(String::as_str), Some("Incomplete"), "{response:?}");
    }
}

#[test]
fn the_end_of_an_idle_connection_is_none_of_a_message() {
    let mut connection = connection();
    assert!(matches!(connection.receive_eof(), Ok(None)));
    assert!(connection.must_close() && !connection.is_idle());
}

#[test]
fn the_connection_is_kept_as_both_sides_say() {
    let cases = [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "connection: x, Close\r\n", false),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "connection: keep-alive\r\n", true),
        ("HTTP/1.0", "connection: keep-alive, close\r\n", false),
    ];
    for (version, field, is_kept) in cases {
        let response = format!("{version} 200 OK\r\ncontent-length: 0\r\n{field}\r\n");
        let mut connection = asked(Method::GET, &[]);
        heard(&mut connection, &[response.as_bytes()], false);
        assert_eq!((connection.is_idle(), connection.must_close()), (is_kept, !is_kept), "{response:?}");
    }
    let mut connection = asked(Method::GET, &[("connection", "close")]);
    heard(&mut connection, &[b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"], false);
    assert!(connection.must_close());
}

#[test]
fn a_response_may_go_beyond_no_limit() {
    let limits = || Limits::default().max_head_size(100).max_headers(3).max_body_size(Some(4)).max_trailers_size(20);
    let long = "x".repeat(200);
    let cases = [
        (format!("HTTP/1.1 200 OK\r\na: {long}\r\n\r\n"), "HeadTooLarge { limit: 100 }"),
        (format!("HTTP/1.1 200 {long}"), "HeadTooLarge { limit: 100 }"),
        ("HTTP/1.1 200 OK\r\na: b\r\na: b\r\na: b\r\na: b\r\n\r\n".into(), "TooManyHeaders { limit: 3 }"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".into(), "BodyTooLarge { limit: 4 }"),
        ("HTTP/1.1 200 OK\r\n\r\nhello".into(), "BodyTooLarge { limit: 4 }"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello".into(), "BodyTooLarge { limit: 4 }"),
        (
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: {long}\r\n\r\n"),
            "TrailersTooLarge { limit: 20 }",
        ),
    ];
    for (response, expected) in &cases {
        for pieces in [vec![response.as_bytes()], response.as_bytes().chunks(1).collect()] {
            let mut connection = asked_with(limits(), Method::GET, &[]);
            let (words, _) = heard(&mut connection, &pieces, false);
            assert_eq!(words.last().map(String::as_str), Some(*expected), "{response:?}");
        }
    }
}

#[test]
fn a_response_may_come_before_the_request_was_sent() {
    let (mut connection, mut out) = (connection(), Vec::new());
    let size = Some(BodySize::Known(4));
    connection.send_request(&Method::POST, "/", &HeaderList::new(), size, &mut out).expect("a request");
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    assert_eq!(heard(&mut connection, &[response], false).0, ["200 Known(1)", "data x", "end"]);
    assert!(connection.is_sending() && !connection.is_idle());
    connection.send_data(b"data", &mut out).expect("the body");
    connection.send_end(&HeaderList::new(), &mut out).expect("its end");
    assert!(out.ends_with(b"\r\n\r\ndata") && connection.is_idle());
}

#[test]
fn an_error_that_closes_ends_the_sending_of_the_body() {
    let (mut connection, mut out) = (connection(), Vec::new());
    let size = Some(BodySize::Known(4));
    connection.send_request(&Method::POST, "/", &HeaderList::new(), size, &mut out).expect("a request");
    out.clear();
    let response = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert_eq!(heard(&mut connection, &[response], false).0, ["413 Known(0)", "end"]);
    assert_eq!(connection.frame_data(4, &mut out), Ok(None));
    assert_eq!(connection.send_end(&HeaderList::new(), &mut out), Ok(()));
    assert!(!connection.is_sending() && connection.must_close() && out.is_empty());
}

#[test]
fn a_body_that_waits_for_100_continue_is_asked_for_or_dropped() {
    let expecting = || {
        let (mut connection, mut out) = (connection(), Vec::new());
        let fields = headers(&[("expect", "100-continue")]);
        connection.send_request(&Method::POST, "/", &fields, Some(BodySize::Known(1)), &mut out).expect("a request");
        assert!(connection.expects_continue());
        connection
    };
    let mut asked = expecting();
    heard(&mut asked, &[b"HTTP/1.1 103 Early Hints\r\n\r\n"], false);
    assert!(asked.expects_continue());
    heard(&mut asked, &[b"HTTP/1.1 100 Continue\r\n\r\n"], false);
    assert!(asked.is_sending() && !asked.expects_continue());

    let mut answered = expecting();
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(heard(&mut answered, &[response], false).0, ["200 Known(0)", "end"]);
    assert!(!answered.is_sending() && answered.must_close());

    let (mut impatient, mut out) = (expecting(), Vec::new());
    impatient.send_data(b"x", &mut out).expect("nothing forbids it");
    impatient.send_end(&HeaderList::new(), &mut out).expect("the end");
    heard(&mut impatient, &[response], false);
    assert!(impatient.is_idle());
}

#[test]
fn an_expectation_without_a_body_is_none() {
    assert!(!asked(Method::GET, &[("expect", "100-continue")]).expects_continue());
}

/// Carries what one side has written to the other, `n` bytes at a time.
fn exchange(n: usize) {
    let (mut client, mut server) = (connection(), ServerConnection::new(Rc::default()));
    for round in 0..3 {
        let mut out = Vec::new();
        client.send_request(&Method::POST, "/x", &HeaderList::new(), Some(BodySize::Unknown), &mut out).expect("asks");
        client.send_data(b"question", &mut out).expect("a body");
        client.send_end(&headers(&[("x-sum", "8")]), &mut out).expect("an end");

        let (mut body, mut trailers) = (Vec::new(), None);
        for piece in out.chunks(n) {
            let mut data = piece;
            while let Some(event) = server.receive_data(&mut data).expect("a good request") {
                match event {
                    ServerEvent::Request(request) => {
                        assert_eq!((request.head.path(), request.head.host()), ("/x", Some(HOST)));
                    }
                    ServerEvent::Data(data) => body.extend_from_slice(data),
                    ServerEvent::EndOfMessage(end) => trailers = Some(end),
                }
            }
        }
        assert_eq!((&body[..], trailers), (&b"question"[..], Some(headers(&[("x-sum", "8")]))));

        let mut out = Vec::new();
        let size = if round == 0 { BodySize::Known(6) } else { BodySize::Unknown };
        server.send_informational(StatusCode::EARLY_HINTS, &HeaderList::new(), &mut out).expect("a hint");
        server.send_response(StatusCode::OK, None, &HeaderList::new(), size, None, &mut out).expect("a response");
        server.send_data(b"answer", &mut out).expect("a body");
        server.send_end(&HeaderList::new(), &mut out).expect("an end");
        let pieces: Vec<&[u8]> = out.chunks(n).collect();
        let head = format!("200 {size:?}");
        assert_eq!(heard(&mut client, &pieces, false).0, ["informational 103", &head, "data answer", "end"]);
        assert!(client.is_idle() && server.is_idle());
    }
}

#[test]
fn both_machines_understand_each_other() {
    exchange(usize::MAX);
    exchange(1);
    exchange(7);
}

#[test]
fn both_machines_close_when_one_says_so() {
    let (mut client, mut server) = (connection(), ServerConnection::new(Rc::default()));
    let mut out = Vec::new();
    let close = headers(&[("connection", "close")]);
    client.send_request(&Method::GET, "/", &close, None, &mut out).expect("asks");
    client.send_end(&HeaderList::new(), &mut out).expect("an end");
    let mut data = &out[..];
    while server.receive_data(&mut data).expect("a good request").is_some() {}
    let mut out = Vec::new();
    let list = headers(&[("server", "x")]);
    server.send_response(StatusCode::NOT_FOUND, None, &list, BodySize::Known(0), None, &mut out).expect("a response");
    server.send_end(&HeaderList::new(), &mut out).expect("an end");
    assert_eq!(heard(&mut client, &[&out], false).0, ["404 Known(0)", "end"]);
    assert!(client.must_close() && server.must_close());
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

#[test]
fn whatever_comes_is_understood_the_same_however_it_is_cut() {
    let responses: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 103 Hints\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
            3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nx-sum: 1\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\nhello",
        b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nraw",
    ];
    let replacements = b"\r\n\0 :;,0159afAF\x80HTP/.-\t";
    let mut numbers = Numbers(7);
    let mut n_errors = 0;
    for round in 0..20_000 {
        let mut response = responses[round % responses.len()].to_vec();
        for _ in 0..numbers.below(3) {
            let at = numbers.below(response.len());
            match numbers.below(3) {
                0 => response[at] = replacements[numbers.below(replacements.len())],
                1 => response.insert(at, replacements[numbers.below(replacements.len())]),
                _ => drop(response.remove(at)),
            }
        }
        let upgrade = [("upgrade", "echo")];
        let whole = heard(&mut asked(Method::GET, &upgrade), &[&response], true);
        let at = numbers.below(response.len() + 1);
        let cuts: [Vec<&[u8]>; 2] = [vec![&response[..at], &response[at..]], response.chunks(1).collect()];
        for pieces in cuts {
            let cut = heard(&mut asked(Method::GET, &upgrade), &pieces, true);
            assert_eq!(whole, cut, "{:?}", String::from_utf8_lossy(&response));
        }
        n_errors += usize::from(is_error(&whole.0));
    }
    assert!(n_errors > 1000, "{n_errors}");
}

fn is_error(words: &[String]) -> bool {
    words.last().is_some_and(|word| word.starts_with(char::is_uppercase))
}
