//! Request lines: their form, versions and targets.

use foster::http::{HttpError, Limits, RequestHead};
use foster::http1::{ServerConnection, ServerEvent};

use crate::wire::{every_way, play_every_way, refused, refused_under, taken};

#[test]
fn a_request_is_its_method_its_target_and_its_fields() {
    let heads = taken(&["PROPFIND /a/b?c=d&e HTTP/1.1\r\nHost: example.org\r\nDepth:  1 \r\nX-Empty:\r\n\r\n"]);
    assert_eq!((&heads[0].method[..], &heads[0].target[..], heads[0].is_11), ("PROPFIND", "/a/b?c=d&e", true));
    let fields: Vec<_> = heads[0].fields.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    assert_eq!(fields, [("Host", &b"example.org"[..]), ("Depth", b"1"), ("X-Empty", b"")]);
}

#[test]
fn a_method_is_any_token_and_its_case_counts() {
    let heads = taken(&["get / HTTP/1.1\r\nHost: a\r\n\r\n", "M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1\r\nHost: a\r\n\r\n"]);
    assert_eq!(heads[0].method, "get");
    assert_eq!(heads[1].method, "M-SEARCH!#$%&'*+.^_`|~");
}

#[test]
fn a_request_line_has_three_parts_with_one_space_between() {
    refused(
        400,
        HttpError::RequestLine,
        &[
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\tx\r\nHost: a\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / b c HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET\r\nHost: a\r\n\r\n",
            " / HTTP/1.1\r\nHost: a\r\n\r\n",
            "/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "\u{b}GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\0GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GÉT / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\"GET\" / HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    );
}

#[test]
fn a_request_without_a_version_is_refused() {
    refused(400, HttpError::RequestLine, &["GET /\r\n\r\n", "GET /\r\nHost: a\r\n\r\n", "GET / \r\nHost: a\r\n\r\n"]);
}

#[test]
fn another_version_of_http_is_not_supported() {
    refused(
        505,
        HttpError::Version,
        &[
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET / HTTP/0.9\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.9\r\nHost: a\r\n\r\n",
            "GET / HTTP/3.0\r\nHost: a\r\n\r\n",
        ],
    );
}

#[test]
fn what_is_no_version_of_http_is_refused() {
    refused(
        400,
        HttpError::RequestLine,
        &[
            "GET / HTTX/1.1\r\nHost: a\r\n\r\n",
            "GET / http/1.1\r\nHost: a\r\n\r\n",
            "GET / Http/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1\r\nHost: a\r\n\r\n",
            "GET / HTTP/2\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
            "GET / HTTP/11\r\nHost: a\r\n\r\n",
            "GET / HTTP/01.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/+1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP /1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1,1\r\nHost: a\r\n\r\n",
            "GET / HTTP-1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/a.b\r\nHost: a\r\n\r\n",
            "GET / RTSP/1.0\r\nHost: a\r\n\r\n",
            "GET / ICY\r\nHost: a\r\n\r\n",
        ],
    );
}

#[test]
fn what_speaks_no_http_at_all_is_refused() {
    // The first bytes of TLS and of SSH, and a request of SMTP.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    assert_eq!(play_every_way(hello).error(), Some(&HttpError::RequestLine));
    refused(400, HttpError::RequestLine, &["SSH-2.0-OpenSSH_9.7\r\n", "EHLO example.org\r\n"]);
}

#[test]
fn empty_lines_before_a_request_are_let_pass_up_to_eight() {
    taken(&["\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"]);
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    taken(&[&format!("{}{request}", "\r\n".repeat(8))]);
    refused(400, HttpError::LineEnd, &[&format!("{}{request}", "\r\n".repeat(9))]);
}

#[test]
fn an_empty_line_between_two_requests_is_let_pass() {
    let outcome = play_every_way(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
    );
    assert_eq!(outcome.heads().iter().map(|head| &head.target[..]).collect::<Vec<_>>(), ["/", "/next"]);
    assert_eq!(outcome.error(), None);
}

#[test]
fn the_four_forms_of_a_target_are_taken() {
    let heads = taken(&[
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET //a/../b?c?d=/e HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%zz%2f%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://example.org HTTP/1.1\r\nHost: other.org\r\n\r\n",
        "GET HTTPS://example.org:443/a?b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://[::1]:80?q HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
        "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    ]);
    assert_eq!(heads[1].target, "//a/../b?c?d=/e");
    assert_eq!(heads[2].target, "/%zz%2f%00");
}

#[test]
fn a_target_of_no_form_or_of_one_that_its_method_does_not_have_is_refused() {
    let lines = [
        "GET *",
        "POST *",
        "OPTIONS **",
        "GET example.org:80",
        "GET a",
        "GET ?q",
        "GET ../a",
        "CONNECT /",
        "CONNECT *",
        "CONNECT example.org",
        "CONNECT example.org:",
        "CONNECT :443",
        "CONNECT example.org:65536",
        "CONNECT user@example.org:443",
        "CONNECT http://example.org:443",
        "CONNECT example.org:443/",
        "CONNECT [::1:443",
        "GET http://",
        "GET http:///a",
        "GET http://:80/",
        "GET http:/a",
        "GET http:a",
        "GET ftp://example.org/",
        "GET ://example.org/",
        "GET http://user@example.org/",
        "GET http://user:secret@example.org/",
        "GET http://example.org:x/",
        "GET http://example.org:99999/",
        "GET http://[::1/",
        "GET http://exa%mple.org/",
        "GET http://a\\b/",
        "GET /a#b",
        "GET /#",
        "GET http://example.org/#b",
        "OPTIONS *#b",
    ];
    for line in lines {
        refused(400, HttpError::Target, &[&format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n")]);
    }
}

#[test]
fn control_bytes_in_a_target_are_refused() {
    for byte in (0..0x20).chain([0x7f]).filter(|byte| !b"\r\n".contains(byte)) {
        let input = [b"GET /a", &[byte][..], b"b HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        refused_under(&Limits::default(), 400, &HttpError::RequestLine, &input);
    }
}

#[test]
fn a_target_beyond_ascii_is_refused_unless_it_is_asked_for() {
    refused(400, HttpError::Target, &["GET /é HTTP/1.1\r\nHost: a\r\n\r\n"]);
    refused_under(&Limits::default(), 400, &HttpError::RequestLine, b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n");

    let limits = Limits::default().allow_unusual_targets(true);
    let outcome = every_way(&limits, "GET /é HTTP/1.1\r\nHost: a\r\n\r\n".as_bytes());
    assert_eq!(outcome.heads()[0].target, "/é");
    refused_under(&limits, 400, &HttpError::RequestLine, b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn a_request_line_ends_in_crlf() {
    refused(
        400,
        HttpError::LineEnd,
        &[
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\rHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\n\n",
            "GET / HTTP/1.0\n\r\n",
            "GET / HTTP/1.0\r\n\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    );
    refused(400, HttpError::RequestLine, &["GET /\r\n HTTP/1.1\r\nHost: a\r\n\r\n", "GET\r / HTTP/1.1\r\n\r\n"]);
}

/// The head of a request with that line.
fn head(line: &str) -> RequestHead {
    let mut connection = ServerConnection::new(Default::default());
    let input = format!("{line} HTTP/1.1\r\nHost: other.org:81\r\n\r\n");
    let Ok(Some(ServerEvent::Request(request))) = connection.receive_data(&mut input.as_bytes()) else {
        panic!("{line} is a request")
    };
    request.head
}

#[test]
fn a_head_gives_path_query_and_host_of_each_form() {
    let table = [
        ("GET /", "/", None, "other.org:81"),
        ("GET /a/../b?c?d=/e", "/a/../b", Some("c?d=/e"), "other.org:81"),
        ("GET /a?", "/a", Some(""), "other.org:81"),
        ("GET //a//b", "//a//b", None, "other.org:81"),
        ("OPTIONS /a", "/a", None, "other.org:81"),
        ("GET http://example.org", "/", None, "example.org"),
        ("GET http://example.org?q", "/", Some("q"), "example.org"),
        ("GET HTTP://example.org:8080/a?b", "/a", Some("b"), "example.org:8080"),
        ("OPTIONS *", "*", None, "other.org:81"),
        ("CONNECT example.org:443", "", None, "example.org:443"),
    ];
    for (line, path, query, host) in table {
        let head = head(line);
        assert_eq!((head.path(), head.query(), head.host()), (path, query, Some(host)), "{line}");
        assert_eq!((head.target_form().path(), head.target_form().query()), (path, query), "{line}");
        assert_eq!(head.request_line(), format!("{line} HTTP/1.1").as_bytes());
        let copy = head.clone();
        drop(head);
        assert_eq!((copy.path(), copy.query(), copy.host()), (path, query, Some(host)), "{line}");
    }
}
