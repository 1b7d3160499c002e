//! What is sent: heads, framing of bodies, trailers, informational responses and errors.

use foster::http::{Fault, HeaderList, HeaderName, HeaderValue, HttpError, Method, StatusCode};
use foster::http1::{BodySize, ServerConnection, ServerEvent};

use crate::wire::{asked, asked_for};

fn list(fields: &[(&'static str, &'static str)]) -> HeaderList {
    fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

/// The whole response with that body in two pieces.
fn respond(
    connection: &mut ServerConnection,
    status: u16,
    fields: &[(&'static str, &'static str)],
    size: BodySize,
    body: &str,
) -> Result<String, HttpError> {
    let mut out = Vec::new();
    let status = StatusCode::from_u16(status).expect("a status");
    connection.send_response(status, None, &list(fields), size, None, &mut out)?;
    let (first, second) = body.as_bytes().split_at(body.len() / 2);
    connection.send_data(first, &mut out)?;
    connection.send_data(second, &mut out)?;
    connection.send_end(&HeaderList::new(), &mut out)?;
    Ok(String::from_utf8(out).expect("text"))
}

fn get(status: u16, fields: &[(&'static str, &'static str)], size: BodySize, body: &str) -> Result<String, HttpError> {
    respond(&mut asked_for(Method::GET), status, fields, size, body)
}

fn head(status: u16, fields: &[(&'static str, &'static str)], size: BodySize, body: &str) -> Result<String, HttpError> {
    respond(&mut asked_for(Method::HEAD), status, fields, size, body)
}

#[test]
fn a_head_has_its_fields_in_order() {
    let mut connection = asked_for(Method::GET);
    let mut out = Vec::new();
    let html = HeaderValue::from_static("text/html");
    let headers = list(&[("x-b", "1"), ("x-a", "2"), ("x-b", "3")]);
    let date = Some(&b"Thu, 01 Jan 1970 00:00:00 GMT"[..]);
    connection
        .send_response(StatusCode::NOT_FOUND, Some(&html), &headers, BodySize::Known(0), date, &mut out)
        .expect("a request waits");
    assert_eq!(
        String::from_utf8_lossy(&out),
        "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\nx-b: 1\r\nx-a: 2\r\nx-b: 3\r\n\
         date: Thu, 01 Jan 1970 00:00:00 GMT\r\ncontent-length: 0\r\n\r\n"
    );
}

#[test]
fn a_date_of_its_own_stands_alone() {
    let mut connection = asked_for(Method::GET);
    let mut out = Vec::new();
    connection
        .send_response(StatusCode::OK, None, &list(&[("date", "mine")]), BodySize::Known(0), Some(b"yours"), &mut out)
        .expect("a request waits");
    assert_eq!(out, b"HTTP/1.1 200 OK\r\ndate: mine\r\ncontent-length: 0\r\n\r\n");
}

#[test]
fn a_status_without_a_name_has_no_reason() {
    assert_eq!(get(299, &[], BodySize::Known(0), "").as_deref(), Ok("HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n"));
}

#[test]
fn a_body_of_known_size_has_its_length() {
    let sent = get(200, &[], BodySize::Known(5), "hello");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"));
}

#[test]
fn a_body_of_unknown_size_is_chunked_to_http_11() {
    let sent = get(200, &[], BodySize::Unknown, "0123456789abcdef0123456789abcdef");
    assert_eq!(
        sent.as_deref(),
        Ok("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n10\r\n0123456789abcdef\r\n\
            0\r\n\r\n")
    );
}

#[test]
fn an_empty_piece_is_not_the_last_chunk() {
    let sent = get(200, &[], BodySize::Unknown, "a");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"));
    let sent = get(200, &[], BodySize::Unknown, "");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"));
}

#[test]
fn a_body_of_unknown_size_ends_with_the_connection_to_http_10() {
    let mut connection = asked("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let sent = respond(&mut connection, 200, &[], BodySize::Unknown, "hello");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello"));
    assert!(connection.must_close());
}

#[test]
fn a_content_length_among_the_fields_is_the_size_that_is_not_known() {
    let sent = get(200, &[("content-length", "5")], BodySize::Unknown, "hello");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"));
    let sent = get(200, &[("content-length", "5")], BodySize::Known(5), "hello");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"));
}

