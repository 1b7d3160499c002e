//! The tables that `werkzeug_peer.py` has played through Werkzeug. Each disagreement stands below with its reason: a new
//! one fails, and one that has gone fails, too.

use foster::app::routing::{BuildOptions, Map, MatchRequest, NoMatch, PathValue, Rule};
use foster::http::Method;
use serde_json::Value;

#[test]
fn every_disagreement_with_werkzeug_stands_in_the_list() {
    let recorded: Value = serde_json::from_str(include_str!("werkzeug.json")).expect("the record is JSON");
    let mut found = Vec::new();
    let mut n_played = 0;
    for table in list(&recorded, "tables") {
        let map = map(table);
        let name = text(table, "name").unwrap_or_default();
        for request in list(table, "requests") {
            let (ours, theirs) = (matched(&map, request), text(request, "outcome").unwrap_or_default());
            let host = text(request, "host").unwrap_or_default();
            let asked = format!("{name}: {host}{}", text(request, "path").unwrap_or_default());
            found.extend((ours != theirs).then(|| format!("{asked} | {ours} | {theirs}")));
            n_played += 1;
        }
        for wanted in list(table, "builds") {
            let (ours, theirs) = (built(&map, wanted), text(wanted, "outcome").unwrap_or_default());
            let asked = format!("{name}: {} {}", text(wanted, "endpoint").unwrap_or_default(), wanted["values"]);
            found.extend((ours != theirs).then(|| format!("{asked} | {ours} | {theirs}")));
            n_played += 1;
        }
    }
    let meant: Vec<String> = DISAGREEMENTS
        .iter()
        .map(|disagreement| format!("{} | {} | {}", disagreement.asked, disagreement.ours, disagreement.theirs))
        .collect();
    let new: Vec<&String> = found.iter().filter(|found| !meant.contains(found)).collect();
    let gone: Vec<&String> = meant.iter().filter(|meant| !found.contains(meant)).collect();
    assert!(new.is_empty() && gone.is_empty(), "new: {new:#?}\ngone: {gone:#?}");
    assert!(n_played > 2500, "{n_played} only");
    assert!(DISAGREEMENTS.iter().all(|disagreement| !disagreement.reason.is_empty()));
}

/// What Foster answers, what Werkzeug answers, and why.
struct Disagreement {
    asked: &'static str,
    ours: &'static str,
    theirs: &'static str,
    reason: &'static str,
}

const fn differs(asked: &'static str, ours: &'static str, theirs: &'static str, reason: &'static str) -> Disagreement {
    Disagreement { asked, ours, theirs, reason }
}

