//! One request after the other: keep-alive, pipelining, `Expect` and the end.

use foster::http::{HeaderList, HttpError, Method, StatusCode};
use foster::http1::{BodySize, ServerConnection, ServerEvent};

use crate::wire::{asked, asked_for, play_every_way, refused, taken};

/// Answers with no body.
fn answer(connection: &mut ServerConnection) -> String {
    let mut out = Vec::new();
    let none = HeaderList::new();
    connection.send_response(StatusCode::OK, None, &none, BodySize::Known(0), None, &mut out).expect("a request waits");
    connection.send_end(&none, &mut out).expect("nothing more was said");
    String::from_utf8(out).expect("text")
}

fn next<'a>(connection: &mut ServerConnection, data: &mut &'a [u8]) -> Option<ServerEvent<'a>> {
    connection.receive_data(data).expect("nothing is wrong")
}

const KEEPING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const CLOSING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[test]
fn a_connection_of_http_11_is_kept_unless_the_client_says_close() {
    let kept = ["", "Connection: keep-alive\r\n", "Connection: x, y\r\n", "Connection: closed\r\n", "X: close\r\n"];
    for field in kept {
        let mut connection = asked(&format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n"));
        assert_eq!(answer(&mut connection), KEEPING, "{field:?}");
        assert!(connection.is_idle() && !connection.must_close());
    }
    let closed = [
        "Connection: close\r\n",
        "Connection: x,\tCLOSE ,y\r\n",
        "Connection: x\r\nConnection: close\r\n",
        "Connection: close, keep-alive\r\n",
    ];
    for field in closed {
        let mut connection = asked(&format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n"));
        assert_eq!(answer(&mut connection), CLOSING, "{field:?}");
        assert!(connection.must_close() && !connection.is_idle());
    }
}

#[test]
fn a_connection_of_http_10_is_closed_unless_the_client_says_keep_alive() {
    for field in ["", "Connection: x\r\n", "Connection: keep-alive, close\r\n", "Keep-Alive: 5\r\n"] {
        let mut connection = asked(&format!("GET / HTTP/1.0\r\n{field}\r\n"));
        assert_eq!(answer(&mut connection), CLOSING, "{field:?}");
        assert!(connection.must_close());
    }
    let mut connection = asked("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_eq!(answer(&mut connection), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n");
    assert!(connection.is_idle());
}

#[test]
fn the_next_request_is_not_read_before_the_response_is_done() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = &b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"[..];
    assert!(matches!(next(&mut connection, &mut data), Some(ServerEvent::Request(_))));
    assert!(matches!(next(&mut connection, &mut data), Some(ServerEvent::EndOfMessage(_))));
    let n_left = data.len();
    assert!(next(&mut connection, &mut data).is_none() && data.len() == n_left);

    let (none, mut out) = (HeaderList::new(), Vec::new());
    connection.send_response(StatusCode::OK, None, &none, BodySize::Known(1), None, &mut out).expect("a request waits");
    assert!(next(&mut connection, &mut data).is_none() && data.len() == n_left);
    connection.send_data(b"a", &mut out).expect("one byte");
    assert!(next(&mut connection, &mut data).is_none() && data.len() == n_left);
    connection.send_end(&none, &mut out).expect("all was sent");
    let Some(ServerEvent::Request(request)) = next(&mut connection, &mut data) else { panic!("the next request") };
    assert_eq!(request.head.path(), "/b");
    assert!(data.is_empty());
}

#[test]
fn the_next_request_is_not_read_before_the_last_one_was() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = &b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab"[..];
    assert!(matches!(next(&mut connection, &mut data), Some(ServerEvent::Request(_))));
    assert_eq!(answer(&mut connection), KEEPING, "the response need not wait for the request");
    assert!(connection.is_receiving_body() && !connection.is_idle() && !connection.must_close());

    let mut rest = &b"cdGET /b HTTP/1.1\r\nHost: a\r\n\r\n"[..];
    assert!(matches!(next(&mut connection, &mut data), Some(ServerEvent::Data(b"ab"))));
    assert!(matches!(next(&mut connection, &mut rest), Some(ServerEvent::Data(b"cd"))));
    assert!(matches!(next(&mut connection, &mut rest), Some(ServerEvent::EndOfMessage(_))));
    assert!(connection.is_idle());
    assert!(matches!(next(&mut connection, &mut rest), Some(ServerEvent::Request(_))));
}

