//! Methods, WebSockets, hosts and what the map says about its rules.

use foster::app::routing::{Map, MatchRequest, NoMatch, PathValue, Rule};
use foster::http::{Method, StatusCode};

use super::{get, map_of, shown};

fn asked<T: std::fmt::Display>(map: &Map<T>, method: &Method, path: &str) -> String {
    shown(map, &MatchRequest::new(method, path))
}

fn articles() -> Map<&'static str> {
    Map::builder()
        .rule(Rule::new("/articles").methods([Method::POST]), "create")
        .rule(Rule::new("/articles").methods([Method::GET]), "list")
        .rule(Rule::new("/articles/<int:id>").methods([Method::GET, Method::PUT]), "article")
        .rule(Rule::new("/any"), "any")
        .build()
        .expect("the rules are right")
}

#[test]
fn head_and_options_come_with_the_methods_that_are_named() {
    let map = articles();
    let head = map.match_request(&MatchRequest::new(&Method::HEAD, "/articles")).expect("GET is there");
    assert_eq!((*head.value(), head.is_automatic()), ("list", true));
    let options = map.match_request(&MatchRequest::new(&Method::OPTIONS, "/articles")).expect("it is automatic");
    assert!(options.is_automatic());
    assert!(!map.match_request(&MatchRequest::new(&Method::GET, "/articles")).expect("it is named").is_automatic());
    assert!(!map.match_request(&MatchRequest::new(&Method::OPTIONS, "/any")).expect("any is").is_automatic());
}

#[test]
fn the_answer_to_options_lists_every_method_of_the_path_in_one_order() {
    let map = articles();
    for method in [Method::OPTIONS, Method::GET, Method::DELETE] {
        let allowed = |path| map.allowed_methods(&MatchRequest::new(&method, path)).to_string();
        assert_eq!(allowed("/articles"), "GET, HEAD, POST, OPTIONS");
        assert_eq!(allowed("/articles/1"), "GET, HEAD, PUT, OPTIONS");
        assert_eq!(allowed("/any"), "");
        assert_eq!(allowed("/none"), "");
    }
    assert_eq!(asked(&map, &Method::DELETE, "/articles"), "405 GET, HEAD, POST, OPTIONS");
}

#[test]
fn a_method_of_nobodys_standard_comes_last_in_allow() {
    let purge: Method = "PURGE".parse().expect("a token");
    let ban: Method = "BAN".parse().expect("a token");
    let map = Map::builder()
        .rule(Rule::new("/").methods([purge.clone(), Method::GET, ban]), "x")
        .build()
        .expect("the rule is right");
    assert_eq!(asked(&map, &purge, "/"), "x");
    assert_eq!(asked(&map, &Method::PUT, "/"), "405 GET, HEAD, OPTIONS, BAN, PURGE");
    assert_eq!(asked(&map, &"get".parse().expect("a token"), "/"), "405 GET, HEAD, OPTIONS, BAN, PURGE");
}

#[test]
fn options_is_not_taken_where_it_is_switched_off() {
    let map = Map::builder()
        .automatic_options(false)
        .rule(Rule::new("/off").methods([Method::GET]), "off")
        .rule(Rule::new("/on").methods([Method::GET]).automatic_options(true), "on")
        .build()
        .expect("the rules are right");
    assert_eq!(asked(&map, &Method::OPTIONS, "/off"), "405 GET, HEAD");
    assert_eq!(asked(&map, &Method::OPTIONS, "/on"), "on");
}

#[test]
fn a_rule_that_names_a_method_is_taken_before_those_that_take_it_by_the_way() {
    for reversed in [false, true] {
        let mut rules = vec![
            (Rule::new("/a").methods([Method::GET]), "get"),
            (Rule::new("/a").methods([Method::HEAD]), "head"),
            (Rule::new("/a").methods([Method::OPTIONS]), "options"),
            (Rule::new("/a"), "rest"),
        ];
        if reversed {
            rules.reverse();
        }
        let map = Map::builder().rules(rules).build().expect("the rules are right");
        for (method, value) in
            [(Method::GET, "get"), (Method::HEAD, "head"), (Method::OPTIONS, "options"), (Method::PATCH, "rest")]
        {
            assert_eq!(asked(&map, &method, "/a"), value);
        }
    }
}

#[test]
fn a_method_that_one_rule_lacks_is_looked_for_in_lesser_ones() {
    let map = Map::builder()
        .rule(Rule::new("/x").methods([Method::GET]), "x")
        .rule(Rule::new("/<name>").methods([Method::PUT]), "name")
        .rule(Rule::new("/<path:rest>").methods([Method::DELETE]), "rest")
        .build()
        .expect("the rules are right");
    assert_eq!(asked(&map, &Method::PUT, "/x"), "name name=Str(\"x\")");
    assert_eq!(asked(&map, &Method::DELETE, "/x"), "rest rest=Str(\"x\")");
    assert_eq!(asked(&map, &Method::POST, "/x"), "405 GET, HEAD, PUT, DELETE, OPTIONS");
}