#[test]
fn a_content_length_that_contradicts_is_refused_before_anything_is_sent() {
    for value in ["6", "", "-5", "+5", "5 ", "five", "5, 5", "99999999999999999999"] {
        let mut connection = asked_for(Method::GET);
        let mut out = Vec::new();
        let headers = list(&[("content-length", value)]);
        let sent = connection.send_response(StatusCode::OK, None, &headers, BodySize::Known(5), None, &mut out);
        assert_eq!(sent, Err(HttpError::Framing), "{value:?}");
        assert!(out.is_empty() && connection.must_respond(), "another response may still be sent");
    }
}

#[test]
fn framing_among_the_fields_is_left_out() {
    let fields = [("transfer-encoding", "gzip, chunked"), ("connection", "x-a"), ("x-a", "b")];
    let sent = get(200, &fields, BodySize::Known(1), "a");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 1\r\n\r\na"));
}

#[test]
fn a_body_that_is_longer_or_shorter_than_it_said_is_an_error_of_this_side() {
    assert_eq!(get(200, &[], BodySize::Known(4), "hello"), Err(HttpError::TooMuchBody));
    assert_eq!(get(200, &[], BodySize::Known(0), "hello"), Err(HttpError::TooMuchBody));
    assert_eq!(get(200, &[], BodySize::Known(6), "hello"), Err(HttpError::TooLittleBody));
    assert_eq!(get(200, &[("content-length", "6")], BodySize::Unknown, "hello"), Err(HttpError::TooLittleBody));
    assert_eq!((HttpError::TooLittleBody.fault(), HttpError::TooLittleBody.status().as_u16()), (Fault::Local, 500));
}

#[test]
fn what_is_too_much_is_not_sent() {
    let mut connection = asked_for(Method::GET);
    let mut out = Vec::new();
    connection
        .send_response(StatusCode::OK, None, &HeaderList::new(), BodySize::Known(5), None, &mut out)
        .expect("a request waits");
    out.clear();
    assert_eq!(connection.send_data(b"hello!", &mut out), Err(HttpError::TooMuchBody));
    assert!(out.is_empty());
    connection.send_data(b"hello", &mut out).expect("five bytes are what was said");
}

#[test]
fn a_response_to_head_has_the_length_and_not_the_body() {
    let sent = head(200, &[], BodySize::Known(5), "hello");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"));
    let sent = head(200, &[("content-length", "5")], BodySize::Known(0), "");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"));
    let sent = head(200, &[], BodySize::Unknown, "hello");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\n\r\n"));
}

#[test]
fn a_response_to_head_keeps_the_connection_whatever_the_size() {
    for size in [BodySize::Known(5), BodySize::Unknown] {
        let mut connection = asked_for(Method::HEAD);
        respond(&mut connection, 200, &[], size, "hello").expect("a request waits");
        assert!(connection.is_idle());
    }
}

#[test]
fn no_content_has_neither_length_nor_body() {
    for size in [BodySize::Known(5), BodySize::Known(0), BodySize::Unknown] {
        let sent = get(204, &[("content-length", "5")], size, "hello");
        assert_eq!(sent.as_deref(), Ok("HTTP/1.1 204 No Content\r\n\r\n"));
    }
}

#[test]
fn not_modified_has_no_body_and_at_most_the_length_of_the_one_it_stands_for() {
    let sent = get(304, &[], BodySize::Known(0), "");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 304 Not Modified\r\n\r\n"));
    let sent = get(304, &[("content-length", "5")], BodySize::Known(0), "");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"));
    let sent = get(304, &[], BodySize::Unknown, "hello");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 304 Not Modified\r\n\r\n"));
}

#[test]
fn reset_content_says_that_it_has_none() {
    for size in [BodySize::Known(5), BodySize::Known(0), BodySize::Unknown] {
        let sent = get(205, &[], size, "hello");
        assert_eq!(sent.as_deref(), Ok("HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n"));
    }
}

#[test]
fn trailers_stand_behind_the_last_chunk() {
    let mut connection = asked("GET / HTTP/1.1\r\nHost: a\r\nTE: deflate, Trailers\r\n\r\n");
    let mut out = Vec::new();
    let none = HeaderList::new();
    assert!(!connection.takes_trailers(), "there is no response yet that could have them");
    connection.send_response(StatusCode::OK, None, &none, BodySize::Unknown, None, &mut out).expect("it waits");
    assert!(connection.takes_trailers());
    out.clear();
    let trailers = list(&[("x-sum", "1"), ("content-length", "5"), ("transfer-encoding", "x"), ("x-b", "2")]);
    connection.send_end(&trailers, &mut out).expect("chunked");
    assert_eq!(out, b"0\r\nx-sum: 1\r\nx-b: 2\r\n\r\n", "what frames a message is no trailer");
}

