//! Whose pages may open a WebSocket.

use foster::websocket::{HandshakeError, Opening, Origin, Origins, ServerHandshake};

use crate::heads::{request_of, sample_with};

fn allows(origins: &Origins, host: &str, is_secure: bool, lines: &[&str]) -> bool {
    let host = format!("Host: {host}");
    let head = sample_with("Host", &[&[host.as_str()], lines].concat());
    match ServerHandshake::read(&head, Opening::Upgrade, is_secure, origins) {
        Ok(_) => true,
        Err(HandshakeError::Origin { .. }) => false,
        Err(err) => panic!("{lines:?}: {err}"),
    }
}

fn is_same(host: &str, is_secure: bool, origin: &str) -> bool {
    allows(&Origins::Same, host, is_secure, &[&format!("Origin: {origin}")])
}

#[test]
fn pages_of_the_same_host_may_and_others_may_not() {
    for (host, is_secure, origin, expected) in [
        ("example.org", false, "http://example.org", true),
        ("example.org", true, "https://example.org", true),
        ("example.org", false, "http://example.org:80", true),
        ("example.org:80", false, "http://example.org", true),
        ("example.org:443", true, "https://example.org", true),
        ("example.org:", false, "http://example.org", true),
        ("example.org:8000", false, "http://example.org:8000", true),
        ("Example.ORG", false, "HTTP://eXample.org", true),
        ("127.0.0.1:8000", false, "http://127.0.0.1:8000", true),
        ("[::1]:8000", false, "http://[::1]:8000", true),
        ("[0:0::1]", false, "http://[::1]", true),
        ("[::1]", false, "http://[::1]:80", true),
        // The port.
        ("example.org", false, "http://example.org:8000", false),
        ("example.org:8000", false, "http://example.org", false),
        ("example.org:8000", false, "http://example.org:8001", false),
        ("example.org:80", true, "https://example.org", false),
        // The host.
        ("example.org", false, "http://example.com", false),
        ("example.org", false, "http://www.example.org", false),
        ("example.org", false, "http://example.org.evil.example", false),
        ("example.org", false, "http://evil-example.org", false),
        ("example.org", false, "http://example.org.", false),
        ("127.0.0.1", false, "http://localhost", false),
        // The scheme.
        ("example.org", true, "http://example.org", false),
        ("example.org", true, "http://example.org:443", false),
        ("example.org", false, "ws://example.org", false),
        ("example.org", false, "chrome-extension://example.org", false),
    ] {
        assert_eq!(is_same(host, is_secure, origin), expected, "{origin} at {host}, secure: {is_secure}");
    }
}

#[test]
fn a_page_of_https_may_where_a_proxy_has_taken_the_encryption_off() {
    assert!(is_same("example.org", false, "https://example.org"));
    assert!(is_same("example.org:8443", false, "https://example.org:8443"));
    assert!(!is_same("example.org:8000", false, "https://example.org"));
}

#[test]
fn what_is_no_origin_is_never_the_same() {
    for origin in [
        "",
        "null",
        "NULL",
        "example.org",
        "//example.org",
        "http:example.org",
        "http://",
        "http://:80",
        "http://example.org/",
        "http://example.org/path",
        "http://example.org?",
        "http://user@example.org",
        "http://example.org@example.org",
        "http://example.org http://example.org",
        "http://example.org, http://example.org",
        "http://example.org:99999",
        "http://example.org:-80",
        "://example.org",
        "1http://example.org",
        "http://ex\u{e4}mple.org",
    ] {
        assert!(!is_same("example.org", false, origin), "{origin:?}");
    }
}

#[test]
fn two_origins_are_none_even_if_they_are_the_same() {
    let lines = ["Origin: http://example.org", "Origin: http://example.org"];
    assert!(!allows(&Origins::Same, "example.org", false, &lines));
    assert!(!allows(&Origins::list(["http://example.org"]).expect("an origin"), "example.org", false, &lines));
}

#[test]
fn a_client_that_is_no_browser_has_no_origin_and_may() {
    let list = Origins::list(["https://example.org"]).expect("an origin");
    for origins in [Origins::Same, Origins::default(), list, Origins::List(Vec::new()), Origins::Any] {
        assert!(allows(&origins, "example.org", true, &[]), "{origins:?}");
    }
}

#[test]
fn a_list_allows_its_origins_whatever_the_host() {
    let origins =
        Origins::list(["https://app.example.org", "HTTP://LocalHost:3000", "http://a:80", "capacitor://localhost"])
            .expect("origins");
    let may = |origin: &str| allows(&origins, "api.example.org", true, &[&format!("Origin: {origin}")]);
    for origin in [
        "https://app.example.org",
        "https://app.example.org:443",
        "https://APP.example.org",
        "http://localhost:3000",
        "http://a",
        "capacitor://localhost",
    ] {
        assert!(may(origin), "{origin}");
    }
    for origin in [
        "https://api.example.org",
        "http://app.example.org",
        "https://app.example.org:8443",
        "https://app.example.org.evil.example",
        "http://localhost",
        "https://localhost:3000",
        "capacitor://localhost:80",
        "capacitor://other",
        "null",
        "https://app.example.org/",
    ] {
        assert!(!may(origin), "{origin}");
    }
}

#[test]
fn any_page_may_if_it_is_said() {
    for origin in ["https://evil.example", "null", "what is this", ""] {
        assert!(allows(&Origins::Any, "example.org", true, &[&format!("Origin: {origin}")]), "{origin}");
    }
}

#[test]
fn the_target_names_the_host_where_it_has_one() {
    let head = |origin: &str| {
        request_of([
            "GET http://example.org/chat HTTP/1.1",
            "Host: other.example",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            &format!("Origin: {origin}"),
        ])
    };
    let read = |origin| ServerHandshake::read(&head(origin), Opening::Upgrade, false, &Origins::Same);
    assert!(read("http://example.org").is_ok());
    assert!(read("http://other.example").is_err());
}

#[test]
fn a_list_says_which_of_its_origins_is_none() {
    for text in
        ["example.org", "null", "*", "https://*.example.org/", "https://example.org/", "https://", "", "a://b c"]
    {
        let err = Origins::list(["https://example.org", text]).expect_err("the second is none");
        assert!(err.to_string().starts_with(&format!("{text:?} is no origin: write scheme://host")), "{err}");
    }
}

#[test]
fn an_origin_is_shown_as_browsers_write_it() {
    for (text, shown) in [
        ("HTTPS://Example.org:443", "https://example.org"),
        ("http://example.org:443", "http://example.org:443"),
        ("http://[0:0::1]:80", "http://[::1]"),
        ("app://x:1", "app://x:1"),
    ] {
        assert_eq!(text.parse::<Origin>().expect(text).to_string(), shown);
    }
}