#[test]
fn a_websocket_and_a_request_find_rules_of_their_own() {
    let map = Map::builder()
        .rule(Rule::new("/ws").websocket(), "ws")
        .rule(Rule::new("/both").websocket(), "both as WebSocket")
        .rule(Rule::new("/both"), "both")
        .rule(Rule::new("/slash/").websocket(), "slash")
        .build()
        .expect("the rules are right");
    let of = |path, is_websocket| shown(&map, &MatchRequest { is_websocket, ..MatchRequest::new(&Method::GET, path) });
    assert_eq!((of("/ws", true), of("/ws", false)), ("ws".to_owned(), "400".to_owned()));
    assert_eq!((of("/both", true), of("/both", false)), ("both as WebSocket".to_owned(), "both".to_owned()));
    assert_eq!((of("/slash", true), of("/slash", false)), ("308 /slash/".to_owned(), "404".to_owned()));
    assert_eq!(NoMatch::WebSocketMismatch.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn hosts_are_compared_without_case_and_without_the_port_of_the_scheme() {
    let map = Map::builder()
        .host_matching(true)
        .rule(Rule::new("/").host("www.example.com"), "www")
        .rule(Rule::new("/").host("<sub>.example.com"), "sub")
        .build()
        .expect("the rules are right");
    let of = |host, is_secure| shown(&map, &MatchRequest { host, is_secure, ..MatchRequest::new(&Method::GET, "/") });
    assert_eq!(of("WWW.example.COM", false), "www");
    assert_eq!(of("www.example.com:80", false), "www");
    assert_eq!(of("www.example.com:443", true), "www");
    assert_eq!(of("www.example.com:443", false), "404");
    assert_eq!(of("Bob.example.com", false), "sub sub=Str(\"bob\")");
    assert_eq!(of("www.example.com/x", false), "404");
    assert_eq!(of("", false), "404");
}

#[test]
fn what_the_host_took_comes_before_what_the_path_took() {
    let map = Map::builder()
        .subdomain_matching(true)
        .server_name("Example.com:8080")
        .rule(Rule::new("/<int:id>").subdomain("<user>").defaults([("page", 1)]), "x")
        .build()
        .expect("the rule is right");
    let request = MatchRequest { host: "Bob.example.com:8080", ..MatchRequest::new(&Method::GET, "/%35") };
    assert_eq!(shown(&map, &request), "x user=Str(\"bob\") id=Int(5) page=Int(1)");
    let found = map.match_request(&request).expect("it matches");
    let texts: Vec<String> = found.values().texts().map(|(name, text)| format!("{name}={text}")).collect();
    assert_eq!(texts, ["user=bob", "id=5", "page=1"]);
    assert_eq!((found.values().len(), found.values().is_empty()), (3, false));
    assert_eq!(found.values().get("none"), None);
}

#[test]
fn more_variables_than_fit_in_place_are_all_there() {
    let map = map_of(&["/<a>/<b>/<c>/<d>/<int:e>/<f>", "/<a>/<b>/<c>/<d>/<e>/x/y"]);
    let seven = get(&map, "/1/2/3/4/5/6");
    assert_eq!(seven.matches('=').count(), 6, "{seven}");
    assert!(seven.ends_with("e=Int(5) f=Str(\"6\")"));
    assert!(get(&map, "/1/2/3/4/5/x/y").ends_with("d=Str(\"4\") e=Str(\"5\")"));
}

#[test]
fn a_default_stands_above_a_variable_of_its_name() {
    let map = Map::builder()
        .rule(Rule::new("/<int:page>").defaults([("page", 1)]).defaults([("page", 3)]), "x")
        .build()
        .expect("the rule is right");
    assert_eq!(get(&map, "/2"), "x page=Int(3)");
}

#[test]
fn the_map_says_what_its_rules_are() {
    let map = Map::builder()
        .rule(Rule::new("/a/<x>").endpoint("a").methods([Method::GET]).submount("/api/").endpoint_prefix("v1."), 1)
        .rule(Rule::new("/b").endpoint("b").defaults([("n", 1)]).websocket(), 2)
        .build()
        .expect("the rules are right");
    let rules: Vec<_> = map.rules().collect();
    assert_eq!((rules[0].0.pattern(), rules[0].0.endpoint(), *rules[0].1), ("/api/a/<x>", Some("v1.a"), 1));
    assert_eq!(rules[0].0.methods().map(|methods| methods.to_string()).as_deref(), Some("GET, HEAD, OPTIONS"));
    assert!(rules[1].0.is_websocket() && rules[1].0.methods().is_none());
    assert_eq!(rules[1].0.arguments().collect::<Vec<_>>(), ["n"]);
    assert_eq!(rules[1].0.defaults().collect::<Vec<_>>(), [("n", &PathValue::Int(1))]);
    assert!(map.is_endpoint_expecting("v1.a", &["x"]) && !map.is_endpoint_expecting("v1.a", &["x", "y"]));
    assert!(!map.is_endpoint_expecting("none", &[]));
}

#[test]
fn an_empty_map_matches_nothing() {
    let map = Map::<u8>::builder().build().expect("nothing is wrong");
    assert_eq!(get(&map, "/"), "404");
    assert!(map.build("x", &[], &Default::default()).is_err());
}
