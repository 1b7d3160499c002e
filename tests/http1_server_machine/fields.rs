//! Header fields: names, values, line ends and `Host`.

use foster::http::{HttpError, Limits};
use foster::http1::ServerConnection;

use crate::wire::{play_every_way, refused, refused_under, taken};

#[test]
fn whitespace_around_a_value_is_no_part_of_it() {
    let heads = taken(&["GET / HTTP/1.1\r\nHost: a\r\nX:\t \ta b\tc \t\r\nY: \t \r\n\r\n"]);
    assert_eq!(heads[0].fields[1], ("X".to_owned(), b"a b\tc".to_vec()));
    assert_eq!(heads[0].fields[2], ("Y".to_owned(), Vec::new()));
}

#[test]
fn a_value_may_hold_bytes_beyond_ascii() {
    let outcome = play_every_way(b"GET / HTTP/1.1\r\nHost: a\r\nX: \x80\xff\r\n\r\n");
    assert_eq!(outcome.heads()[0].fields[1].1, b"\x80\xff");
}

#[test]
fn a_name_is_a_token_right_before_its_colon() {
    refused(
        400,
        HttpError::HeaderName,
        &[
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\"X\": b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX[]: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\u{b}: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\u{7f}: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\né: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n@: b\r\n\r\n",
        ],
    );
}

#[test]
fn a_line_that_begins_with_whitespace_is_refused() {
    refused(
        400,
        HttpError::HeaderName,
        &[
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tfolded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n",
            "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n",
        ],
    );
}

#[test]
fn control_bytes_in_a_value_are_refused() {
    for byte in (0..0x20).chain([0x7f]).filter(|byte| !b"\t\n".contains(byte)) {
        for value in [&[b'a', byte, b'b'][..], &[byte, b'b'], &[b'a', byte]] {
            let input = [b"GET / HTTP/1.1\r\nHost: a\r\nX: ", value, b"\r\n\r\n"].concat();
            refused_under(&Limits::default(), 400, &HttpError::HeaderValue, &input);
        }
    }
}

#[test]
fn a_field_ends_in_crlf() {
    refused(
        400,
        HttpError::LineEnd,
        &[
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
            "GET / HTTP/1.1\r\nX:\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\nContent-Length: 5\r\n\r\nhello",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\rX",
        ],
    );
    refused(
        400,
        HttpError::HeaderValue,
        &["GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"],
    );
}

#[test]
fn a_bare_lf_is_refused_when_it_comes() {
    for input in ["GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: a\n", "GET / HTTP/1.1\r\nHost: a\r\n\n"] {
        let mut connection = ServerConnection::new(Default::default());
        let (mut all_but_one, mut last) = input.as_bytes().split_at(input.len() - 1);
        assert!(matches!(connection.receive_data(&mut all_but_one), Ok(None)));
        assert_eq!(connection.receive_data(&mut last).err(), Some(HttpError::LineEnd), "{input:?}");
    }
}

#[test]
fn a_bare_line_end_in_the_body_is_no_matter() {
    let outcome = play_every_way(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n\na\rb\n\n\r\n\r");
    assert_eq!(outcome.bodies(), [b"\na\rb\n\n\r\n\r"]);
}

#[test]
fn a_request_of_http_11_has_one_host() {
    refused(400, HttpError::HostMissing, &["GET / HTTP/1.1\r\n\r\n", "GET http://a/ HTTP/1.1\r\nX: a\r\n\r\n"]);
    refused(
        400,
        HttpError::HostRepeated,
        &[
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: b\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        ],
    );
}

#[test]
fn a_request_of_http_10_needs_no_host() {
    taken(&["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nHost: a\r\n\r\n"]);
}

#[test]
fn a_host_is_a_name_or_an_address_with_an_optional_port() {
    let hosts = [
        "example.org",
        "example.org:8080",
        "example.org:",
        "EXAMPLE.org.",
        "192.0.2.1:80",
        "[2001:db8::1]",
        "[::ffff:192.0.2.1]:443",
        "xn--caf-dma.example",
        "a_b",
        "caf%C3%A9",
        "",
        "a:0",
        "a:65535",
        "a:00080",
    ];
    for host in hosts {
        taken(&[&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")]);
    }
}

#[test]
fn what_is_no_host_is_refused() {
    let hosts = [
        "user@example.org",
        "user:secret@example.org",
        "example.org:x",
        "example.org:-1",
        "example.org:+80",
        "example.org:65536",
        "example.org:000080",
        "example.org:80:80",
        "example.org:80 ",
        "example.org: 80",
        "exam ple.org",
        "a, b",
        "example.org/",
        "example.org/path",
        "http://example.org",
        "example.org?q",
        "example.org#f",
        "[::1",
        "[::1]x",
        "[::1]]",
        "[]",
        "[::1%25eth0]",
        "[v1.a]",
        "[example.org]",
        "::1",
        "%",
        "%4",
        "%zz",
        "a\\b",
        "a\"b",
        "<a>",
        "café",
    ];
    for host in hosts {
        // Whitespace behind a value is none of it.
        let (host, end) = host.strip_suffix(' ').map_or((host, ""), |host| (host, " x"));
        refused(400, HttpError::Host, &[&format!("GET / HTTP/1.1\r\nHost: {host}{end}\r\n\r\n")]);
        refused(400, HttpError::Host, &[&format!("GET / HTTP/1.0\r\nHost: {host}{end}\r\n\r\n")]);
    }
}

#[test]
fn the_same_is_wrong_wherever_the_head_was_cut() {
    // Each of these has two faults; the first one counts.
    refused(505, HttpError::Version, &["GET / HTTP/9.9\nHost : a\r\n\r\n"]);
    refused(400, HttpError::LineEnd, &["GET / HTTP/1.1\nHost : a\r\n\r\n"]);
    refused(400, HttpError::HeaderName, &["GET / HTTP/1.1\r\nHost : a\n\r\n"]);
    refused(400, HttpError::HeaderValue, &["GET / HTTP/1.1\r\nHost: a\0\nX : a\r\n\r\n"]);
}

#[test]
fn a_head_that_ends_early_is_incomplete() {
    for input in ["G", "GET / HTT", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n", "\r\nG"] {
        assert_eq!(play_every_way(input.as_bytes()).error(), Some(&HttpError::Incomplete), "{input:?}");
    }
    for input in ["", "\r\n", "\r\n\r"] {
        assert_eq!(play_every_way(input.as_bytes()).events, [], "{input:?}");
    }
    assert_eq!(play_every_way(b"\r\r").error(), Some(&HttpError::LineEnd));
    assert_eq!(play_every_way(b"\r\n\r\r").error(), Some(&HttpError::LineEnd));
}
