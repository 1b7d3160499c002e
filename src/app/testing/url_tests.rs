use super::Url;

fn resolved(location: &str) -> Option<String> {
    let base = Url { is_secure: false, host: "a:80".into(), target: "/b/c/d?q".into() };
    base.resolve(location).map(|url| url.to_string())
}

#[test]
fn a_location_is_resolved_as_rfc_3986_says() {
    for (location, expected) in [
        ("http://x/y", "http://x/y"),
        ("HTTPS://x", "https://x/"),
        ("https://x?y", "https://x/?y"),
        ("//x/y", "http://x/y"),
        ("/g", "http://a:80/g"),
        ("g", "http://a:80/b/c/g"),
        ("./g", "http://a:80/b/c/g"),
        ("g/", "http://a:80/b/c/g/"),
        ("?y", "http://a:80/b/c/d?y"),
        ("g?y", "http://a:80/b/c/g?y"),
        ("#s", "http://a:80/b/c/d?q"),
        ("g#s", "http://a:80/b/c/g"),
        ("", "http://a:80/b/c/d?q"),
        (".", "http://a:80/b/c/"),
        ("..", "http://a:80/b/"),
        ("../g", "http://a:80/b/g"),
        ("../../../g", "http://a:80/g"),
        ("/./g", "http://a:80/g"),
        ("g/./h/../i", "http://a:80/b/c/g/i"),
        ("g?y/../x", "http://a:80/b/c/g?y/../x"),
        ("/a b", "http://a:80/a%20b"),
        ("/ä?ö", "http://a:80/%C3%A4?%C3%B6"),
        ("/next?url=http://x", "http://a:80/next?url=http://x"),
    ] {
        assert_eq!(resolved(location).as_deref(), Some(expected), "{location:?}");
    }
}

#[test]
fn what_is_no_url_of_http_leads_nowhere() {
    for location in ["mailto:a@b", "ftp://x/y", "javascript:alert(1)", "http:///y", "http:y"] {
        assert_eq!(resolved(location), None, "{location:?}");
    }
}

#[test]
fn the_name_of_a_host_has_no_port() {
    for (host, name) in [("a", "a"), ("a:1", "a"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]")] {
        assert_eq!(Url { is_secure: true, host: host.into(), target: "/".into() }.name(), name);
    }
}
