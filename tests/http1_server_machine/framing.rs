//! How the body of a request is marked off.

use foster::http::HttpError;
use foster::http1::BodySize;

use crate::wire::{play_every_way, refused, taken};

fn with(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}")
}

#[test]
fn a_request_has_no_body_unless_it_says_so() {
    let heads = taken(&[&with("X: y", ""), "POST / HTTP/1.0\r\n\r\n", &with("Content-Length: 0", "")]);
    assert!(heads.iter().all(|head| head.body == BodySize::Known(0)));
}

#[test]
fn a_body_is_as_long_as_content_length_says() {
    for (length, body) in [("5", "hello"), ("05", "hello"), ("0000000000000000000000005", "hello"), ("1", "h")] {
        let outcome = play_every_way(with(&format!("Content-Length: {length}"), body).as_bytes());
        assert_eq!(outcome.bodies(), [body.as_bytes()]);
        assert_eq!(outcome.heads()[0].body, BodySize::Known(body.len() as u64));
    }
}

#[test]
fn what_stands_behind_a_body_is_the_next_request() {
    let outcome = play_every_way(with("Content-Length: 3", "abcGET /b HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    assert_eq!(outcome.bodies(), [&b"abc"[..], b""]);
    assert_eq!(outcome.heads()[1].target, "/b");
}

#[test]
fn a_body_that_ends_early_is_incomplete() {
    let short = with("Content-Length: 5", "hell");
    assert_eq!(play_every_way(short.as_bytes()).error(), Some(&HttpError::Incomplete));
    for body in ["", "5", "5\r\n", "5\r\nhell", "5\r\nhello", "5\r\nhello\r\n", "0\r\n", "0\r\n\r", "0\r\nX: y\r\n"] {
        let short = with("Transfer-Encoding: chunked", body);
        assert_eq!(play_every_way(short.as_bytes()).error(), Some(&HttpError::Incomplete), "{body:?}");
    }
}

#[test]
fn a_content_length_is_one_number_that_fits_64_bits() {
    let values = [
        "",
        "+5",
        "-5",
        "-0",
        "5 5",
        "5,5",
        "5, 5",
        "5,",
        ",5",
        "0x5",
        "5h",
        "five",
        "5.0",
        "5e0",
        "\"5\"",
        "5;",
        "٥",
        "1_0",
        "18446744073709551616",
        "99999999999999999999",
        "5\t5",
    ];
    for value in values {
        refused(400, HttpError::ContentLength, &[&with(&format!("Content-Length: {value}"), "hello")]);
    }
}

#[test]
fn a_content_length_stands_there_once() {
    refused(
        400,
        HttpError::ContentLength,
        &[
            &with("Content-Length: 5\r\nContent-Length: 5", "hello"),
            &with("Content-Length: 5\r\nContent-Length: 6", "hello!"),
            &with("Content-Length: 0\r\nX: y\r\ncontent-length: 5", "hello"),
            &with("Content-Length: 5\r\nContent-Length:", "hello"),
            "GET / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        ],
    );
}

#[test]
fn content_length_beside_transfer_encoding_is_refused() {
    refused(
        400,
        HttpError::LengthAndTransferEncoding,
        &[
            &with("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
            &with("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
            &with("transfer-ENCODING: CHUNKED\r\ncontent-LENGTH: 0", "0\r\n\r\n"),
            "POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
    );
}

#[test]
fn chunked_is_taken_in_any_case() {
    for value in ["chunked", "Chunked", "CHUNKED", "\tchunked \t"] {
        let outcome = play_every_way(with(&format!("Transfer-Encoding: {value}"), "3\r\nabc\r\n0\r\n\r\n").as_bytes());
        assert_eq!(outcome.bodies(), [b"abc"], "{value:?}");
        assert_eq!(outcome.heads()[0].body, BodySize::Unknown);
    }
}

#[test]
fn a_transfer_encoding_other_than_one_final_chunked_is_refused() {
    let values = [
        "",
        ",",
        "xchunked",
        "chunkedx",
        "chunked, chunked",
        "chunked,chunked",
        "chunked,",
        ",chunked",
        "chunked, ",
        "chunked, gzip",
        "chunked, identity",
        "gzip",
        "identity",
        "chunked, gzip, chunked",
        "chunked;q=1",
        "chunked ;",
        "\"chunked\"",
        "'chunked'",
        "chunke",
        "chunk",
        "chun ked",
        "chunked chunked",
        "x chunked",
        "chunked\t\tx",
        "gzip chunked",
        "gzip,, chunked",
        "ｃhunked",
        "[chunked]",
        "chunked\u{a0}",
        "\u{a0}chunked",
        "none, gzip",
    ];
    for value in values {
        refused(400, HttpError::TransferEncoding, &[&with(&format!("Transfer-Encoding: {value}"), "0\r\n\r\n")]);
    }
    for value in ["\u{b}chunked", "chunked\u{b}", "chunked\0", "\u{c}chunked", "chunked\u{1c}"] {
        refused(400, HttpError::HeaderValue, &[&with(&format!("Transfer-Encoding: {value}"), "0\r\n\r\n")]);
    }
}

#[test]
fn a_coding_before_the_chunks_is_not_implemented() {
    for value in
        ["gzip, chunked", "identity, chunked", "gzip,chunked", "deflate, gzip, Chunked", "gzip;q=\"1\", chunked"]
    {
        refused(501, HttpError::TransferCoding, &[&with(&format!("Transfer-Encoding: {value}"), "0\r\n\r\n")]);
    }
}

#[test]
fn a_second_transfer_encoding_is_refused() {
    refused(
        400,
        HttpError::TransferEncoding,
        &[
            &with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
            &with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n"),
            &with("Transfer-Encoding: chunked\r\nX: y\r\ntransfer-encoding:", "0\r\n\r\n"),
            &with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
            &with("Transfer-Encoding:\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ],
    );
}

#[test]
fn a_request_of_http_10_has_no_transfer_encoding() {
    refused(
        400,
        HttpError::TransferEncodingBefore11,
        &["POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    );
}

#[test]
fn names_that_only_look_like_framing_do_not_frame() {
    let fields = "Content_Length: 5\r\nTransfer_Encoding: chunked\r\nX-Content-Length: 5\r\nContent-Lengt: 5\r\n\
                  Transfer-Encodings: chunked";
    assert_eq!(taken(&[&with(fields, "")])[0].body, BodySize::Known(0));
}

#[test]
fn any_method_may_have_a_body() {
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"] {
        let outcome =
            play_every_way(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").as_bytes());
        assert_eq!(outcome.bodies(), [b"hi"]);
    }
}