#[test]
fn requests_in_one_read_are_answered_in_order() {
    let outcome = play_every_way(&b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5));
    assert_eq!(outcome.heads().len(), 5);
    assert_eq!(outcome.sent, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".repeat(5));
}

#[test]
fn what_stands_behind_the_last_request_is_not_read() {
    let outcome =
        play_every_way(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /more HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(outcome.heads().len(), 1);
    assert_eq!((outcome.n_left, outcome.error()), ("GET /more HTTP/1.1\r\nHost: a\r\n\r\n".len(), None));
}

#[test]
fn an_error_ends_the_connection_however_good_the_requests_before_it() {
    let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let outcome = play_every_way(format!("{good}{good}GET / HTTP/1.1\r\n\r\n{good}").as_bytes());
    assert_eq!(outcome.heads().len(), 2);
    assert_eq!(outcome.error(), Some(&HttpError::HostMissing));
}

#[test]
fn a_connection_closes_after_the_response_when_it_is_told_to() {
    let mut connection = asked_for(Method::GET);
    connection.close_after_response();
    assert!(!connection.must_close(), "the response is still to be sent");
    assert_eq!(answer(&mut connection), CLOSING);
    assert!(connection.must_close());

    let mut connection = asked_for(Method::GET);
    let (none, mut out) = (HeaderList::new(), Vec::new());
    connection.send_response(StatusCode::OK, None, &none, BodySize::Known(0), None, &mut out).expect("a request waits");
    connection.close_after_response();
    connection.send_end(&none, &mut out).expect("nothing more was said");
    assert_eq!(out, KEEPING.as_bytes(), "the head was sent before");
    assert!(connection.must_close());
}

#[test]
fn a_connection_without_a_request_closes_at_once_when_it_is_told_to() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = &b"GET / HTTP/1.1\r\nHo"[..];
    assert!(next(&mut connection, &mut data).is_none());
    connection.close_after_response();
    assert!(connection.must_close());
    let mut data = &b"st: a\r\n\r\n"[..];
    assert!(next(&mut connection, &mut data).is_none() && data.len() == 9);
    assert_eq!(connection.receive_eof(), Ok(()));
}

#[test]
fn a_handler_closes_with_a_header_field() {
    let close = [(foster::http::header::CONNECTION, foster::http::HeaderValue::from_static("x, Close"))];
    let mut connection = asked_for(Method::GET);
    let mut out = Vec::new();
    connection
        .send_response(StatusCode::OK, None, &HeaderList::from_iter(close), BodySize::Known(0), None, &mut out)
        .expect("a request waits");
    assert_eq!(out, CLOSING.as_bytes());
}

#[test]
fn a_client_that_has_ended_its_stream_still_gets_its_response() {
    let mut connection = asked_for(Method::GET);
    assert_eq!(connection.receive_eof(), Ok(()));
    assert_eq!(answer(&mut connection), CLOSING);
    assert!(connection.must_close());
}

#[test]
fn the_end_of_the_stream_within_a_body_is_an_error_that_can_be_answered() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = &b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab"[..];
    while next(&mut connection, &mut data).is_some() {}
    assert_eq!(connection.receive_eof(), Err(HttpError::Incomplete));
    assert_eq!(answer(&mut connection), CLOSING);
    assert!(connection.must_close());
}

#[test]
fn an_idle_connection_is_one_that_nothing_has_come_to() {
    let mut connection = ServerConnection::new(Default::default());
    assert!(connection.is_idle() && !connection.must_respond());
    let mut data = &b"\r\n"[..];
    assert!(next(&mut connection, &mut data).is_none());
    assert!(connection.is_idle(), "an empty line is nothing");
    let mut data = &b"G"[..];
    assert!(next(&mut connection, &mut data).is_none());
    assert!(!connection.is_idle());
}