#[test]
fn trailers_are_taken_with_chunks_and_when_asked_for_alone() {
    let takes = |request: &str, size| {
        let mut connection = asked(request);
        let mut out = Vec::new();
        connection.send_response(StatusCode::OK, None, &HeaderList::new(), size, None, &mut out).expect("it waits");
        connection.takes_trailers()
    };
    assert!(takes("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", BodySize::Unknown));
    assert!(!takes("GET / HTTP/1.1\r\nHost: a\r\n\r\n", BodySize::Unknown));
    assert!(!takes("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", BodySize::Known(0)));
    assert!(!takes("GET / HTTP/1.0\r\nTE: trailers\r\n\r\n", BodySize::Unknown));
    assert!(!takes("HEAD / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", BodySize::Unknown));
}

#[test]
fn trailers_behind_a_body_with_a_length_are_left_out() {
    let mut connection = asked_for(Method::GET);
    let mut out = Vec::new();
    connection
        .send_response(StatusCode::OK, None, &HeaderList::new(), BodySize::Known(0), None, &mut out)
        .expect("a request waits");
    out.clear();
    connection.send_end(&list(&[("x-sum", "1")]), &mut out).expect("nothing more was said");
    assert!(out.is_empty());
}

#[test]
fn informational_responses_come_before_the_final_one() {
    let mut connection = asked_for(Method::GET);
    let mut out = Vec::new();
    let link = list(&[("link", "</a.css>"), ("content-length", "5"), ("connection", "close")]);
    connection.send_informational(StatusCode::EARLY_HINTS, &link, &mut out).expect("a request waits");
    connection.send_informational(StatusCode::PROCESSING, &HeaderList::new(), &mut out).expect("it still waits");
    assert_eq!(out, b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
    let sent = respond(&mut connection, 200, &[], BodySize::Known(0), "");
    assert_eq!(sent.as_deref(), Ok("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    let late = connection.send_informational(StatusCode::EARLY_HINTS, &link, &mut out);
    assert!(matches!(late, Err(HttpError::State(_))));
}

#[test]
fn http_10_gets_no_informational_response() {
    let mut connection = asked("GET / HTTP/1.0\r\n\r\n");
    let mut out = Vec::new();
    connection.send_informational(StatusCode::EARLY_HINTS, &HeaderList::new(), &mut out).expect("it is left out");
    connection.send_continue(&mut out);
    assert!(out.is_empty());
}

#[test]
fn an_informational_status_is_informational() {
    for status in [StatusCode::OK, StatusCode::SWITCHING_PROTOCOLS, StatusCode::NOT_FOUND] {
        let mut out = Vec::new();
        let sent = asked_for(Method::GET).send_informational(status, &HeaderList::new(), &mut out);
        assert!(matches!(sent, Err(HttpError::State(_))) && out.is_empty());
    }
}

#[test]
fn a_status_of_1xx_is_no_response() {
    for status in [100, 101, 103, 199] {
        assert!(matches!(get(status, &[], BodySize::Known(0), ""), Err(HttpError::State(_))));
    }
}

#[test]
fn nothing_is_sent_that_no_request_waits_for() {
    let (none, mut out) = (HeaderList::new(), Vec::new());
    let mut connection = ServerConnection::new(Default::default());
    for _ in 0..2 {
        let sent = connection.send_response(StatusCode::OK, None, &none, BodySize::Known(0), None, &mut out);
        assert!(matches!(sent, Err(HttpError::State(_))));
        assert!(matches!(connection.send_data(b"a", &mut out), Err(HttpError::State(_))));
        assert!(matches!(connection.send_end(&none, &mut out), Err(HttpError::State(_))));
        assert!(matches!(
            connection.send_informational(StatusCode::EARLY_HINTS, &none, &mut out),
            Err(HttpError::State(_))
        ));
        connection.send_continue(&mut out);
        assert!(out.is_empty());
        // The second time a request was there, and was answered.
        connection = asked_for(Method::GET);
        respond(&mut connection, 200, &[], BodySize::Known(0), "").expect("a request waits");
    }
}

#[test]
fn a_response_is_sent_once() {
    let (none, mut out) = (HeaderList::new(), Vec::new());
    let mut connection = asked_for(Method::GET);
    assert!(matches!(connection.send_data(b"a", &mut out), Err(HttpError::State(_))), "its head comes first");
    assert!(matches!(connection.send_end(&none, &mut out), Err(HttpError::State(_))), "its head comes first");
    connection.send_response(StatusCode::OK, None, &none, BodySize::Known(0), None, &mut out).expect("it waits");
    let again = connection.send_response(StatusCode::OK, None, &none, BodySize::Known(0), None, &mut out);
    assert!(matches!(again, Err(HttpError::State(_))));
}

#[test]
fn an_error_is_answered_as_a_whole() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = &b"GET / HTTP/1.1\r\n\r\n"[..];
    let err = connection.receive_data(&mut data).expect_err("there is no host");
    let mut out = Vec::new();
    connection.send_error(err.status(), Some(b"now"), &mut out);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ndate: now\r\ncontent-length: 11\r\n\
         connection: close\r\n\r\nBad Request"
    );
    assert!(connection.must_close());
    connection.send_error(err.status(), None, &mut out);
    assert!(out.ends_with(b"\r\n\r\nBad Request"), "only once");
}

#[test]
fn the_answer_to_an_error_has_nothing_to_do_with_the_request_before_it() {
    for rest in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHo"] {
        let mut connection = asked_for(Method::HEAD);
        respond(&mut connection, 200, &[], BodySize::Known(0), "").expect("it waits");
        let mut data = rest.as_bytes();
        let err = match connection.receive_data(&mut data) {
            Ok(_) => connection.receive_eof().expect_err("it is incomplete"),
            Err(err) => err,
        };
        let mut out = Vec::new();
        connection.send_error(err.status(), None, &mut out);
        assert!(out.ends_with(b"\r\n\r\nBad Request"), "{rest:?}");
    }
}