const DISAGREEMENTS: &[Disagreement] = &[
    differs("text and slashes: /news%2F", "404", "/news/", SLASHES),
    differs(
        "subdomains: badexample.com/",
        "404",
        r#"user user="<invalid>""#,
        "a host that is not below the name of the server matches no subdomain, not even a made-up one",
    ),
    differs("differences: /seg/a%2Fb", r#"/seg/<x> x="a/b""#, "404", SLASHES),
    differs("differences: /deep/a%2Fb", "404", r#"/deep/<x>/<y> x="a" y="b""#, SLASHES),
    differs(
        "differences: /path/%2Fetc",
        "404",
        "308 /path/etc",
        "a path that begins with a slash is refused, and `%2F` is none to be merged",
    ),
    differs("differences: /seg/%ff", "404", r#"/seg/<x> x="�""#, ENCODING),
    differs("differences: /seg/100%", "404", r#"/seg/<x> x="100%""#, ENCODING),
    differs("differences: /seg/%zz", "404", r#"/seg/<x> x="%zz""#, ENCODING),
    differs(
        "differences: /path/a%0Ab",
        r#"/path/<path:p> p="a\nb""#,
        "404",
        "a newline is text like any other, for `path` as for `string`",
    ),
    differs("differences: /lim/10", r#"rest x="10""#, "404", NEXT_RULE),
    differs("differences: /all", "get", "all", "the rule that names the method is taken before one that takes all"),
    differs(
        "differences: /big/9223372036854775808",
        "404",
        "/big/<int:x> x=9223372036854775808",
        "integers have 64 bits",
    ),
    differs("differences: /big/%D9%A1", "404", "/big/<int:x> x=1", "digits are ASCII"),
    differs(
        "differences: /adj/abc",
        r#"/adj/<any(a,ab):x><y> x="ab" y="c""#,
        r#"/adj/<any(a,ab):x><y> x="a" y="bc""#,
        "a word takes as much as it can, as all converters of one segment do, and not what is listed first",
    ),
    differs(
        "differences: /fix/1234",
        "/fix/<int(fixed_digits=2):x><int:y> x=12 y=34",
        "404",
        "what a converter refuses is not taken, so that the variables share the digits as they can",
    ),
    differs(r#"differences: /seg/<x> {"x":"a/b"}"#, "/seg/a%2Fb", "/seg/a/b", SLASHES),
    differs(r#"differences: /seg/<x> {"x":""}"#, "error", "/seg/", CHECKED),
    differs(
        r#"differences: /seg/<x> {"x":".."}"#,
        "error",
        "/seg/..",
        "clients take `..` out of a URL, and what is before it with it",
    ),
    differs(r#"differences: small {"x":10}"#, "error", "/lim/10", CHECKED),
    differs(r#"differences: /path/<path:p> {"p":""}"#, "error", "/path/", CHECKED),
    differs(r#"differences: /path/<path:p> {"p":"/a"}"#, "error", "/path//a", CHECKED),
    differs(
        r#"differences: /path/<path:p> {"p":"a/../b"}"#,
        "error",
        "/path/a/../b",
        "clients take `..` out of a URL, and what is before it with it",
    ),
    differs(r#"differences: /big/<int:x> {"x":-1}"#, "error", "/big/-1", CHECKED),
    differs(r#"differences: /u/<uuid:x> {"x":"a"}"#, "error", "/u/a", CHECKED),
    differs(
        r#"differences: /big/<int:x> {"x":2.7}"#,
        "error",
        "/big/2",
        "a float is no integer, and nothing is cut off",
    ),
];

const SLASHES: &str =
    "`%2F` is part of a value: decoded before the split, as WSGI does it, it cannot be told from a slash";

const ENCODING: &str = "what is not percent-encoded UTF-8 matches nothing: guessing at it gives two values one text";

const NEXT_RULE: &str = "a converter that refuses a value lets the next rule try, as Werkzeug documents it";

const CHECKED: &str = "a value is checked when a URL is built: this URL would not lead back here";

fn map(table: &Value) -> Map<String> {
    let mut builder = Map::builder().automatic_options(false);
    for (name, value) in table["options"].as_object().into_iter().flatten() {
        let is_set = value.as_bool().unwrap_or_default();
        builder = match name.as_str() {
            "strict_slashes" => builder.strict_slashes(is_set),
            "merge_slashes" => builder.merge_slashes(is_set),
            "redirect_defaults" => builder.redirect_defaults(is_set),
            "host_matching" => builder.host_matching(is_set),
            "sort_parameters" => builder.sort_parameters(is_set),
            "server_name" => builder.subdomain_matching(true).server_name(value.as_str().unwrap_or_default()),
            "default_subdomain" => builder.default_subdomain(value.as_str().unwrap_or_default()),
            other => panic!("the option {other} is not known here"),
        };
    }
    let rules = list(table, "rules").map(|rule| (made(rule), text(rule, "endpoint").unwrap_or_default().to_owned()));
    builder.rules(rules).build().unwrap_or_else(|err| panic!("{}: {err}", table["name"]))
}

fn made(given: &Value) -> Rule {
    let mut rule = Rule::new(text(given, "rule").unwrap_or_default());
    for (name, value) in given.as_object().into_iter().flatten() {
        let is_set = value.as_bool().unwrap_or_default();
        let written = value.as_str().unwrap_or_default();
        rule = match name.as_str() {
            "rule" => rule,
            "endpoint" => rule.endpoint(written),
            "methods" => rule.methods(list(given, "methods").map(|name| method(name.as_str()))),
            "defaults" => rule.defaults(values(value).into_iter().map(|(name, value)| (name.to_owned(), value))),
            "host" => rule.host(written),
            "subdomain" => rule.subdomain(written),
            "strict_slashes" => rule.strict_slashes(is_set),
            "merge_slashes" => rule.merge_slashes(is_set),
            "redirect_to" => rule.redirect_to(written),
            "build_only" => rule.build_only(),
            "alias" => rule.alias(),
            "websocket" => rule.websocket(),
            other => panic!("the option {other} is not known here"),
        };
    }
    rule
}

fn matched(map: &Map<String>, asked: &Value) -> String {
    let target = text(asked, "path").unwrap_or_default();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let method = method(text(asked, "method").or(Some("GET")));
    let request = MatchRequest {
        query,
        host: text(asked, "host").unwrap_or("localhost"),
        is_websocket: asked["websocket"].as_bool().unwrap_or_default(),
        ..MatchRequest::new(&method, path)
    };
    match map.match_request(&request) {
        Ok(found) => {
            let values = found.values().iter().map(|(name, value)| format!(" {name}={}", as_python(&value)));
            values.fold(found.value().clone(), |shown, value| shown + &value)
        }
        Err(NoMatch::Redirect { location }) => format!("308 {location}"),
        Err(NoMatch::MethodNotAllowed { allowed }) => format!("405 {allowed}"),
        Err(err) => err.status().as_u16().to_string(),
    }
}

fn built(map: &Map<String>, wanted: &Value) -> String {
    let method = text(wanted, "method").map(|name| method(Some(name)));
    let options = BuildOptions {
        method: method.as_ref(),
        scheme: text(wanted, "scheme"),
        host: Some(text(wanted, "host").unwrap_or("localhost")),
        external: wanted["external"].as_bool().unwrap_or_default(),
        ..BuildOptions::default()
    };
    let url = map.build(text(wanted, "endpoint").unwrap_or_default(), &values(&wanted["values"]), &options);
    url.unwrap_or_else(|_| "error".to_owned())
}

fn values(given: &Value) -> Vec<(&str, PathValue<'static>)> {
    let value_of = |value: &Value| match value {
        Value::String(text) => PathValue::from(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(number) => PathValue::Int(number),
            None => PathValue::Float(number.as_f64().expect("a number of JSON")),
        },
        Value::Object(uuid) => {
            PathValue::Uuid(uuid["uuid"].as_str().and_then(|text| text.parse().ok()).expect("a UUID"))
        }
        other => panic!("no value: {other}"),
    };
    given.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value_of(value))).collect()
}

fn as_python(value: &PathValue<'_>) -> String {
    match value {
        PathValue::Str(text) => Value::from(text.as_ref()).to_string(),
        PathValue::Uuid(uuid) => format!("uuid:{uuid}"),
        other => other.text().expect("custom converters are not in the tables").into_owned(),
    }
}

fn method(name: Option<&str>) -> Method {
    name.and_then(|name| name.parse().ok()).expect("a method")
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value[name].as_str()
}
