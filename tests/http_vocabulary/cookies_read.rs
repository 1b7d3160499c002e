//! Cookies that a client sent, beside `werkzeug.http.parse_cookie`.

use std::cell::RefCell;
use std::rc::Rc;

use foster::Request;
use foster::http::StatusCode;
use foster::testing::serve_http;

use crate::stage::{config, paused};

/// What `look` says of a request with these fields.
fn seen<T: 'static>(fields: &[u8], look: impl Fn(&Request) -> T + 'static) -> T {
    let outcome = Rc::new(RefCell::new(None));
    let kept = outcome.clone();
    paused(async |nursery| {
        let handler = move |request: Request| {
            *kept.borrow_mut() = Some(look(&request));
            async { StatusCode::OK }
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        peer.send([b"GET / HTTP/1.0\r\n", fields, b"\r\n"].concat());
        peer.read_to_end().await;
        Ok(())
    });
    outcome.take().expect("the request was read")
}

fn pairs(fields: &[u8]) -> Vec<(String, String)> {
    seen(fields, |request| {
        request.headers().cookies().iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    })
}

fn cookie(value: &str) -> Vec<u8> {
    format!("Cookie: {value}\r\n").into_bytes()
}

#[test]
fn a_field_is_read_as_werkzeug_reads_it() {
    for (field, expected) in [
        ("", &[][..]),
        ("a=b", &[("a", "b")]),
        ("a=b; c=d", &[("a", "b"), ("c", "d")]),
        ("a=b;c=d", &[("a", "b"), ("c", "d")]),
        (" a = b ; c = d ", &[("a", "b"), ("c", "d")]),
        ("a\t=\tb", &[("a", "b")]),
        ("a=1; b=2; a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
        ("A=1; a=2", &[("A", "1"), ("a", "2")]),
        ("a", &[("a", "")]),
        ("a;b=c", &[("a", ""), ("b", "c")]),
        ("=v; a=b", &[("a", "b")]),
        ("=__Host-a=v; a=b", &[("a", "b")]),
        ("a=; b=c", &[("a", ""), ("b", "c")]),
        ("a=b=c", &[("a", "b=c")]),
        (";;; a=b ;;", &[("a", "b")]),
        ("a=b, c=d", &[("a", "b, c=d")]),
        ("a=%20x+y", &[("a", "%20x+y")]),
        ("a=caf\u{e9}; caf\u{e9}=x", &[("a", "caf\u{e9}"), ("caf\u{e9}", "x")]),
        ("$Version=1; a=\"x\"; $Path=/", &[("$Version", "1"), ("a", "x"), ("$Path", "/")]),
        ("a=\"b c\"", &[("a", "b c")]),
        ("a=\"\"", &[("a", "")]),
        ("a=\"", &[("a", "\"")]),
        ("a=\"x\"y", &[("a", "\"x\"y")]),
        ("a=\"b; c=d", &[("a", "\"b"), ("c", "d")]),
        (r#"a="b\"c""#, &[("a", "b\"c")]),
        (r#"a="\303\251""#, &[("a", "\u{e9}")]),
        (r#"a="caf\351""#, &[("a", "caf\u{fffd}")]),
        (r#"a="\400\1x""#, &[("a", "4001x")]),
        (r#"a="\\073""#, &[("a", "\\073")]),
        (r#"a="b\"#, &[("a", "\"b\\")]),
        (r#"a="b\""#, &[("a", "b\\")]),
        (r"a=\303\251", &[("a", r"\303\251")]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert_eq!(pairs(&cookie(field)), expected, "{field}");
    }
}

#[test]
fn quotes_swallow_no_other_cookie() {
    let expected = [("a", "\"x"), ("session", "secret"), ("b", "y\"")];
    let found = pairs(&cookie("a=\"x; session=secret; b=y\""));
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let found = pairs(b"Cookie: a=\xff; b\xfe=\"\xe2\x82\"; c=d\r\n");
    let expected = [("a", "\u{fffd}"), ("b\u{fffd}", "\u{fffd}"), ("c", "d")];
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn all_fields_count_in_their_order_and_the_first_of_a_name_wins() {
    let fields = b"Cookie: a=1; b=2\r\nX-Cookie: a=0\r\ncOOKIE: a=3\r\n";
    let (first, all) = seen(fields, |request| {
        let cookies = request.headers().cookies();
        let all: Vec<_> = cookies.get_all("a").map(|value| value.into_owned()).collect();
        (cookies.get("a").map(|value| value.into_owned()), all)
    });
    assert_eq!(first.as_deref(), Some("1"));
    assert_eq!(all, ["1", "3"]);
}

#[test]
fn a_cookie_that_was_not_sent_is_none() {
    let looked = seen(&cookie("a; b=1"), |request| {
        let cookies = request.headers().cookies();
        let missing = cookies.get("c").is_none() && !cookies.contains("c") && !cookies.contains("");
        (missing, cookies.contains("a"), cookies.get("a").map(|value| value.into_owned()), format!("{cookies:?}"))
    });
    assert_eq!(looked, (true, true, Some(String::new()), "{\"a\": \"\", \"b\": \"1\"}".to_owned()));
    assert!(pairs(b"").is_empty());
}