const EXPECTING: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";

#[test]
fn a_client_that_waits_is_told_to_go_on_once_and_only_on_demand() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = EXPECTING.as_bytes();
    let Some(ServerEvent::Request(request)) = next(&mut connection, &mut data) else { panic!("a request") };
    assert!(request.expects_continue && connection.expects_continue());
    assert!(next(&mut connection, &mut data).is_none());
    let mut out = Vec::new();
    connection.send_continue(&mut out);
    connection.send_continue(&mut out);
    assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(!connection.expects_continue());
    let mut data = &b"hi"[..];
    assert!(matches!(next(&mut connection, &mut data), Some(ServerEvent::Data(b"hi"))));
    assert!(matches!(next(&mut connection, &mut data), Some(ServerEvent::EndOfMessage(_))));
    assert_eq!(answer(&mut connection), KEEPING);
}

#[test]
fn a_continue_written_by_hand_is_the_only_one() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = EXPECTING.as_bytes();
    next(&mut connection, &mut data);
    let mut out = Vec::new();
    connection.send_informational(StatusCode::CONTINUE, &HeaderList::new(), &mut out).expect("a request waits");
    connection.send_continue(&mut out);
    assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
}

#[test]
fn a_final_response_to_a_client_that_waits_closes() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = EXPECTING.as_bytes();
    next(&mut connection, &mut data);
    assert_eq!(answer(&mut connection), CLOSING);
    let mut out = Vec::new();
    connection.send_continue(&mut out);
    assert!(out.is_empty() && !connection.expects_continue());
    // It may send its body all the same: nobody can tell that from the next request, and so neither is read.
    let mut data = &b"hiGET / HTTP/1.1\r\nHost: a\r\n\r\n"[..];
    assert!(next(&mut connection, &mut data).is_none() && data.len() == 29);
    assert!(connection.must_close() && connection.is_closed());
}

#[test]
fn the_rest_of_a_body_is_read_only_for_the_sake_of_the_next_request() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = &b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nab"[..];
    next(&mut connection, &mut data);
    assert_eq!(connection.body_left(), Some(4));
    next(&mut connection, &mut data);
    assert_eq!(connection.body_left(), Some(2));
    assert_eq!(answer(&mut connection), CLOSING);
    assert!(connection.must_close() && connection.body_left() == Some(0));
    let mut data = &b"cd"[..];
    assert!(next(&mut connection, &mut data).is_none() && data.len() == 2);
}

#[test]
fn a_request_that_is_abandoned_is_still_answered() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = &b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"[..];
    next(&mut connection, &mut data);
    assert_eq!(connection.body_left(), None, "chunks say no more than their own size");
    connection.abandon_request();
    assert!(connection.is_closed() && !connection.must_close());
    let mut data = &b"hello\r\n0\r\n\r\n"[..];
    assert!(next(&mut connection, &mut data).is_none() && data.len() == 12);
    assert_eq!(answer(&mut connection), CLOSING);
    assert!(connection.must_close());
}

#[test]
fn a_client_that_sends_its_body_unasked_is_not_told_to_go_on() {
    for body in ["Content-Length: 2\r\n\r\nhi", "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"] {
        let mut connection = asked(&format!("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{body}"));
        let mut out = Vec::new();
        connection.send_continue(&mut out);
        assert!(out.is_empty());
        assert_eq!(answer(&mut connection), KEEPING);
    }
}

#[test]
fn nobody_waits_without_a_body_or_with_http_10() {
    let heads = taken(&[
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    ]);
    assert!(heads.iter().all(|head| !head.expects_continue));
}

#[test]
fn another_expectation_fails() {
    refused(
        417,
        HttpError::Expectation,
        &[
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, tea\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nExpect: tea\r\n\r\n",
        ],
    );
}
