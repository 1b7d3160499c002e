//! What a client prefers.

use foster::http::Accept;

#[track_caller]
fn best(field: &str, offered: &[&'static str]) -> Option<&'static str> {
    Accept::mimetypes(field).best_match(offered.iter().copied())
}

#[test]
fn the_highest_quality_of_what_is_offered_is_the_best() {
    assert_eq!(best("text/html, application/json;q=0.9", &["application/json", "text/html"]), Some("text/html"));
    assert_eq!(best("text/html;q=0.2, */*;q=0.8", &["text/html", "application/json"]), Some("application/json"));
    assert_eq!(best("text/html;q=0.2", &["text/html"]), Some("text/html"));
    assert_eq!(best("text/html", &["application/json"]), None);
    assert_eq!(best("text/html", &[]), None);
}

#[test]
fn of_one_quality_the_more_specific_then_the_first_is_the_best() {
    assert_eq!(best("*/*, text/html", &["application/json", "text/html"]), Some("text/html"));
    assert_eq!(best("text/*, text/html", &["text/plain", "text/html"]), Some("text/html"));
    assert_eq!(best("text/html, text/html;level=1", &["text/html", "text/html;level=1"]), Some("text/html;level=1"));
    assert_eq!(best("text/html, application/json", &["application/json", "text/html"]), Some("application/json"));
    assert_eq!(best("*/*", &["a/b", "c/d"]), Some("a/b"));
}

#[test]
fn the_most_specific_value_says_the_quality() {
    let accept = Accept::mimetypes("text/html;q=0, text/*;q=0.3, */*;q=0.1, text/html;level=1;q=0.75");
    assert_eq!(accept.quality("text/html"), 0.0);
    assert_eq!(accept.quality("text/plain"), 0.3);
    assert_eq!(accept.quality("image/png"), 0.1);
    assert_eq!(accept.quality("TEXT/HTML; Level=\"1\""), 0.75);
    assert!(!accept.accepts("text/html") && accept.accepts("image/png"));
    assert_eq!(accept.best_match(["text/html"]), None);
}

#[test]
fn what_is_offered_may_say_more_than_what_is_accepted_and_not_less() {
    assert_eq!(best("text/html", &["text/html; charset=utf-8"]), Some("text/html; charset=utf-8"));
    assert_eq!(best("text/html; charset=utf-8", &["text/html"]), None);
    assert_eq!(best("application/*", &["application/json"]), Some("application/json"));
    assert_eq!(best("*", &["application/json"]), Some("application/json"));
}

#[test]
fn nothing_said_is_nothing_accepted() {
    for field in ["", " ", ",", ";q=1", " , ,"] {
        let accept = Accept::mimetypes(field);
        assert_eq!((accept.len(), accept.best(), accept.best_match(["text/html"])), (0, None, None), "{field:?}");
    }
}

#[test]
fn a_quality_that_is_none_leaves_its_value_out() {
    for quality in ["2", "1.1", "-0.5", "x", "", "0.5x", "1e0", ".5", "0,5", "nan", "\u{0661}"] {
        assert_eq!(best(&format!("text/html;q={quality}, c/d;q=0.5"), &["text/html", "c/d"]), Some("c/d"), "{quality}");
    }
    for quality in ["1", "1.0", "1.000", "0.501", "0.5019"] {
        assert_eq!(best(&format!("a/b ; Q = {quality}, c/d;q=0.5"), &["c/d", "a/b"]), Some("a/b"), "{quality}");
    }
    assert_eq!(best("a/b;q=0.0001", &["a/b"]), None);
}

#[test]
fn values_are_parted_outside_of_quotes() {
    let accept = Accept::mimetypes(r#"a/b;x="1,2;q=0";q=0.5, c/d;x="\",";q=0.25;y=1, e/f;x=",;q=1"#);
    let items: Vec<_> = accept.iter().collect();
    assert_eq!(items, [(r#"e/f;x=",;q=1"#, 1.0), (r#"a/b;x="1,2;q=0""#, 0.5), (r#"c/d;x="\",""#, 0.25)]);
    assert_eq!(accept.to_string(), r#"e/f;x=",;q=1, a/b;x="1,2;q=0";q=0.5, c/d;x="\",";q=0.25"#);
}

#[test]
fn a_language_matches_as_it_is_then_without_its_region() {
    let best = |field: &str, offered: &[&'static str]| Accept::languages(field).best_match(offered.iter().copied());
    assert_eq!(best("en-us", &["en_US"]), Some("en_US"));
    assert_eq!(best("en-GB, de;q=0.5", &["en", "de"]), Some("de"));
    assert_eq!(best("en-GB, fr;q=0.5", &["de", "en"]), Some("en"));
    assert_eq!(best("en", &["de", "en-US"]), Some("en-US"));
    assert_eq!(best("en-GB", &["en-US"]), None);
    assert_eq!(best("de, en-US;q=0.9", &["en"]), Some("en"));
    assert_eq!(best("de-AT, *;q=0.1", &["fr", "de"]), Some("fr"));
    assert_eq!(best("en;q=0", &["en-US"]), None);
}

#[test]
fn encodings_and_charsets_match_by_name() {
    let encodings = Accept::encodings("gzip, br;q=0.9, *;q=0");
    assert_eq!(encodings.best_match(["br", "GZIP"]), Some("GZIP"));
    assert_eq!(encodings.best_match(["zstd"]), None);
    let charsets = Accept::charsets("utf8;q=0.5, *;q=0.1");
    assert_eq!(charsets.best_match(["latin-1", "UTF-8"]), Some("UTF-8"));
}

#[test]
fn the_best_is_shown_first() {
    let accept = Accept::mimetypes("*/*;q=0.2, text/*;q=0.2, text/html;q=0.2, a/b;q=0, c/d");
    let values: Vec<_> = accept.iter().map(|(value, _)| value).collect();
    assert_eq!(values, ["c/d", "text/html", "text/*", "*/*", "a/b"]);
    assert_eq!(accept.best(), Some("c/d"));
    assert_eq!(Accept::mimetypes("a/b;q=0").best(), None);
    assert_eq!(accept.best_match(vec![String::from("text/plain")]), Some(String::from("text/plain")));
}
