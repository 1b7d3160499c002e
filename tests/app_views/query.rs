//! `Query`: what stands behind the question mark as arguments.

use std::collections::{BTreeMap, BTreeSet};

use foster::app::{App, Query};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::asking::{Answer, get, refused_at_start};

fn taken<T: DeserializeOwned + std::fmt::Debug + 'static>(query: &str) -> Answer {
    let mut app = App::new();
    app.get("/", async |Query(value): Query<T>| format!("{value:?}"));
    get(app, &format!("/{query}"))
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "shown")]
struct Search {
    q: String,
    page: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
}

#[test]
fn a_struct_takes_arguments_by_name() {
    let shown = taken::<Search>("?tag=a&page=2&q=x+y%26z&tag=b").fine();
    assert_eq!(shown, "Search { q: \"x y&z\", page: Some(2), tag: [\"a\", \"b\"] }");
    assert_eq!(taken::<Search>("?q=&other=1").fine(), "Search { q: \"\", page: None, tag: [] }");
    assert_eq!(taken::<Search>("?q=caf%C3%A9").fine(), "Search { q: \"café\", page: None, tag: [] }");
}

#[test]
fn one_value_is_the_first_of_several() {
    assert_eq!(taken::<Search>("?q=a&q=b&page=1&page=x").fine(), "Search { q: \"a\", page: Some(1), tag: [] }");
}

#[test]
fn what_is_missing_or_wrong_is_refused_by_its_name() {
    assert_eq!(taken::<Search>("").refused(400), "In the query, \"q\" is missing.");
    let said = taken::<Search>("?q=a&page=x").refused(400);
    assert_eq!(said, "In the query, \"page\" is \"x\" where an integer from 0 to 4294967295 is expected.");
    assert_eq!(taken::<Search>("?q=a&page=").status, 400);
    assert_eq!(taken::<Search>("?q=a&page=4294967296").status, 400);
    assert_eq!(taken::<Search>("?q=a&page=-1").status, 400);
}

#[test]
fn what_a_client_sent_is_no_markup_in_its_answer() {
    let answer = taken::<Search>("?q=a&page=%3Cscript%3E");
    assert_eq!(answer.status, 400);
    assert!(!answer.body.contains("<script>"), "{}", answer.body);
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    Newest,
    MostRead,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "shown")]
struct Odd {
    #[serde(default)]
    is_on: bool,
    order: Option<Order>,
    ratio: Option<f32>,
    letter: Option<char>,
    byte: Option<i8>,
    large: Option<u128>,
    #[serde(default)]
    numbers: BTreeSet<u8>,
    range: Option<(i32, i32)>,
    #[serde(rename = "Content-Type")]
    kind: Option<Id>,
}

#[derive(Debug, Deserialize)]
struct Id(#[expect(dead_code, reason = "shown")] u8);

#[test]
fn text_becomes_what_the_type_says() {
    let query = "?is_on=on&order=most_read&ratio=0.5&letter=%E2%82%AC&byte=-128&large=340282366920938463463374607431768211455\
                 &numbers=3&numbers=1&numbers=3&range=-1&range=2&Content-Type=7";
    let shown = taken::<Odd>(query).fine();
    let expected = "Odd { is_on: true, order: Some(MostRead), ratio: Some(0.5), letter: Some('€'), byte: Some(-128), \
                    large: Some(340282366920938463463374607431768211455), numbers: {1, 3}, range: Some((-1, 2)), \
                    kind: Some(Id(7)) }";
    assert_eq!(shown, expected);
    for (query, is_on) in [("?is_on=1", true), ("?is_on=true", true), ("?is_on=0", false), ("?is_on=off", false)] {
        assert!(taken::<Odd>(query).fine().contains(&format!("is_on: {is_on}")), "{query}");
    }
    assert_eq!(taken::<Odd>("?order=newest").status, 200);
}

#[test]
fn what_is_no_such_value_is_refused() {
    for (query, said) in [
        ("?is_on=yes", "\"is_on\" is \"yes\" where true or false is expected"),
        ("?is_on", "\"is_on\" is \"\" where true or false is expected"),
        ("?order=best", "\"order\" is \"best\" where one of newest, most_read is expected"),
        ("?ratio=NaN", "\"ratio\" is \"NaN\" where a number is expected"),
        ("?ratio=1e99", "\"ratio\" is \"1e99\" where a number is expected"),
        ("?letter=ab", "\"letter\" is string \"ab\" where a character is expected"),
        ("?byte=128", "\"byte\" is \"128\" where an integer from -128 to 127 is expected"),
        ("?numbers=1&numbers=256", "\"numbers\" is \"256\" where an integer from 0 to 255 is expected"),
        ("?range=1", "\"range\" has 1 values where a tuple of size 2 is expected"),
        ("?range=1&range=2&range=3", "\"range\" has 3 values where 2 elements in sequence is expected"),
    ] {
        assert_eq!(taken::<Odd>(query).refused(400), format!("In the query, {said}."), "{query}");
    }
}

#[test]
fn a_map_and_a_list_take_all() {
    let shown = taken::<BTreeMap<String, String>>("?b=1&a=2&b=3").fine();
    assert_eq!(shown, "{\"a\": \"2\", \"b\": \"1\"}");
    let shown = taken::<BTreeMap<String, Vec<u8>>>("?b=1&a=2&b=3").fine();
    assert_eq!(shown, "{\"a\": [2], \"b\": [1, 3]}");
    let shown = taken::<Vec<(String, u8)>>("?b=1&a=2&b=3").fine();
    assert_eq!(shown, "[(\"b\", 1), (\"a\", 2), (\"b\", 3)]");
    let shown = taken::<Value>("?b=1&a=2&b=3").fine();
    assert_eq!(shown, "Object {\"a\": String(\"2\"), \"b\": Array [String(\"1\"), String(\"3\")]}");
    assert_eq!(taken::<Option<Search>>("").fine(), "None");
    assert_eq!(taken::<()>("?a=1").fine(), "()");
}

#[test]
fn what_is_not_known_is_refused_if_the_type_is_strict() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    assert_eq!(taken::<Nothing>("?tpyo=1").refused(400), "In the query, \"tpyo\" is not expected.");
    assert_eq!(taken::<Nothing>("?").fine(), "Nothing");
}

#[test]
fn a_type_that_no_query_can_be_read_as_keeps_the_application_from_starting() {
    fn said<T: DeserializeOwned + 'static>() -> String {
        let mut app = App::new();
        app.get("/", async |_: Query<T>| "");
        refused_at_start(app).concat()
    }
    let number = said::<u8>();
    let expected = "the view at \"/\" takes Query<u8>, which can be read from no query: \
                    found names with values where u8 is expected";
    assert_eq!(number, expected);
    assert!(said::<(String, String)>().contains("where a tuple of size 2 is expected"));
    assert!(said::<Order>().contains("where enum Order is expected"));
}

#[test]
fn a_struct_in_a_struct_is_the_applications_fault() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "shown")]
    struct Outer {
        inner: Option<Search>,
    }
    assert_eq!(taken::<Outer>("").status, 200);
    let said = taken::<Outer>("?inner=x").failed();
    assert!(said.contains("found a value where struct Search is expected"), "{said}");
}

#[test]
fn many_names_are_read_in_the_time_of_sorting_them() {
    let names: Vec<_> = (0..1500).map(|n| format!("{n:x}")).collect();
    let shown = taken::<BTreeMap<String, String>>(&format!("?{}", names.join("&"))).fine();
    assert_eq!(shown.matches(": ").count(), 1500);
}
