//! Chunked bodies of requests, with their extensions and trailers.

use foster::http::{HttpError, Limits};

use crate::wire::{Event, Outcome, every_way, play_every_way, refused, refused_under};

fn chunked(body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

fn refused_chunks(err: HttpError, bodies: &[&str]) {
    for body in bodies {
        refused(400, err.clone(), &[&chunked(body)]);
    }
}

fn end(outcome: &Outcome) -> Vec<(&str, &[u8])> {
    match outcome.events.last() {
        Some(Event::End(trailers)) => trailers.iter().map(|(name, value)| (&name[..], &value[..])).collect(),
        last => panic!("{last:?} is no end"),
    }
}

#[test]
fn chunks_are_joined_to_a_body() {
    let bodies = [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "hello"),
        ("0005\r\nhello\r\n000\r\n\r\n", "hello"),
        ("0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello"),
        ("a\r\n0\r\n\r\n12345\r\n0\r\n\r\n", "0\r\n\r\n12345"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("0B\r\n01234567890\r\n0\r\n\r\n", "01234567890"),
    ];
    for (chunks, body) in bodies {
        let outcome = play_every_way(chunked(chunks).as_bytes());
        assert_eq!(outcome.bodies(), [body.as_bytes()], "{chunks:?}");
        assert_eq!(outcome.error(), None);
    }
}

#[test]
fn what_stands_behind_the_last_chunk_is_the_next_request() {
    let input = chunked("1\r\na\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    let outcome = play_every_way(input.as_bytes());
    assert_eq!(outcome.heads()[1].target, "/next");
    assert_eq!(outcome.bodies(), [&b"a"[..], b""]);
}

#[test]
fn a_chunk_size_is_1_to_16_hexadecimal_digits() {
    refused_chunks(
        HttpError::ChunkSize,
        &[
            "\r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "\t5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "-1\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "5h\r\nhello\r\n0\r\n\r\n",
            "5_0\r\nhello\r\n0\r\n\r\n",
            "5.0\r\nhello\r\n0\r\n\r\n",
            "G\r\nhello\r\n0\r\n\r\n",
            ";a=b\r\nhello\r\n0\r\n\r\n",
            "00000000000000005\r\nhello\r\n0\r\n\r\n",
            "10000000000000005\r\nhello\r\n0\r\n\r\n",
            "00000000000000000\r\n\r\n",
            "ffffffffffffffff0\r\nhello\r\n0\r\n\r\n",
            "\"5\"\r\nhello\r\n0\r\n\r\n",
            "٥\r\nhello\r\n0\r\n\r\n",
            "5\0\r\nhello\r\n0\r\n\r\n",
            "5\u{b}\r\nhello\r\n0\r\n\r\n",
            "5 5\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n\r\n0\r\n\r\n",
        ],
    );
}

#[test]
fn a_chunk_size_ends_in_crlf() {
    refused_chunks(
        HttpError::ChunkSize,
        &[
            "5\nhello\r\n0\r\n\r\n",
            "5\rhello\r\n0\r\n\r\n",
            "5\r\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n",
            "5\t\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\n\r\n",
            "5\r\nhello\r\n0\rX\r\n\r\n",
            "0 \r\n\r\n",
        ],
    );
}

#[test]
fn the_data_of_a_chunk_ends_in_crlf() {
    refused_chunks(
        HttpError::ChunkEnd,
        &[
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello\r0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello!\r\n0\r\n\r\n",
            "5\r\nhelloXX0\r\n\r\n",
            "5\r\nhello \r\n0\r\n\r\n",
            "4\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\r\n0\r\n\r\n",
        ],
    );
}

#[test]
fn extensions_are_read_over() {
    let sizes =
        ["5;a", "5;a=b", "5;a=\"b;c\"", "5 ;a", "5\t ; a = b", "5;", "5;;", "5;é", "5;a=\"\t\"", "5;\t", "5;5\u{a0}"];
    for size in sizes {
        let outcome = play_every_way(chunked(&format!("{size}\r\nhello\r\n0;last\r\n\r\n")).as_bytes());
        assert_eq!(outcome.bodies(), [b"hello"], "{size:?}");
    }
}

#[test]
fn an_extension_holds_no_control_byte_and_no_bare_line_end() {
    refused_chunks(
        HttpError::ChunkExtension,
        &[
            "5;a\nhello\r\n0\r\n\r\n",
            "5;\nhello\r\n0\r\n\r\n",
            "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n",
            "5;a\0\r\nhello\r\n0\r\n\r\n",
            "5;\u{b}\r\nhello\r\n0\r\n\r\n",
            "5;a\u{7f}\r\nhello\r\n0\r\n\r\n",
            "0;\n\r\n",
        ],
    );
    refused_chunks(HttpError::ChunkSize, &["5;a\rb\r\nhello\r\n0\r\n\r\n", "5;\r\r\nhello\r\n0\r\n\r\n"]);
}

#[test]
fn extensions_have_a_limit_over_the_whole_body() {
    let limits = Limits::default().max_chunk_extensions(8);
    let fine = chunked("1;abc\r\na\r\n1;ef\r\na\r\n0;\r\n\r\n");
    assert_eq!(every_way(&limits, fine.as_bytes()).error(), None);
    let err = HttpError::ChunkExtensionsTooLong { limit: 8 };
    refused_under(&limits, 400, &err, chunked("1;abc\r\na\r\n1;efg\r\na\r\n0;\r\n\r\n").as_bytes());
    refused_under(&limits, 400, &err, chunked("1 \t \t \t \t ;\r\na\r\n0\r\n\r\n").as_bytes());
}

#[test]
fn a_single_extension_ends_at_the_limit() {
    let size = format!("1;{}\r\n", "x".repeat(16 * 1024));
    refused_chunks(HttpError::ChunkExtensionsTooLong { limit: 16 * 1024 }, &[&size]);
}

#[test]
fn trailers_come_with_the_end() {
    let outcome = play_every_way(chunked("1\r\na\r\n0\r\nX-Sum:  1 \r\nx-sum: 2\r\nY:\r\n\r\n").as_bytes());
    assert_eq!(end(&outcome), [("x-sum", &b"1"[..]), ("x-sum", b"2"), ("y", b"")]);
}

#[test]
fn trailers_keep_the_rules_of_header_fields() {
    refused_chunks(
        HttpError::HeaderName,
        &["0\r\nX : y\r\n\r\n", "0\r\n X: y\r\n\r\n", "0\r\n: y\r\n\r\n", "0\r\nX\r\n\r\n", "0\r\nX: y\r\n z\r\n\r\n"],
    );
    refused_chunks(HttpError::HeaderValue, &["0\r\nX: \0\r\n\r\n", "0\r\nX: a\rb\r\n\r\n"]);
    refused_chunks(
        HttpError::LineEnd,
        &[
            "0\r\n\n",
            "0\r\nX: y\n\r\n",
            "0\r\nX: y\r\n\n",
            "0\r\nX: y\nZ: a\r\n\r\n",
            "0\r\n\rX\r\n\r\n",
            "0\r\nX:\n\n",
        ],
    );
}

#[test]
fn what_frames_or_routes_a_message_is_no_trailer() {
    let fields = [
        "Content-Length: 5",
        "transfer-encoding: chunked",
        "Host: b",
        "Authorization: x",
        "Content-Type: text/plain",
        "Content-Encoding: gzip",
        "Content-Range: bytes 0-1/2",
        "Connection: close",
        "TE: trailers",
        "Upgrade: x",
    ];
    for field in fields {
        refused_chunks(HttpError::Trailer, &[&format!("0\r\nX: y\r\n{field}\r\n\r\n")]);
    }
}

#[test]
fn trailers_have_limits() {
    let limits = Limits::default().max_trailers_size(10).max_headers(2);
    let fine = chunked("0\r\nX: abc\r\n\r\n");
    assert_eq!(every_way(&limits, fine.as_bytes()).error(), None);
    let too_large = HttpError::TrailersTooLarge { limit: 10 };
    refused_under(&limits, 431, &too_large, chunked("0\r\nX: abcd\r\n\r\n").as_bytes());
    refused_under(&limits, 431, &too_large, chunked("0\r\nX: abcdefghijklmn").as_bytes());
    let too_many = HttpError::TooManyHeaders { limit: 2 };
    let limits = Limits::default().max_headers(2);
    refused_under(&limits, 431, &too_many, chunked("0\r\nX: a\r\nX: a\r\nX: a\r\n\r\n").as_bytes());
    // A fault before the limit is found wherever the cut is, and one beyond it nowhere.
    let limits = Limits::default().max_trailers_size(10);
    refused_under(&limits, 400, &HttpError::HeaderName, chunked("0\r\nX : abcdefghijklmn\r\n\r\n").as_bytes());
    refused_under(&limits, 431, &too_large, chunked("0\r\nX: abcdefghijklmn\r\nX : y\r\n\r\n").as_bytes());
}
