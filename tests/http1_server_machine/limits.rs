//! What a request may cost.

use foster::http::{HttpError, Limits};

use crate::wire::{every_way, refused, refused_under};

/// A request whose line is `n` bytes long, CRLF included.
fn with_line(n: usize) -> String {
    format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(n - "GET / HTTP/1.1\r\n".len()))
}

/// A request whose head is `n` bytes long.
fn with_head(n: usize) -> String {
    let around = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
    format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(n - around))
}

/// A request with `n` fields.
fn with_fields(n: usize) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(n - 1))
}

fn chunked(body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

#[test]
fn a_request_line_has_a_limit() {
    let limits = Limits::default().max_request_line(32);
    assert_eq!(every_way(&limits, with_line(32).as_bytes()).error(), None);
    let err = HttpError::RequestLineTooLong { limit: 32 };
    refused_under(&limits, 414, &err, with_line(33).as_bytes());
    refused_under(&limits, 414, &err, with_line(300).as_bytes());
    refused_under(&limits, 414, &err, &[b'x'; 33]);
    // What is wrong before the limit counts, and what is wrong behind it does not.
    refused_under(&limits, 400, &HttpError::RequestLine, format!("G\0T {}", "x".repeat(100)).as_bytes());
    refused_under(&limits, 414, &err, format!("GET /{}\0", "x".repeat(100)).as_bytes());
    refused_under(&limits, 414, &err, format!("GET /{}\n", "x".repeat(100)).as_bytes());
}

#[test]
fn the_limit_of_a_request_line_is_8_kib() {
    let limits = Limits::default();
    assert_eq!(every_way(&limits, with_line(8 * 1024).as_bytes()).error(), None);
    refused(414, HttpError::RequestLineTooLong { limit: 8 * 1024 }, &[&with_line(8 * 1024 + 1)]);
}

#[test]
fn a_head_has_a_limit() {
    let limits = Limits::default().max_head_size(100);
    assert_eq!(every_way(&limits, with_head(100).as_bytes()).error(), None);
    let err = HttpError::HeadTooLarge { limit: 100 };
    refused_under(&limits, 431, &err, with_head(101).as_bytes());
    refused_under(&limits, 431, &err, with_head(5000).as_bytes());
    refused_under(&limits, 431, &err, format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(500)).as_bytes());
    refused_under(&limits, 431, &err, format!("GET / HTTP/1.1\r\n{}", "x".repeat(500)).as_bytes());
    // What is wrong behind the limit does not count.
    refused_under(&limits, 431, &err, format!("GET / HTTP/1.1\r\nX: {}\0\n", "x".repeat(500)).as_bytes());
}

#[test]
fn empty_lines_before_a_head_count_into_it() {
    let limits = Limits::default().max_head_size(100);
    assert_eq!(every_way(&limits, format!("\r\n{}", with_head(98)).as_bytes()).error(), None);
    let err = HttpError::HeadTooLarge { limit: 100 };
    refused_under(&limits, 431, &err, format!("\r\n{}", with_head(99)).as_bytes());
    refused_under(&Limits::default().max_head_size(4), 431, &HttpError::HeadTooLarge { limit: 4 }, b"\r\n\r\n\r\nG");
}

#[test]
fn a_head_that_comes_in_one_read_has_the_same_limit() {
    refused(431, HttpError::HeadTooLarge { limit: 16 * 1024 }, &[&with_head(16 * 1024 + 1), &with_head(40_000)]);
}

#[test]
fn the_limit_of_a_head_goes_up_to_64_kib() {
    let limits = Limits::default().max_head_size(usize::MAX);
    assert_eq!(every_way(&limits, with_head(65_535).as_bytes()).heads()[0].fields[1].1.len(), 65_503);
    refused_under(&limits, 431, &HttpError::HeadTooLarge { limit: 65_535 }, with_head(65_536).as_bytes());
    refused_under(&limits, 431, &HttpError::HeadTooLarge { limit: 65_535 }, with_head(140_000).as_bytes());
}

#[test]
fn the_number_of_fields_has_a_limit() {
    let limits = Limits::default();
    assert_eq!(every_way(&limits, with_fields(100).as_bytes()).heads()[0].fields.len(), 100);
    refused(431, HttpError::TooManyHeaders { limit: 100 }, &[&with_fields(101), &with_fields(1000)]);
    let limits = limits.max_headers(1000);
    assert_eq!(every_way(&limits, with_fields(256).as_bytes()).error(), None);
    refused_under(&limits, 431, &HttpError::TooManyHeaders { limit: 256 }, with_fields(257).as_bytes());
    let limits = limits.max_headers(0);
    refused_under(&limits, 431, &HttpError::TooManyHeaders { limit: 0 }, with_fields(1).as_bytes());
}

#[test]
fn a_declared_body_has_a_limit() {
    let limits = Limits::default().max_body_size(Some(5));
    let fine = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(every_way(&limits, fine.as_bytes()).bodies(), [b"hello"]);
    let err = HttpError::BodyTooLarge { limit: 5 };
    let large = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhello!";
    refused_under(&limits, 413, &err, large.as_bytes());
    assert_eq!(every_way(&limits, large.as_bytes()).heads().len(), 0, "it is refused before it is a request");
    let huge = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n";
    refused_under(&limits, 413, &err, huge.as_bytes());
    refused(413, HttpError::BodyTooLarge { limit: 16 * 1024 * 1024 }, &[huge]);
}

#[test]
fn a_streamed_body_has_a_limit() {
    let limits = Limits::default().max_body_size(Some(5));
    assert_eq!(every_way(&limits, chunked("3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n").as_bytes()).bodies(), [b"hello"]);
    let err = HttpError::BodyTooLarge { limit: 5 };
    for body in ["6\r\nhello!\r\n0\r\n\r\n", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "ffffffffffffffff\r\nhello"] {
        refused_under(&limits, 413, &err, chunked(body).as_bytes());
    }
    let all_but_overflowing = "1\r\na\r\nffffffffffffffff\r\n";
    refused_under(&limits, 413, &err, chunked(all_but_overflowing).as_bytes());
}

#[test]
fn a_chunk_beyond_the_limit_is_refused_before_its_data() {
    let limits = Limits::default().max_body_size(Some(5));
    let outcome = every_way(&limits, chunked("2\r\nab\r\n4\r\ncd").as_bytes());
    assert_eq!(outcome.error(), Some(&HttpError::BodyTooLarge { limit: 5 }));
    assert!(outcome.events.contains(&crate::wire::Event::Data(b"ab".to_vec())));
}

#[test]
fn a_body_may_have_no_limit() {
    let limits = Limits::default().max_body_size(None);
    let huge = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nhello";
    assert_eq!(every_way(&limits, huge.as_bytes()).error(), Some(&HttpError::Incomplete));
    let sizes = chunked("5\r\nhello\r\nffffffffffffffff\r\nhello");
    assert_eq!(every_way(&limits, sizes.as_bytes()).error(), Some(&HttpError::Incomplete));
}

#[test]
fn limits_of_nothing_refuse_everything() {
    let limits = Limits::default().max_request_line(0).max_head_size(0).max_headers(0).max_trailers_size(0);
    refused_under(&limits, 414, &HttpError::RequestLineTooLong { limit: 0 }, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}
