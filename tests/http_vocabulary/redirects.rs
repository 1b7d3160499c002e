//! Redirects: where they lead as it stands on the wire, and that nothing else gets there.

use foster::http::{NotARedirect, StatusCode, header, redirect, redirect_with};
use proptest::proptest;

use crate::sent;

fn location_of(location: &str) -> String {
    let response = redirect(location);
    assert_eq!(response.headers().len(), 1);
    response.headers().get(&header::LOCATION).and_then(|value| value.to_str().ok()).expect("a location").to_owned()
}

#[test]
fn a_redirect_is_302_with_a_location_and_a_page_with_the_link() {
    let page = "<!doctype html>\n<html lang=\"en\">\n<title>Moved</title>\n\
                <p>Go on to <a href=\"/login?a=1&amp;b=2\">/login?a=1&amp;b=2</a>.\n";
    assert_eq!(
        sent(|| redirect("/login?a=1&b=2")),
        format!(
            "HTTP/1.1 302 Found\r\ncontent-type: text/html; charset=utf-8\r\nlocation: /login?a=1&b=2\r\n\
             content-length: {}\r\n\r\n{page}",
            page.len()
        )
    );
}

#[test]
fn what_may_not_stand_in_a_url_is_encoded_as_werkzeug_does() {
    for (location, encoded) in [
        ("", ""),
        ("/a/b;c=d?e=f&g=%20h#i", "/a/b;c=d?e=f&g=%20h#i"),
        ("http://user:pass@[::1]:8000/~x", "http://user:pass@[::1]:8000/~x"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/\u{1f600}?q=\u{e8}ry%DF", "/%F0%9F%98%80?q=%C3%A8ry%DF"),
        ("/a b", "/a%20b"),
        ("/<\"'>", "/%3C%22'%3E"),
        ("/\\evil.example", "/%5Cevil.example"),
        ("/{a|b}^`", "/%7Ba%7Cb%7D%5E%60"),
    ] {
        assert_eq!(location_of(location), encoded);
    }
}

#[test]
fn line_ends_never_get_into_the_header() {
    assert_eq!(location_of("/\r\nSet-Cookie: a=b\r\n\r\n<p>"), "/%0D%0ASet-Cookie:%20a=b%0D%0A%0D%0A%3Cp%3E");
    assert_eq!(location_of("/\t/evil.example\0\u{7f}"), "/%09/evil.example%00%7F");
}

#[test]
fn only_a_status_that_goes_with_a_location_makes_a_redirect() {
    for status in (200..=599).filter_map(|status| StatusCode::from_u16(status).ok()) {
        let is_one = [301, 302, 303, 305, 307, 308].contains(&status.as_u16());
        match redirect_with("/new", status) {
            Ok(response) => assert!(is_one && response.status() == status, "{status}"),
            Err(err) => assert!(!is_one && err == NotARedirect(status), "{status}"),
        }
    }
    assert_eq!(
        NotARedirect(StatusCode::NOT_MODIFIED).to_string(),
        "304 is no status of a redirect: these are 301, 302, 303, 305, 307 and 308"
    );
}

proptest! {
    #[test]
    fn every_text_makes_a_location_of_visible_ascii(location in "\\PC*|[\\x00-\\xff]*|.*") {
        assert!(location_of(&location).bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
