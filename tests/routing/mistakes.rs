//! What is wrong with rules is said when the map is built, with a mark at the place.

use std::rc::Rc;

use foster::app::routing::{Arguments, Converter, Map, MapBuilder, Parsed, PathValue, Rule, RuleErrorKind};
use foster::http::Method;

fn said(rule: Rule) -> String {
    said_of(Map::builder().rule(rule, ()))
}

fn said_of(builder: MapBuilder<()>) -> String {
    builder.build().expect_err("something is wrong").to_string()
}

#[test]
fn a_mark_stands_below_the_place() {
    for (pattern, mark, message) in [
        ("users", "^", "a path begins with a slash"),
        ("/a/<id", "   ^^^", "expected `>`, but the pattern ends"),
        ("/a/<>", "    ^", "expected the name of a variable or of a converter, but found '>'"),
        ("/a/<int:>", "        ^", "expected the name of a variable, but found '>'"),
        ("/a/<1x>", "    ^", "expected the name of a variable or of a converter, but found '1'"),
        ("/a/<int(min=1)>", "              ^", "expected `:` and the name of the variable, but found '>'"),
        ("/a/<int(min=1:x>", "             ^", "expected `,` or `)`, but found ':'"),
        ("/a/<any(\"a, b):x>", "        ^^^^^^^^^", "this quotation is not closed: expected another \""),
        ("/a/<integer:x>", "    ^^^^^^^", "there is no converter \"integer\"; did you mean \"int\"?"),
        ("/é/<zzz:x>", "    ^^^", "there is no converter \"zzz\""),
        ("/a/<int(mni=1):x>", "        ^^^^^", "there is no such argument; there is fixed_digits, min, max, signed"),
        ("/a/<int(min=a):x>", "        ^^^^^", "expected an integer, found \"a\""),
        (
            "/a/<int(1, 2, 3, True, 5):x>",
            "                       ^",
            "there is no such argument; there is fixed_digits, min, max, signed",
        ),
        ("/a/<int(2, fixed_digits=3):x>", "           ^^^^^^^^^^^^^^", "fixed_digits is given twice"),
        ("/a/<int(min=5, max=4):x>", "        ^^^^^^^^^^^^", "no integer is at least 5 and at most 4"),
        ("/a/<int(signed=yes):x>", "        ^^^^^^^^^^", "expected True or False, found \"yes\""),
        ("/a/<int(min=1, 2):x>", "               ^", "expected `name=value`: arguments without a name come first"),
        ("/a/<float(min=nan):x>", "          ^^^^^^^", "expected a number that is finite"),
        ("/a/<string(length=0):x>", "           ^^^^^^^^", "expected at least 1, as an empty segment is no value"),
        ("/a/<uuid(4):x>", "         ^", "there is no such argument; there is none"),
        ("/a/<any():x>", "    ^^^", "expected the words it takes, as in any(about, help)"),
        ("/<x>/<int:x>", "          ^", "the rule has another variable \"x\""),
    ] {
        assert_eq!(said(Rule::new(pattern)), format!("{pattern}\n{mark}\n{message}"));
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let err = Map::builder()
        .rule(Rule::new("/<a"), ())
        .rule(Rule::new("/fine"), ())
        .rule(Rule::new("/<nope:b>"), ())
        .rule(Rule::new("/fine"), ())
        .build()
        .expect_err("three rules are wrong");
    let kinds: Vec<RuleErrorKind> = err.errors().iter().map(|err| err.kind()).collect();
    assert_eq!(kinds, [RuleErrorKind::Syntax, RuleErrorKind::UnknownConverter, RuleErrorKind::Conflict]);
    assert_eq!((err.errors()[1].pattern(), err.errors()[1].span()), ("/<nope:b>", 2..6));
}

#[test]
fn rules_that_cannot_be_told_apart_are_refused() {
    let get_and_post = [Method::GET, Method::POST];
    for (one, other) in [
        (Rule::new("/a"), Rule::new("/a")),
        (Rule::new("/<x>"), Rule::new("/<default:y>")),
        (Rule::new("/<any(a, b):x>/"), Rule::new("/<any(b, a):y>/")),
        (Rule::new("/<string(minlength=1):x>"), Rule::new("/<string:y>")),
        (Rule::new("/a").methods(get_and_post.clone()), Rule::new("/a").methods([Method::POST])),
        (Rule::new("/a").methods([Method::GET]), Rule::new("//a").methods(get_and_post)),
        (Rule::new("/a").websocket(), Rule::new("/a").websocket()),
        (Rule::new("/<path:a>/b/"), Rule::new("/<path:c>/b/")),
    ] {
        let said = said_of(Map::builder().rule(one.endpoint("one"), ()).rule(other.endpoint("other"), ()));
        assert!(said.contains("takes the same requests as") && said.contains("\"one\""), "{said}");
    }
}

#[test]
fn rules_that_something_tells_apart_are_not_refused() {
    for (one, other) in [
        (Rule::new("/a"), Rule::new("/a/")),
        (Rule::new("/a"), Rule::new("/a").websocket()),
        (Rule::new("/a"), Rule::new("/a").methods([Method::GET])),
        (Rule::new("/a").methods([Method::POST]), Rule::new("/a").methods([Method::GET])),
        (Rule::new("/a").methods([Method::HEAD]), Rule::new("/a").methods([Method::GET])),
        (Rule::new("/a").methods([Method::OPTIONS]), Rule::new("/a").methods([Method::GET])),
        (Rule::new("/a"), Rule::new("/a").build_only()),
        (Rule::new("/<int:x>"), Rule::new("/<int(min=0):x>")),
        (Rule::new("/<x>"), Rule::new("/<any(a):x>")),
        (Rule::new("//a").merge_slashes(false), Rule::new("/a")),
    ] {
        let shown = format!("{one:?} {other:?}");
        assert!(Map::builder().rule(one, ()).rule(other, ()).build().is_ok(), "{shown}");
    }
}

#[test]
fn a_rule_that_nobody_would_look_at_is_refused() {
    let host = said(Rule::new("/").host("www.example.com"));
    assert!(host.ends_with("build it with host_matching(true)"), "{host}");
    let subdomain = said(Rule::new("/").subdomain("www"));
    assert!(subdomain.ends_with("build it with subdomain_matching(true) and a server_name"), "{subdomain}");
    let none = said_of(Map::builder().host_matching(true).rule(Rule::new("/"), ()));
    assert!(none.ends_with("the map looks at hosts, and the rule has none: `<host>` takes every host"), "{none}");
    let beyond_ascii = said_of(Map::builder().host_matching(true).rule(Rule::new("/").host("bücher.example"), ()));
    assert_eq!(beyond_ascii, "bücher.example\n ^\n'ü' is in no host; names beyond ASCII are written in punycode");
    let path = said_of(Map::builder().host_matching(true).rule(Rule::new("/").host("<path:x>"), ()));
    assert_eq!(path, "<path:x>\n ^^^^\na host has no slashes: this converter is for paths");
    let unnamed = said_of(Map::builder().subdomain_matching(true));
    assert!(unnamed.ends_with("subdomain_matching(true) needs a server_name, below which they lie"), "{unnamed}");
    let no_methods = said(Rule::new("/").methods([]));
    assert!(no_methods.contains("no methods: nothing would match"), "{no_methods}");
    let websocket = said(Rule::new("/").websocket().methods([Method::POST]));
    assert!(websocket.ends_with("a WebSocket begins with GET and never with POST"), "{websocket}");
}

#[test]
fn a_rule_that_no_url_or_redirect_can_be_built_from_is_refused() {
    let default = said(Rule::new("/<int:page>").endpoint("x").defaults([("page", "first")]));
    assert!(default.ends_with("the default of \"page\" is Str(\"first\"): expected an integer that is not negative"));
    let alias = said(Rule::new("/a").endpoint("x").alias());
    assert!(alias.ends_with("an alias needs another rule with its endpoint and its variables"), "{alias}");
    let other_variables =
        Map::builder().rule(Rule::new("/a/<x>").endpoint("x").alias(), ()).rule(Rule::new("/b/<y>").endpoint("x"), ());
    assert!(said_of(other_variables).contains("an alias needs another rule"));
    let redirect = said(Rule::new("/a/<x>").redirect_to("/b/<y>"));
    assert_eq!(redirect, "/b/<y>\n    ^\nthe rule has no variable \"y\"");
}

#[test]
fn a_rule_with_more_segments_than_anybody_writes_is_refused() {
    let said = said(Rule::new("/a".repeat(200)));
    assert!(said.ends_with("200 segments, where 128 are allowed"), "{said}");
}

#[test]
fn an_error_of_a_factory_that_points_elsewhere_is_shown_at_its_arguments() {
    let first = std::cell::RefCell::new(None);
    let builder = Map::builder()
        .converter("own", move |arguments: &Arguments| {
            let mut first = first.borrow_mut();
            let kept = first.get_or_insert_with(|| arguments.clone());
            match kept.named("long") {
                Some(argument) if *kept != *arguments => Err(argument.error("not this one")),
                _ => Ok(Rc::new(Own)),
            }
        })
        .rule(Rule::new("/a/very/long/rule/<own(long=true):x>"), ())
        .rule(Rule::new("/<own(a):x>"), ());
    assert_eq!(said_of(builder), "/<own(a):x>\n      ^\nnot this one");
}

struct Own;

impl Converter for Own {
    fn parse(&self, _: &str) -> Option<Parsed> {
        Some(Parsed::Text)
    }

    fn to_url(&self, _: &PathValue<'_>) -> Option<String> {
        None
    }
}
