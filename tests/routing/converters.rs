//! What converters take and make, at their edges.

use std::rc::Rc;

use foster::app::routing::{Arguments, Converter, Map, MatchRequest, Parsed, PathValue, Rule, Uuid};
use foster::http::Method;

use super::{get, map_of};

#[test]
fn integers_end_at_64_bits_and_have_at_most_a_minus_sign() {
    let map = map_of(&["/<int(signed=True):n>", "/<x>"]);
    for (number, taken) in [
        ("9223372036854775807", "Int(9223372036854775807)"),
        ("-9223372036854775808", "Int(-9223372036854775808)"),
        ("9223372036854775808", "Str(\"9223372036854775808\")"),
        ("00000000000000000000000000000005", "Int(5)"),
        ("-", "Str(\"-\")"),
        ("-0", "Int(0)"),
        ("+5", "Str(\"+5\")"),
        ("-+5", "Str(\"-+5\")"),
        ("--5", "Str(\"--5\")"),
        ("5-", "Str(\"5-\")"),
        ("\u{0665}", "Str(\"\u{0665}\")"),
    ] {
        assert!(get(&map, &format!("/{number}")).ends_with(taken), "{number}");
    }
}

#[test]
fn bounds_of_integers_are_bounds_in_both_directions() {
    let map = map_of(&["/<int(min=-5, max=-1, signed=True):n>"]);
    assert_eq!(get(&map, "/-5"), "/<int(min=-5, max=-1, signed=True):n> n=Int(-5)");
    assert_eq!(get(&map, "/-6"), "404");
    assert_eq!(get(&map, "/0"), "404");
    let endpoint = "/<int(min=-5, max=-1, signed=True):n>";
    assert!(map.build(endpoint, &[("n", (-1).into())], &Default::default()).is_ok());
    assert!(map.build(endpoint, &[("n", 0.into())], &Default::default()).is_err());
}

#[test]
fn a_minus_sign_counts_as_a_digit_where_these_are_fixed() {
    let map = map_of(&["/<int(fixed_digits=3, signed=True):n>"]);
    let url = map.build("/<int(fixed_digits=3, signed=True):n>", &[("n", (-5).into())], &Default::default());
    assert_eq!(url.as_deref(), Ok("/-05"));
    assert_eq!(get(&map, "/-05"), "/<int(fixed_digits=3, signed=True):n> n=Int(-5)");
    assert_eq!(get(&map, "/-005"), "404");
}

#[test]
fn a_float_that_would_be_infinite_is_not_taken() {
    let map = map_of(&["/<float:x>"]);
    assert_eq!(get(&map, &format!("/{}.0", "9".repeat(400))), "404");
    for number in [f64::INFINITY, f64::NAN, -1.0] {
        assert!(map.build("/<float:x>", &[("x", number.into())], &Default::default()).is_err(), "{number}");
    }
    let url = map.build("/<float:x>", &[("x", 1e300.into())], &Default::default()).expect("it is finite");
    assert!(url.ends_with("000.0") && !url.contains('e'));
}

#[test]
fn lengths_are_counted_in_characters() {
    let map = map_of(&["/<string(length=2):x>"]);
    assert_eq!(get(&map, "/%F0%9F%A6%80%C3%A9"), "/<string(length=2):x> x=Str(\"🦀é\")");
    assert_eq!(get(&map, "/%C3%A9"), "404");
}

#[test]
fn a_uuid_is_a_number_of_128_bits() {
    let map = map_of(&["/<uuid:x>"]);
    let method = Method::GET;
    let found = map.match_request(&MatchRequest::new(&method, "/00000000-0000-0000-0000-0000000000FF"));
    let uuid = found.expect("it is one").values().get("x").and_then(|value| value.as_uuid());
    assert_eq!(uuid, Some(Uuid::from_u128(255)));
    for text in ["/00000000-0000-0000-0000-0000000000fg", "/00000000+0000-0000-0000-000000000000"] {
        assert_eq!(get(&map, text), "404");
    }
}

