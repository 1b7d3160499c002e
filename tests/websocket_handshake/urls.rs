//! Where a client connects to.

use foster::websocket::{BadUrl, WebSocketUrl};

fn url(text: &str) -> WebSocketUrl {
    text.parse().unwrap_or_else(|err| panic!("{text}: {err}"))
}

#[test]
fn a_url_says_where_to_connect_and_what_to_ask_for() {
    for (text, host, port, is_secure, header, target) in [
        ("ws://example.org", "example.org", 80, false, "example.org", "/"),
        ("wss://example.org", "example.org", 443, true, "example.org", "/"),
        ("ws://example.org/", "example.org", 80, false, "example.org", "/"),
        ("ws://example.org:80/", "example.org", 80, false, "example.org", "/"),
        ("wss://example.org:443/", "example.org", 443, true, "example.org", "/"),
        ("ws://example.org:443/", "example.org", 443, false, "example.org:443", "/"),
        ("wss://example.org:80/", "example.org", 80, true, "example.org:80", "/"),
        ("ws://example.org:8000/chat", "example.org", 8000, false, "example.org:8000", "/chat"),
        ("ws://example.org:65535", "example.org", 65535, false, "example.org:65535", "/"),
        ("WS://Example.ORG/Chat", "example.org", 80, false, "example.org", "/Chat"),
        ("ws://example.org/a/b?c=d&e=%20", "example.org", 80, false, "example.org", "/a/b?c=d&e=%20"),
        ("ws://example.org?c=d", "example.org", 80, false, "example.org", "/?c=d"),
        ("ws://example.org/?", "example.org", 80, false, "example.org", "/?"),
        ("ws://example.org/a?b?c", "example.org", 80, false, "example.org", "/a?b?c"),
        ("ws://example.org//a//", "example.org", 80, false, "example.org", "//a//"),
        ("ws://127.0.0.1:8000/", "127.0.0.1", 8000, false, "127.0.0.1:8000", "/"),
        ("ws://[::1]", "::1", 80, false, "[::1]", "/"),
        ("wss://[::1]:8443/a", "::1", 8443, true, "[::1]:8443", "/a"),
        ("ws://[2001:DB8:0::1]:80/", "2001:db8::1", 80, false, "[2001:db8::1]", "/"),
    ] {
        let url = url(text);
        assert_eq!((url.host(), url.port(), url.is_secure()), (host, port, is_secure), "{text}");
        assert_eq!((url.host_header().to_str().expect("ASCII"), url.target()), (header, target), "{text}");
        assert_eq!(url.authorization(), None, "{text}");
    }
}

#[test]
fn user_and_password_become_basic_authorization() {
    for (text, expected) in [
        ("ws://Aladdin:open%20sesame@example.org/", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("ws://a:b:c@example.org/", "Basic YTpiOmM="),
        ("ws://a:@example.org/", "Basic YTo="),
        ("ws://:b@example.org/", "Basic OmI="),
        ("ws://caf%C3%A9:%40@[::1]:8000/", "Basic Y2Fmw6k6QA=="),
    ] {
        let url = url(text);
        assert_eq!(url.authorization().and_then(|value| value.to_str().ok()), Some(expected), "{text}");
    }
}

#[test]
fn a_password_is_not_shown() {
    let url = url("wss://me:secret@example.org:8000/a?b");
    assert_eq!(url.to_string(), "wss://example.org:8000/a?b");
    let shown = format!("{url:?}");
    assert!(!shown.contains("secret") && !shown.contains("bWU6c2VjcmV0"), "{shown}");
}

#[test]
fn what_is_no_url_of_a_websocket_is_refused_with_what_is_wrong() {
    let long = format!("ws://example.org/{}", "a".repeat(70_000));
    for (text, expected) in [
        ("", BadUrl::Syntax),
        ("ws://", BadUrl::Syntax),
        ("ws:///chat", BadUrl::Syntax),
        ("ws://example.org/a b", BadUrl::Syntax),
        ("ws://example.org\r\nX: y", BadUrl::Syntax),
        ("ws://[::1", BadUrl::Syntax),
        ("ws://ex\u{e4}mple.org/", BadUrl::Syntax),
        (&long, BadUrl::Syntax),
        ("/chat", BadUrl::Scheme),
        ("example.org", BadUrl::Scheme),
        ("http://example.org/", BadUrl::Scheme),
        ("https://example.org/", BadUrl::Scheme),
        ("wsx://example.org/", BadUrl::Scheme),
        ("ws://example.org/#", BadUrl::Fragment),
        ("ws://example.org/#top", BadUrl::Fragment),
        ("ws://example.org/?a#b", BadUrl::Fragment),
        ("ws://:80/", BadUrl::Host),
        ("ws://[::g]/", BadUrl::Host),
        ("ws://[fe80::1%25eth0]/", BadUrl::Host),
        ("ws://1.2.3.4:99999/", BadUrl::Host),
        ("ws://example.org:0/", BadUrl::Port),
        ("ws://me@example.org/", BadUrl::User),
        ("ws://me:%zz@example.org/", BadUrl::User),
        ("ws://m%3Ae:secret@example.org/", BadUrl::User),
        ("ws://example.org/\u{e9}", BadUrl::Target),
        ("ws://example.org/?\u{e9}", BadUrl::Target),
    ] {
        assert_eq!(text.parse::<WebSocketUrl>(), Err(expected), "{}", &text[..text.len().min(60)]);
    }
}
