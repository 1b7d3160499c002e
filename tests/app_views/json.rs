//! `Json`: the body as JSON.

use foster::app::{App, Request};
use foster::http::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::asking::{both, post, post_chunked};

#[derive(Debug, Deserialize, Serialize)]
struct Point {
    x: i32,
    y: i32,
}

fn app() -> App {
    let mut app = App::new();
    app.post("/", async |Json(Point { x, y }): Json<Point>| Json(Point { x: y, y: x }));
    app.max_content_length(Some(64));
    app
}

#[test]
fn json_is_read_and_written() {
    for kind in ["application/json", "Application/JSON; charset=utf-8", "application/geo+json"] {
        assert_eq!(post(app, kind, r#"{"x": 1, "y": 2}"#).fine(), r#"{"x":2,"y":1}"#);
    }
    assert_eq!(post_chunked(app, "application/json", r#" {"y":2,"x":1} "#).fine(), r#"{"x":2,"y":1}"#);
}

#[test]
fn another_type_is_refused_without_reading() {
    for kind in ["text/plain", "application/jsonp", "text/json+x", "json", "application/x-www-form-urlencoded"] {
        assert_eq!(post(app, kind, r#"{"x":1,"y":2}"#).refused(415), "The body has to be application/json.");
    }
    let without = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"x\":1,\"y\":2}";
    assert_eq!(both(app, without).status, 415);
}

#[test]
fn what_is_no_json_or_no_such_value_is_refused() {
    for body in ["", "{", r#"{"x":1,"y":2}x"#, r#"{"x":1}"#, r#"{"x":1,"y":"2"}"#, "[1]", "\u{feff}{}", "null"] {
        let said = post(app, "application/json", body).refused(400);
        assert!(said.starts_with("The body is not the JSON that is expected: "), "{said}");
    }
    assert_eq!(post(app, "application/json", b"{\"x\xff\":1}").status, 400);
}

#[test]
fn a_long_text_is_not_repeated_to_who_sent_it() {
    let app = || {
        let mut app = App::new();
        app.post("/", async |Json(number): Json<u8>| number.to_string());
        app
    };
    for letter in ["<", "é"] {
        let body = format!("\"{}\"", letter.repeat(2_000));
        let answer = post(app, "application/json", &body);
        assert!(answer.body.len() < 2_000, "{}", answer.body.len());
        let said = answer.refused(400);
        let end = format!("… at line 1 column {}.", body.len());
        assert!(said.starts_with("The body is not the JSON that is expected: invalid type: string"), "{said}");
        assert!(said.ends_with(&end), "{said}");
    }
}

#[test]
fn what_is_nested_too_deeply_is_refused() {
    let any = || {
        let mut app = App::new();
        app.post("/", async |_: Json<Value>| "fine");
        app
    };
    assert_eq!(post(any, "application/json", "[".repeat(4_000)).status, 400);
}

#[test]
fn what_is_too_large_is_refused() {
    let large = format!(r#"{{"x":1,"y":2,"z":"{}"}}"#, "z".repeat(100));
    assert_eq!(post(app, "application/json", &large).status, 413);
    assert_eq!(post_chunked(app, "application/json", &large).status, 413);
}

#[test]
fn the_request_reads_json_whatever_its_type_and_without_a_fuss() {
    let app = || {
        let mut app = App::new();
        app.max_content_length(Some(64));
        app.post("/", async |request: Request| {
            let anyway = request.get_json_anyway::<Point>().await.is_ok();
            let silent = request.get_json_silent::<Point>().await?.is_some();
            foster::Ok(format!("{anyway} {silent}"))
        });
        app
    };
    let body = r#"{"x":1,"y":2}"#;
    assert_eq!(post(app, "application/json", body).fine(), "true true");
    assert_eq!(post(app, "text/plain", body).fine(), "true false");
    assert_eq!(post(app, "application/json", "{").fine(), "false false");
    assert_eq!(post(app, "application/json", "x".repeat(65)).status, 413);
}