#[test]
fn a_converter_is_tried_by_its_weight_and_then_in_its_order() {
    let map = map_of(&["/<path:x>", "/<x>", "/<any(a, b):x>", "/<int(max=3):x>", "/<int:x>"]);
    for (path, rule) in [("/1", "/<int(max=3):x>"), ("/4", "/<int:x>"), ("/a", "/<x>"), ("/a/b", "/<path:x>")] {
        assert_eq!(get(&map, path).split(' ').next(), rule.split(' ').next(), "{path}");
    }
}

#[test]
fn a_converter_of_the_application_stands_above_one_of_the_same_name() {
    let map = Map::builder()
        .converter("default", |arguments: &Arguments| {
            let [digits] = arguments.bind(["digits"])?;
            let n_digits = digits.map_or(Ok(2), |digits| digits.parse("a number of digits"))?;
            Ok(Rc::new(Hex { n_digits }))
        })
        .rule(Rule::new("/<color>").endpoint("color"), "color")
        .rule(Rule::new("/<default(6):color>").endpoint("long"), "long")
        .rule(Rule::new("/<string:other>"), "other")
        .build()
        .expect("the rules are right");
    assert_eq!(get(&map, "/fF"), "color color=Custom(..)");
    assert_eq!(get(&map, "/00ff00"), "long color=Custom(..)");
    assert_eq!(get(&map, "/00gg00"), "other other=Str(\"00gg00\")");
    let method = Method::GET;
    let found = map.match_request(&MatchRequest::new(&method, "/fF")).expect("it is hexadecimal");
    let values = found.into_values().into_owned();
    assert_eq!(values.get("color").and_then(|value| value.downcast_ref::<Digits>().map(|digits| digits.0)), Some(255));
    assert_eq!(values.text("color").as_deref(), Some("fF"));
    let color = PathValue::custom(Digits(10));
    assert_eq!(map.build("long", &[("color", color)], &Default::default()).as_deref(), Ok("/00000a"));
    let refused = map.build("color", &[("color", "red".into())], &Default::default()).expect_err("no number");
    assert!(refused.to_string().contains("hexadecimal digits"), "{refused}");
}

struct Digits(u64);

struct Hex {
    n_digits: usize,
}

impl Converter for Hex {
    fn parse(&self, text: &str) -> Option<Parsed> {
        let number = u64::from_str_radix(text, 16).ok().filter(|_| text.len() == self.n_digits)?;
        Some(Parsed::custom(Digits(number)))
    }

    fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
        value.downcast_ref::<Digits>().map(|digits| format!("{:01$x}", digits.0, self.n_digits))
    }

    fn expects(&self) -> std::borrow::Cow<'static, str> {
        format!("{} hexadecimal digits", self.n_digits).into()
    }
}

#[test]
fn a_converter_that_takes_slashes_is_matched_to_the_end_of_the_rule() {
    let map = Map::builder()
        .converter("triple", |_: &Arguments| Ok(Rc::new(Triple)))
        .rule(Rule::new("/t/<triple:x>/end/<int:n>").endpoint("t"), "t")
        .build()
        .expect("the rule is right");
    assert_eq!(get(&map, "/t/a/b/c/end/5"), "t x=Str(\"a/b/c\") n=Int(5)");
    assert_eq!(get(&map, "/t/a/b/end/5"), "404");
    let values = [("x", "a/b/c".into()), ("n", 1.into())];
    assert_eq!(map.build("t", &values, &Default::default()).as_deref(), Ok("/t/a/b/c/end/1"));
}

/// Three segments.
struct Triple;

impl Converter for Triple {
    fn parse(&self, text: &str) -> Option<Parsed> {
        (text.split('/').count() == 3).then_some(Parsed::Text)
    }

    fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
        value.as_str().map(str::to_owned)
    }

    fn is_part_isolating(&self) -> bool {
        false
    }
}
