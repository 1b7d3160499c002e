//! URLs that are built, and why others are not.

use foster::app::routing::{BuildError, BuildOptions, Map, PathValue, Rule};
use foster::http::Method;

use super::map_of;

fn url(map: &Map<&str>, endpoint: &str, values: &[(&str, PathValue<'_>)]) -> String {
    map.build(endpoint, values, &BuildOptions::default()).unwrap_or_else(|err| err.to_string())
}

fn users() -> Map<&'static str> {
    Map::builder()
        .server_name("example.com")
        .rule(Rule::new("/users/<int:user_id>").endpoint("user.show").methods([Method::GET]), "show")
        .rule(Rule::new("/users/<int:user_id>/<tab>").endpoint("user.show").methods([Method::GET]), "tab")
        .rule(Rule::new("/chat/<room>").endpoint("chat").websocket(), "chat")
        .rule(Rule::new("/<a>-<b>").endpoint("two"), "two")
        .build()
        .expect("the rules are right")
}

#[test]
fn an_endpoint_that_is_not_there_is_answered_with_one_that_is() {
    let map = users();
    let said = url(&map, "user.shwo", &[]);
    assert_eq!(said, "no rule has the endpoint \"user.shwo\"; did you mean \"user.show\"?");
    assert_eq!(url(&map, "entirely.different", &[]), "no rule has the endpoint \"entirely.different\"");
}

#[test]
fn a_missing_value_is_named_and_what_was_given_in_its_place() {
    let map = users();
    let said = url(&map, "user.show", &[("userid", 5.into()), ("page", 1.into())]);
    assert_eq!(
        said,
        "a URL of \"user.show\" needs values for \"user_id\"; \"userid\" was given: did you mean \"user_id\"?"
    );
    assert_eq!(url(&map, "two", &[]), "a URL of \"two\" needs values for \"a\", \"b\"");
}

#[test]
fn a_value_of_another_type_is_refused_with_what_was_expected() {
    let map = users();
    for value in [PathValue::from("five"), (-5).into(), 5.5.into(), PathValue::custom(5)] {
        let err = map.build("user.show", &[("user_id", value)], &BuildOptions::default()).expect_err("no integer");
        assert!(matches!(&err, BuildError::BadValue { name, .. } if name == "user_id"), "{err}");
        assert!(err.to_string().ends_with("expected an integer that is not negative"), "{err}");
    }
    assert_eq!(url(&map, "user.show", &[("user_id", "5".into())]), "/users/5");
    let too_large = url(&map, "user.show", &[("user_id", u64::MAX.into())]);
    assert!(too_large.contains("18446744073709551615"), "{too_large}");
}

#[test]
fn the_rule_with_most_of_the_values_is_taken_and_the_rest_is_the_query() {
    let map = users();
    let values =
        [("user_id", 1.into()), ("tab", "a b".into()), ("q", "x&y".into()), ("q", "é".into()), ("n", true.into())];
    assert_eq!(url(&map, "user.show", &values), "/users/1/a%20b?q=x%26y&q=%C3%A9&n=true");
    assert_eq!(url(&map, "user.show", &[("q", 1.5.into()), ("user_id", 1.into())]), "/users/1?q=1.5");
    let custom = url(&map, "user.show", &[("user_id", 1.into()), ("q", PathValue::custom(1))]);
    assert!(custom.contains("expected a value that can be shown as text"), "{custom}");
    let twice = url(&map, "chat", &[("room", "a".into()), ("room", "b".into())]);
    assert!(twice.ends_with("expected one value"), "{twice}");
}

#[test]
fn what_would_be_read_otherwise_is_not_built() {
    let map = users();
    assert_eq!(url(&map, "two", &[("a", "x-y".into()), ("b", "z".into())]), "/x-y-z");
    let said = url(&map, "two", &[("a", "x".into()), ("b", "y-z".into())]);
    assert_eq!(said, "/x-y-z would reach \"two\" with other values, as variables share a segment there");
}

#[test]
fn a_method_that_no_rule_has_is_refused_with_those_there_are() {
    let map = users();
    let options = BuildOptions { method: Some(&Method::DELETE), ..BuildOptions::default() };
    let err = map.build("user.show", &[("user_id", 1.into())], &options).expect_err("there is GET only");
    assert_eq!(err.to_string(), "no rule of \"user.show\" takes DELETE; there is GET, HEAD, OPTIONS");
}

#[test]
fn an_external_url_takes_the_host_of_the_request_and_else_that_of_the_server() {
    let map = users();
    let options = BuildOptions {
        scheme: Some("https"),
        root_path: "/app",
        anchor: Some("top #1"),
        external: true,
        ..BuildOptions::default()
    };
    let values = [("user_id", 1.into())];
    let of = |options: &BuildOptions<'_>| map.build("user.show", &values, options);
    assert_eq!(of(&options).as_deref(), Ok("https://example.com/app/users/1#top%20%231"));
    let at_host = BuildOptions { host: Some("www.example.com:81"), scheme: None, ..options };
    assert_eq!(of(&at_host).as_deref(), Ok("http://www.example.com:81/app/users/1#top%20%231"));
    assert_eq!(of(&BuildOptions { external: false, ..at_host }).as_deref(), Ok("/app/users/1#top%20%231"));
}

#[test]
fn a_websocket_has_its_own_scheme_and_always_a_host() {
    let map = users();
    let of = |scheme| map.build("chat", &[("room", "a".into())], &BuildOptions { scheme, ..BuildOptions::default() });
    assert_eq!(of(None).as_deref(), Ok("ws://example.com/chat/a"));
    assert_eq!(of(Some("https")).as_deref(), Ok("wss://example.com/chat/a"));
    let nowhere = Map::builder().rule(Rule::new("/ws").endpoint("ws").websocket(), "ws").build().expect("it is right");
    assert_eq!(
        url(&nowhere, "ws", &[]),
        "an external URL of \"ws\" needs a host: give one, or give the map a server_name"
    );
}

#[test]
fn what_clients_take_out_of_a_url_is_not_put_in() {
    let map = map_of(&["/a/<x>", "/p/<path:x>", "/f/<x>.txt", "/m/<x><y>"]);
    for (endpoint, value) in [("/a/<x>", "."), ("/a/<x>", ".."), ("/p/<path:x>", "a/../b"), ("/p/<path:x>", "..")] {
        let said = url(&map, endpoint, &[("x", value.into())]);
        assert!(said.contains("which clients take out"), "{said}");
    }
    assert_eq!(url(&map, "/a/<x>", &[("x", "...".into())]), "/a/...");
    assert_eq!(url(&map, "/f/<x>.txt", &[("x", "..".into())]), "/f/...txt");
    assert_eq!(url(&map, "/p/<path:x>", &[("x", "..a/b..".into())]), "/p/..a/b..");
    let of_two = url(&map, "/m/<x><y>", &[("x", ".".into()), ("y", ".".into())]);
    assert!(of_two.contains("which clients take out"), "{of_two}");
}

#[test]
fn a_value_that_is_no_part_of_a_host_is_not_put_into_one() {
    let map = Map::builder()
        .host_matching(true)
        .rule(Rule::new("/").host("<user>.example.com").endpoint("user"), "user")
        .build()
        .expect("the rule is right");
    for user in ["evil.example/", "a@b", "a b", "é", "a?b#"] {
        let said = url(&map, "user", &[("user", user.into())]);
        assert!(said.ends_with("as it is part of a host"), "{said}");
    }
    assert_eq!(url(&map, "user", &[("user", "Bob".into())]), "http://bob.example.com/");
}

#[test]
fn a_default_and_a_value_that_reads_the_same_are_the_same() {
    let map = Map::builder()
        .rule(Rule::new("/all/").endpoint("all").defaults([("page", 1)]), "first")
        .rule(Rule::new("/all/<int:page>").endpoint("all"), "others")
        .build()
        .expect("the rules are right");
    assert_eq!(url(&map, "all", &[("page", "1".into())]), "/all/");
    assert_eq!(url(&map, "all", &[("page", "2".into())]), "/all/2");
    let map = Map::builder()
        .rule(Rule::new("/all/").endpoint("all").defaults([("page", 1)]), "first")
        .build()
        .expect("the rule is right");
    let said = url(&map, "all", &[("page", 2.into())]);
    assert!(said.ends_with("expected Int(1), the default of \"/all/\""), "{said}");
}
