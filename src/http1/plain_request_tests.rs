use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed};

use super::super::parse::parse_any_request;
use super::*;

const WHOLE: [&str; 5] = [
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "OPTIONS /a?b=/c?d HTTP/1.1\r\nhost:a:80\r\nExpect: 100-Continue\r\ncontent-length: 12\r\nTE: trailers\r\n\r\n",
    "POST /%20?? HTTP/1.1\r\nConnection: Keep-Alive, Upgrade\r\nUpgrade: h2c\r\nX:\r\nHOST: [::1]:8080\r\n\r\nGET / ",
    "PATCH /~a{}| HTTP/1.1\r\nA-1_b: some  words with spaces\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
    "DELETE /\"<>\\^`' HTTP/1.1\r\nAuthorization: Basic YTpi\r\nHost: example.org\r\nConnection: close\r\n\r\n",
];

/// What a head was read as, in words.
fn describe(read: &Read<RequestHead>) -> String {
    let Read { n, head: RequestHead { buffer }, framing } = read;
    let RequestLine { method, version, target, path, query, host } = &buffer.line;
    let (text, fields) = (buffer.text.escape_ascii(), &buffer.fields);
    format!("{n} {method} {version:?} {target:?} {path:?} {query:?} {host:?} {text} {fields:?} {framing:?}")
}

/// Checks that a head is taken for what the careful reader takes it for, or not taken; gives whether it is.
fn agrees(bytes: &[u8], limits: &Limits) -> bool {
    let Some(read) = read_plain_request(bytes, limits) else { return false };
    match parse_any_request(bytes, limits) {
        Ok(Some(expected)) => assert_eq!(describe(&read), describe(&expected), "{}", bytes.escape_ascii()),
        other => panic!("{}: {:?}", bytes.escape_ascii(), other.map(|read| read.is_some())),
    }
    true
}

#[test]
fn plain_heads_are_taken_for_what_they_are() {
    for text in WHOLE {
        assert!(agrees(text.as_bytes(), &Limits::default()), "{text}");
    }
}

#[test]
fn any_byte_anywhere_is_taken_for_what_it_is_or_not_at_all() {
    let (limits, mut n_taken) = (Limits::default(), 0);
    for text in WHOLE {
        for at in 0..text.len() {
            for byte in 0..=u8::MAX {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = byte;
                n_taken += usize::from(agrees(&bytes, &limits));
                bytes.insert(at, text.as_bytes()[at]);
                n_taken += usize::from(agrees(&bytes, &limits));
                bytes.truncate(at + 1);
                agrees(&bytes, &limits);
            }
        }
    }
    assert!(n_taken > 40_000, "{n_taken} were compared");
}

#[test]
fn what_is_beyond_a_limit_is_not_taken() {
    for text in WHOLE {
        let n_head = text.find("\r\n\r\n").expect("an empty line") + 4;
        let n_line = text.find("\r\n").expect("a request line") + 2;
        let n_fields = text[..n_head].matches("\r\n").count() - 2;
        let at = Limits::default().max_head_size(n_head).max_request_line(n_line).max_headers(n_fields);
        assert!(agrees(text.as_bytes(), &at), "{text}");
        for below in [
            at.clone().max_head_size(n_head - 1),
            at.clone().max_request_line(n_line - 1),
            at.clone().max_headers(n_fields - 1),
        ] {
            assert!(!agrees(text.as_bytes(), &below), "{text}");
        }
    }
}

#[test]
fn what_is_unusual_is_left_to_the_careful_reader() {
    for text in [
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX:  two spaces\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX:\ttab\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n",
    ] {
        assert!(!agrees(text.as_bytes(), &Limits::default()), "{text}");
        assert!(matches!(parse_any_request(text.as_bytes(), &Limits::default()), Ok(Some(_))), "{text}");
    }
}

const PIECES: [&str; 24] = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    "\0",
    "\u{7f}",
    "\u{e9}",
    ":",
    ": ",
    "?",
    "#",
    "/",
    "Host: b\r\n",
    "Host",
    "close",
    ", upgrade",
    "chunked",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "TE: trailers\r\n",
    "HTTP/1.0",
    "é",
];

proptest! {
    #![proptest_config(Config {
        cases: 4000, failure_persistence: None, rng_seed: RngSeed::Fixed(9112), ..Config::default()
    })]

    #[test]
    fn broken_heads_are_taken_for_what_they_are_or_not_at_all(
        text in select(&WHOLE[..]),
        changes in vec((any::<Index>(), 0..4usize, select(&PIECES[..])), 1..5),
        headers in 1..5usize,
    ) {
        let mut bytes = text.as_bytes().to_vec();
        for (at, n_removed, piece) in changes {
            let at = at.index(bytes.len() + 1);
            let end = bytes.len().min(at + n_removed);
            bytes.splice(at..end, piece.bytes());
        }
        agrees(&bytes, &Limits::default());
        agrees(&bytes, &Limits::default().max_headers(headers).max_head_size(120).max_request_line(30));
    }
}
