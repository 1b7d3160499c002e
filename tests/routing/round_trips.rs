//! What is built is matched by its rule with the same values, and nothing that is asked for ends in a panic.

use foster::app::routing::{BuildOptions, Map, MatchRequest, PathValue, Rule, Uuid};
use foster::http::Method;
use proptest::prelude::*;

/// Rules of which no other takes the URLs, and what their variables are of.
const RULES: [(&str, &[(&str, Kind)]); 9] = [
    ("/s/<x>", &[("x", Kind::Text)]),
    ("/s2/<x>/<y>/", &[("x", Kind::Text), ("y", Kind::Text)]),
    ("/i/<int(signed=True):x>", &[("x", Kind::Int)]),
    ("/f/<float(signed=True):x>", &[("x", Kind::Float)]),
    ("/u/<uuid:x>", &[("x", Kind::Uuid)]),
    ("/p/<path:x>", &[("x", Kind::Text)]),
    ("/p2/<path:x>/to/<path:y>/", &[("x", Kind::Text), ("y", Kind::Text)]),
    ("/m/<x>-<int(signed=True):y>.<z>", &[("x", Kind::Text), ("y", Kind::Int), ("z", Kind::Text)]),
    ("/a/<x><y>", &[("x", Kind::Text), ("y", Kind::Text)]),
];

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Int,
    Float,
    Uuid,
}

fn map() -> Map<&'static str> {
    let rules = RULES.iter().map(|(pattern, _)| (Rule::new(*pattern).endpoint(*pattern), *pattern));
    Map::builder().rules(rules).build().expect("the rules are right")
}

/// Text with what separates, what is encoded and what is beyond ASCII.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab/.%-]{0,6}",
        "[a-zA-Z0-9 /?#%&=+.~\\\\\"<>é🦀\u{0}\n-]{0,8}",
        any::<String>().prop_map(|text| text.chars().take(8).collect()),
    ]
}

fn values(nth: usize) -> impl Strategy<Value = Vec<(&'static str, PathValue<'static>)>> {
    let (_, variables) = RULES[nth];
    let strategies: Vec<_> = variables
        .iter()
        .map(|&(name, kind)| {
            let value = match kind {
                Kind::Text => text().prop_map(PathValue::from).boxed(),
                Kind::Int => any::<i64>().prop_map(PathValue::from).boxed(),
                Kind::Float => any::<f64>().prop_map(PathValue::from).boxed(),
                Kind::Uuid => any::<u128>().prop_map(|number| Uuid::from_u128(number).into()).boxed(),
            };
            value.prop_map(move |value| (name, value))
        })
        .collect();
    strategies
}

proptest! {
    #[test]
    fn what_is_built_is_matched_with_the_same_values(
        (nth, values) in (0..RULES.len()).prop_flat_map(|nth| (Just(nth), values(nth)))
    ) {
        let map = map();
        let endpoint = RULES[nth].0;
        let Ok(url) = map.build(endpoint, &values, &BuildOptions::default()) else { return Ok(()) };
        prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{}", url);
        let found = map.match_request(&MatchRequest::new(&Method::GET, &url));
        let found = found.map_err(|err| TestCaseError::fail(format!("{url}: {err}")))?;
        prop_assert_eq!(*found.value(), endpoint, "{}", url);
        for (name, value) in &values {
            let matched = found.values().get(name);
            prop_assert_eq!(matched.as_ref(), Some(value), "{}", url);
        }
    }

    #[test]
    fn text_that_is_no_dots_and_not_empty_can_be_built(text in text()) {
        let is_fine = !text.is_empty() && text != "." && text != "..";
        let url = map().build("/s/<x>", &[("x", text.into())], &BuildOptions::default());
        prop_assert_eq!(url.is_ok(), is_fine);
    }

    #[test]
    fn no_path_ends_in_a_panic_or_a_redirect_elsewhere(
        path in prop_oneof!["(/|/[sifupma]2?)[/%ab0-9.é2F-]{0,12}", any::<String>()]
    ) {
        let map = map();
        for method in [Method::GET, Method::POST] {
            if let Err(foster::app::routing::NoMatch::Redirect { location }) =
                map.match_request(&MatchRequest::new(&method, &path))
            {
                prop_assert!(location.starts_with('/') && !location.starts_with("//"), "{}", location);
                prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{}", location);
                prop_assert_ne!(location, path.clone());
            }
        }
    }

    #[test]
    fn no_pattern_ends_in_a_panic(
        pattern in prop_oneof!["/[a<>:()=,'\"1 é/-]{0,16}", "/<(int|any|path|string)\\([a-z=0-9,\"' ]{0,10}\\):[a-z]>"]
    ) {
        match Map::builder().rule(Rule::new(pattern.as_str()).endpoint("x"), ()).build() {
            Ok(map) => {
                let _ = map.match_request(&MatchRequest::new(&Method::GET, "/a-1"));
                let _ = map.build("x", &[("a", "a".into())], &BuildOptions::default());
            }
            Err(err) => prop_assert_eq!(err.to_string().lines().count(), 3),
        }
    }
}
