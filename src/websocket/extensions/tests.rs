//! What is read, what is passed over, and what a connection fails upon.

use super::{Extension, MAX_EXTENSIONS, MAX_PARAMS, parse};

fn shown(fields: &[&str]) -> Result<Vec<String>, String> {
    let extensions = parse(fields.iter().map(|field| field.as_bytes())).map_err(|err| err.to_string())?;
    Ok(extensions.iter().map(shown_extension).collect())
}

fn shown_extension(extension: &Extension<'_>) -> String {
    let mut shown = extension.name.to_owned();
    for param in &extension.params {
        shown.push_str(&format!(";{}", param.name));
        if let Some(value) = &param.value {
            shown.push_str(&format!("={value}"));
        }
    }
    shown
}

#[test]
fn extensions_come_in_order_with_their_parameters() {
    assert_eq!(shown(&[]).unwrap(), [""; 0]);
    assert_eq!(shown(&["foo"]).unwrap(), ["foo"]);
    assert_eq!(shown(&["foo; bar; baz=2, quux"]).unwrap(), ["foo;bar;baz=2", "quux"]);
    // The examples of RFC 6455, 9.1.
    assert_eq!(shown(&["bar; baz=2"]).unwrap(), ["bar;baz=2"]);
    assert_eq!(shown(&["mux; max-channels=4; flow-control, deflate-stream"]).unwrap().len(), 2);
    assert_eq!(shown(&["private-extension"]).unwrap(), ["private-extension"]);
}

#[test]
fn fields_that_are_repeated_are_one_list() {
    assert_eq!(shown(&["foo, bar; baz=2", "quux"]).unwrap(), shown(&["foo, bar; baz=2, quux"]).unwrap());
}

#[test]
fn whitespace_and_empty_members_are_passed_over() {
    assert_eq!(shown(&[" \tfoo\t; a = 1 ;b ,, ,\tbar , "]).unwrap(), ["foo;a=1;b", "bar"]);
    assert_eq!(shown(&[", foo"]).unwrap(), ["foo"]);
}

#[test]
fn a_value_in_quotes_is_the_token_inside() {
    assert_eq!(shown(&[r#"foo; a="10"; b="x\y\z""#]).unwrap(), ["foo;a=10;b=xyz"]);
}

#[test]
fn what_is_against_the_grammar_is_an_error() {
    for field in [
        "",
        " ",
        ",",
        "foo bar",
        "foo;",
        "foo; ;bar",
        "foo; =1",
        "foo; a=",
        "foo; a=, bar",
        "foo; a=1 2",
        "foo = 1",
        "; a",
        "foo/1",
        "foo(comment)",
        "fo\u{f6}",
        r#""foo""#,
        r#"foo; a=""#,
        r#"foo; a="""#,
        r#"foo; a="1"#,
        r#"foo; a="1\"#,
        r#"foo; a="1\""#,
        r#"foo; a="1 2""#,
        r#"foo; a="1,2""#,
        r#"foo; a="1"2"#,
    ] {
        assert!(shown(&[field]).is_err(), "{field:?}");
        assert!(shown(&["foo", field]).is_err(), "{field:?}");
    }
    assert!(parse([&b"foo\x00"[..]]).is_err() && parse([&b"foo; a=\xff"[..]]).is_err());
}

#[test]
fn there_is_a_limit_to_extensions_and_to_parameters() {
    let list = |n| vec!["foo"; n].join(", ");
    assert_eq!(shown(&[&list(MAX_EXTENSIONS)]).unwrap().len(), MAX_EXTENSIONS);
    assert!(shown(&[&list(MAX_EXTENSIONS), "foo"]).is_err() && shown(&[&list(100_000)]).is_err());
    let params = |n| format!("foo{}", "; a".repeat(n));
    assert!(shown(&[&params(MAX_PARAMS)]).is_ok() && shown(&[&params(MAX_PARAMS + 1)]).is_err());
}
