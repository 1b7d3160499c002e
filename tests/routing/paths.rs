//! Percent-encoding, slashes and where redirects lead.

use foster::app::routing::{Map, MatchRequest, Rule};
use foster::http::Method;

use super::{get, map_of, shown};

#[test]
fn an_encoded_slash_is_part_of_a_value_and_of_nothing_else() {
    let map = map_of(&["/a/b", "/v/<x>", "/v/<x>/<y>", "/p/<path:x>/end", "/m/<a>-<b>"]);
    for (path, shown) in [
        ("/a%2Fb", "404"),
        ("/v/a%2Fb", "/v/<x> x=Str(\"a/b\")"),
        ("/v/a%2fb/c", "/v/<x>/<y> x=Str(\"a/b\") y=Str(\"c\")"),
        ("/v/%2F", "/v/<x> x=Str(\"/\")"),
        ("/p/a%2Fb/c/end", "/p/<path:x>/end x=Str(\"a/b/c\")"),
        ("/p/a%2Fend", "404"),
        ("/p/%2Fetc/end", "404"),
        ("/m/a%2F-%2Fb", "/m/<a>-<b> a=Str(\"a/\") b=Str(\"/b\")"),
        ("/v/a%252Fb", "/v/<x> x=Str(\"a%2Fb\")"),
    ] {
        assert_eq!(get(&map, path), shown, "{path}");
    }
}

#[test]
fn an_encoded_slash_behind_a_path_is_no_slash_of_its_rule() {
    let map = map_of(&["/p/<path:x>/"]);
    assert_eq!(get(&map, "/p/a%2F"), "308 /p/a%2F/");
    assert_eq!(get(&map, "/p/a%2F/"), "/p/<path:x>/ x=Str(\"a/\")");
}

#[test]
fn what_is_not_encoded_utf_8_matches_nothing() {
    let map = map_of(&["/<path:x>"]);
    for path in ["/%", "/%2", "/%zz", "/%FF", "/a/%C3/b", "/%C3%28", "/%ED%A0%80", "/a%0"] {
        assert_eq!(get(&map, path), "404", "{path}");
    }
    assert_eq!(get(&map, "/caf%C3%A9/%F0%9F%A6%80"), "/<path:x> x=Str(\"café/🦀\")");
    assert_eq!(get(&map, "/%00"), "/<path:x> x=Str(\"\\0\")");
}

#[test]
fn text_of_rules_is_compared_decoded() {
    let map = map_of(&["/naïve plan", "/50%", "/a?b"]);
    for (path, rule) in [
        ("/na%C3%AFve%20plan", "/naïve plan"),
        ("/50%25", "/50%"),
        ("/a%3fb", "/a?b"),
        ("/n%61%C3%AFve%20plan", "/naïve plan"),
    ] {
        assert_eq!(get(&map, path), rule);
    }
    assert_eq!(map.build("/50%", &[], &Default::default()).as_deref(), Ok("/50%25"));
}

#[test]
fn what_has_no_path_matches_nothing() {
    let map = map_of(&["/<path:x>", "/"]);
    for path in ["*", "example.com:443", "a/b"] {
        assert_eq!(get(&map, path), "404", "{path}");
    }
    assert_eq!(get(&map, ""), "308 /");
}

#[test]
fn dots_are_text() {
    let map = map_of(&["/<path:x>"]);
    assert_eq!(get(&map, "/../%2e%2e/a"), "/<path:x> x=Str(\"../../a\")");
}

#[test]
fn a_redirect_never_leaves_the_host() {
    let map = map_of(&["/<path:x>/", "/<a>/<b>/"]);
    for (path, location) in [
        ("//evil.example", "/evil.example/"),
        ("///evil.example//x", "/evil.example//x/"),
        ("/\\evil.example", "/%5Cevil.example/"),
        ("/%5Cevil.example", "/%5Cevil.example/"),
        ("/x\r\nset-cookie: a", "/x%0D%0Aset-cookie:%20a/"),
        ("/é", "/%C3%A9/"),
    ] {
        assert_eq!(get(&map, path), format!("308 {location}"), "{path}");
    }
}

#[test]
fn a_redirect_keeps_the_query_and_what_the_application_is_mounted_below() {
    let map = Map::builder()
        .rule(Rule::new("/a/").endpoint("a"), "a")
        .rule(Rule::new("/b/c"), "c")
        .rule(Rule::new("/old/<path:x>").redirect_to("new/<x>?from=old"), "old")
        .rule(Rule::new("/z").endpoint("a").alias(), "z")
        .build()
        .expect("the rules are right");
    let moved =
        |path, query| shown(&map, &MatchRequest { query, root_path: "/app/", ..MatchRequest::new(&Method::GET, path) });
    assert_eq!(moved("/a", Some("x=%20&y= \"")), "308 /app/a/?x=%20&y=%20%22");
    assert_eq!(moved("/a", Some("")), "308 /app/a/");
    assert_eq!(moved("/b//c", None), "308 /app/b/c");
    assert_eq!(moved("/z", Some("q")), "308 /app/a/?q");
    assert_eq!(moved("/old/a/b%20c", None), "308 /app/new/a/b%20c?from=old");
    assert_eq!(moved("/old/x", None), "308 /app/new/x?from=old");
}

#[test]
fn values_are_borrowed_from_a_path_without_escapes() {
    let map = map_of(&["/<a>/<path:b>"]);
    let (method, path) = (Method::GET, String::from("/one/two/three"));
    let found = map.match_request(&MatchRequest::new(&method, &path)).expect("it matches");
    let text = found.values().text("b").expect("it is there");
    assert!(path.as_bytes().as_ptr_range().contains(&text.as_ptr()));
    assert_eq!(text, "two/three");
}
