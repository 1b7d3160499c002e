//! What is wrong with a `Path` is said when the application starts.

use std::collections::HashMap;

use foster::app::routing::Uuid;
use foster::app::{App, Path, WebSocket};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::asking::refused_at_start;

#[track_caller]
fn refused<T: DeserializeOwned + 'static>(rule: &str) -> String {
    let mut app = App::new();
    app.get(rule, async |_: Path<T>| "");
    let messages = refused_at_start(app);
    assert_eq!(messages.len(), 1, "{messages:?}");
    let said = messages.concat();
    let prefix = format!("the view at {rule:?} takes Path<{}>, but ", std::any::type_name::<T>());
    said.strip_prefix(&prefix).unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn starts<T: DeserializeOwned + 'static>(rule: &str) -> bool {
    let mut app = App::new();
    app.get(rule, async |_: Path<T>| "");
    app.into_handler().is_ok()
}

#[test]
fn a_value_where_the_rule_has_none_or_several() {
    assert_eq!(refused::<i64>("/"), "the path has no values where one value is expected");
    assert_eq!(refused::<String>("/<a>/<b>"), "the path has 2 values, a, b, where one value is expected");
}

#[test]
fn a_tuple_of_another_length() {
    let said = refused::<(i64, i64)>("/<int:id>");
    assert_eq!(said, "the path has one value, \"id\", where a tuple of 2 is expected");
    let said = refused::<(i64, i64)>("/<int:a>/<int:b>/<int:c>");
    assert_eq!(said, "the path has 3 values, a, b, c, where a tuple of 2 is expected");
}

#[test]
fn a_value_of_another_kind() {
    assert_eq!(refused::<u32>("/<id>"), "\"id\" is text where u32 is expected: write <int:id>, or take a String");
    let said = refused::<String>("/<int:id>");
    assert_eq!(said, "\"id\" is an integer where a string is expected: write <id>, or take an i64");
    let said = refused::<i64>("/<float:x>");
    assert_eq!(said, "\"x\" is a number where i64 is expected: write <int:x>, or take an f64");
    assert_eq!(refused::<f32>("/<x>"), "\"x\" is text where f32 is expected: write <float:x>, or take a String");
    let said = refused::<(String, i64)>("/<a>/<path:b>");
    assert_eq!(said, "\"b\" is text where i64 is expected: write <int:b>, or take a String");
    let said = refused::<Uuid>("/<int:id>");
    assert_eq!(said, "\"id\" is an integer where a UUID is expected: write <id>, or take an i64");
    assert!(refused::<HashMap<String, u8>>("/<id>").starts_with("\"id\" is text where u8 is expected"));
    assert!(refused::<bool>("/<int:flag>").starts_with("\"flag\" is an integer where a boolean is expected"));
}

#[test]
fn a_field_that_no_variable_is_called_as() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "never read")]
    struct User {
        name: String,
        id: i64,
    }
    let said = refused::<User>("/<nmae>/<int:id>");
    assert_eq!(said, "the path has no value \"name\": name a variable so, or make the field an Option");
    assert!(refused::<User>("/<name>/<id>").starts_with("\"id\" is text where i64 is expected"));
    assert!(starts::<User>("/<int:id>/<name>"));
}

#[test]
fn a_variable_that_no_field_is_called_as_if_the_type_is_strict() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "never read")]
    struct User {
        id: i64,
    }
    assert_eq!(refused::<User>("/<int:id>/<name>"), "it has no field \"name\", which the path has");
}

#[test]
fn a_default_of_another_kind() {
    let mut app = App::new();
    app.get("/all", async |_: Path<u8>| "").defaults([("page", "first")]);
    let said = refused_at_start(app).concat();
    assert!(said.contains("\"page\" is text where u8 is expected"), "{said}");
}

#[test]
fn a_path_of_a_websocket_and_one_that_may_be_missing() {
    let mut app = App::new();
    app.websocket("/<room>", async |_: Path<u8>, _: WebSocket| ());
    app.get("/<x>", async |_: Option<Path<u8>>| "");
    let messages = refused_at_start(app);
    assert_eq!(messages.len(), 2, "{messages:?}");
}

#[test]
fn what_cannot_be_told_before_a_request_is_left_to_it() {
    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct Never;

    impl TryFrom<String> for Never {
        type Error = &'static str;

        fn try_from(_: String) -> Result<Self, &'static str> {
            Err("never")
        }
    }
    assert!(starts::<Never>("/<x>"));
    assert!(starts::<std::num::NonZeroU8>("/<int(max=1000):x>"));
    assert!(starts::<(Never, String)>("/<x>/<y>"));
}
