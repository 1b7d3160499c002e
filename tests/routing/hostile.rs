//! Paths and maps that are made to cost much.

use std::cell::Cell;
use std::rc::Rc;

use foster::app::routing::{Arguments, Converter, Map, Parsed, PathValue, Rule};

use super::{get, map_of};

/// Counts what it is asked, which is the effort of a match.
struct Counting {
    n_parsed: Rc<Cell<usize>>,
}

impl Converter for Counting {
    fn parse(&self, text: &str) -> Option<Parsed> {
        self.n_parsed.set(self.n_parsed.get() + 1);
        (!text.is_empty()).then_some(Parsed::Text)
    }

    fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
        value.as_str().map(str::to_owned)
    }
}

fn counted(patterns: &[String]) -> (Map<String>, Rc<Cell<usize>>) {
    let n_parsed = Rc::new(Cell::new(0));
    let counter = Rc::clone(&n_parsed);
    let map = Map::builder()
        .converter("c", move |_: &Arguments| Ok(Rc::new(Counting { n_parsed: Rc::clone(&counter) })))
        .rules(patterns.iter().map(|pattern| (Rule::new(pattern.as_str()), pattern.clone())))
        .build()
        .unwrap_or_else(|err| panic!("{err}"));
    (map, n_parsed)
}

#[test]
fn each_step_of_each_rule_is_tried_at_most_once() {
    // Two ways at each of twelve segments, of which the path takes all and finds the end missing.
    let mut patterns = Vec::new();
    for bits in 0..1usize << 8 {
        let segment = |n: usize| if bits >> n & 1 == 0 { format!("/<c:v{n}>") } else { format!("/a<c:v{n}>") };
        patterns.push((0..8).map(segment).collect::<String>() + "/end");
    }
    let (map, n_parsed) = counted(&patterns);
    assert_eq!(get(&map, &("/aa".repeat(8) + "/END")), "404");
    // One for each way of the tree: two at the first segment, four at the second, and so on.
    assert_eq!(n_parsed.get(), (1 << 9) - 2);
}

#[test]
fn variables_that_share_a_segment_cost_no_power_of_its_length() {
    let variables: String = (0..8).map(|n| format!("<c:v{n}>-")).collect();
    let (map, n_parsed) = counted(&[format!("/{variables}end")]);
    // Some 10^24 ways, none of which leads to the end: the last variable would have to be empty.
    assert_eq!(get(&map, &format!("/{}xend", "a-".repeat(1_000))), "404");
    assert!(n_parsed.get() < 300_000, "{}", n_parsed.get());
    n_parsed.set(0);
    let mut path = "/".to_owned() + &"a-".repeat(500);
    path.push_str("x-end");
    assert!(get(&map, &path).starts_with("/<c:v0>"));
    assert!(n_parsed.get() < 300_000, "{}", n_parsed.get());
}

#[test]
fn paths_that_share_a_rule_cost_no_power_of_their_length() {
    let map = map_of(&["/<path:a>/x/<path:b>/x/<path:c>/x/<path:d>/y/<path:e>/end"]);
    assert_eq!(get(&map, &"/x".repeat(4_000)), "404");
    assert_eq!(get(&map, &("/x".repeat(4_000) + "/end")), "404");
    let map = map_of(&["/<int:a><int:b><int:c><int:d>-<int:e>"]);
    assert_eq!(get(&map, &format!("/{}", "1".repeat(8_000))), "404");
    assert_eq!(get(&map, &format!("/{}-x", "1".repeat(8_000))), "404");
}

#[test]
fn a_path_of_slashes_alone_ends_soon() {
    let map = map_of(&["/", "/<a>/<b>", "/<path:p>/x/"]);
    assert_eq!(get(&map, &"/".repeat(100_000)), "/");
    assert_eq!(get(&map, &("/a".to_owned() + &"/".repeat(100_000))), "404");
    assert_eq!(get(&map, &"/%2F".repeat(10_000)), "404");
    assert_eq!(get(&map, &("/".to_owned() + &"%2F".repeat(10_000))), "404");
}

#[test]
fn a_deep_path_goes_no_deeper_than_the_rules() {
    let map = map_of(&["/<a>/<b>", "/<path:p>/end"]);
    let deep = "/a".repeat(100_000);
    assert_eq!(get(&map, &deep), "404");
    assert!(get(&map, &(deep + "/end")).starts_with("/<path:p>/end"));
}

#[test]
fn five_hundred_rules_are_told_apart() {
    let mut rules = Vec::new();
    for n in 0..100 {
        for tail in ["", "/", "/<int:id>", "/<int:id>/edit", "/by/<name>"] {
            rules.push((Rule::new(format!("/part{n}/items{tail}")), format!("{n}{tail}")));
        }
    }
    let map = Map::builder().rules(rules).build().expect("no two are the same");
    for n in [0, 1, 50, 99] {
        assert_eq!(get(&map, &format!("/part{n}/items")), format!("{n}"));
        assert_eq!(get(&map, &format!("/part{n}/items/")), format!("{n}/"));
        assert_eq!(get(&map, &format!("/part{n}/items/7")), format!("{n}/<int:id> id=Int(7)"));
        assert_eq!(get(&map, &format!("/part{n}/items/7/edit")), format!("{n}/<int:id>/edit id=Int(7)"));
        assert_eq!(get(&map, &format!("/part{n}/items/by/x")), format!("{n}/by/<name> name=Str(\"x\")"));
    }
    assert_eq!(get(&map, "/part100/items"), "404");
}