#[test]
fn the_answer_to_a_head_that_is_refused_has_no_body() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = &b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"[..];
    let err = connection.receive_data(&mut data).expect_err("the body is too large");
    let mut out = Vec::new();
    connection.send_error(err.status(), None, &mut out);
    assert!(out.starts_with(b"HTTP/1.1 413 ") && out.ends_with(b"content-length: 17\r\nconnection: close\r\n\r\n"));
}

#[test]
fn an_error_behind_the_head_of_a_response_is_not_answered() {
    let mut connection = ServerConnection::new(Default::default());
    let mut data = &b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx"[..];
    assert!(matches!(connection.receive_data(&mut data), Ok(Some(ServerEvent::Request(_)))));
    let (none, mut out) = (HeaderList::new(), Vec::new());
    connection.send_response(StatusCode::OK, None, &none, BodySize::Known(2), None, &mut out).expect("it waits");
    let n_sent = out.len();
    let err = connection.receive_data(&mut data).expect_err("no chunk size");
    connection.send_error(err.status(), None, &mut out);
    assert_eq!(out.len(), n_sent);
    connection.send_data(b"ok", &mut out).expect("the response may be completed");
    connection.send_end(&none, &mut out).expect("it is complete");
    assert!(connection.must_close());
}

#[test]
fn an_error_with_a_status_that_answers_nothing_is_one_of_this_side() {
    for status in [StatusCode::CONTINUE, StatusCode::SWITCHING_PROTOCOLS] {
        let mut connection = asked_for(Method::GET);
        let mut out = Vec::new();
        connection.send_error(status, None, &mut out);
        assert!(out.starts_with(b"HTTP/1.1 500 Internal Server Error\r\n"));
        assert!(connection.must_close());
    }
    let mut connection = asked_for(Method::GET);
    let mut out = Vec::new();
    connection.send_error(StatusCode::NO_CONTENT, None, &mut out);
    assert!(out.starts_with(b"HTTP/1.1 204 No Content\r\n") && out.ends_with(b"\r\n\r\n"));
}

#[test]
fn a_caller_may_write_the_data_itself() {
    let (none, mut out) = (HeaderList::new(), Vec::new());
    let mut connection = asked_for(Method::GET);
    connection.send_response(StatusCode::OK, None, &none, BodySize::Unknown, None, &mut out).expect("it waits");
    out.clear();
    assert_eq!(connection.frame_data(300, &mut out), Ok(Some(&b"\r\n"[..])));
    assert_eq!(out, b"12c\r\n");
    let mut connection = asked_for(Method::HEAD);
    connection.send_response(StatusCode::OK, None, &none, BodySize::Unknown, None, &mut out).expect("it waits");
    assert_eq!(connection.frame_data(300, &mut out), Ok(None));
}
