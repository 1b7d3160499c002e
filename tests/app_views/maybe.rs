//! `Option` and `Result` of what a view takes.

use std::future::{Future, ready};

use bytes::Bytes;
use foster::app::{App, FromRequest, HttpException, Path, Query, Request, State, abort};
use foster::http::Json;
use foster::{Error, Result};
use serde_json::Value;

use crate::asking::{get, post, refused_at_start};

/// Cannot be taken for that reason.
struct Never<const STATUS: u16>;

impl<const STATUS: u16> FromRequest for Never<STATUS> {
    fn from_request(_: &Request) -> impl Future<Output = Result<Self>> {
        ready(Err(match STATUS {
            0 => Error::msg("broken"),
            status => abort(status).into(),
        }))
    }
}

#[test]
fn none_is_for_a_fault_of_the_client() {
    let app = || {
        let mut app = App::new();
        app.post("/", async |json: Option<Json<Value>>| json.map_or("none", |_| "some"));
        app
    };
    assert_eq!(post(app, "application/json", "1").fine(), "some");
    assert_eq!(post(app, "application/json", "x").fine(), "none");
    assert_eq!(post(app, "text/plain", "1").fine(), "none");
}

#[test]
fn none_is_for_a_body_that_cannot_be_taken() {
    let app = || {
        let mut app = App::new();
        app.max_content_length(Some(4));
        app.post("/", async |body: Option<String>| body.unwrap_or_else(|| "none".to_owned()));
        app
    };
    assert_eq!(post(app, "text/plain", "four").fine(), "four");
    assert_eq!(post(app, "text/plain", "fives").fine(), "none");
    assert_eq!(post(app, "text/plain", b"\xff").fine(), "none");
}

#[test]
fn any_other_error_stays_one() {
    let mut app = App::new();
    app.get("/client", async |never: Option<Never<404>>| if never.is_some() { "some" } else { "none" });
    app.get("/server", async |_: Option<Never<503>>| "called");
    app.get("/broken", async |_: Option<Never<0>>| "called");
    let again = || {
        let mut app = App::new();
        app.get("/server", async |_: Option<Never<503>>| "called");
        app.get("/broken", async |_: Option<Never<0>>| "called");
        app
    };
    assert_eq!(get(app, "/client").fine(), "none");
    assert_eq!(get(again(), "/server").status, 503);
    assert_eq!(get(again(), "/broken").failed(), "a view failed: broken");
}

#[test]
fn a_result_has_the_error() {
    let app = || {
        let mut app = App::new();
        app.get("/<int:id>", async |id: Result<Path<u8>>, page: Result<Query<Vec<(String, u8)>>, Error>| {
            let id = id.map_or_else(|err| format!("{err}"), |Path(id)| id.to_string());
            let page = page.map_or_else(
                |err| err.downcast_ref::<HttpException>().map_or(0, |err| err.status().as_u16()),
                |Query(pairs)| pairs.iter().map(|(_, n)| u16::from(*n)).sum(),
            );
            format!("{id}, {page}")
        });
        app
    };
    assert_eq!(get(app(), "/1?a=2").fine(), "1, 2");
    assert_eq!(get(app(), "/300?a=x").fine(), "404 Not Found, 400");
}

#[test]
fn what_they_need_has_to_be_there() {
    let mut app = App::new();
    app.get("/", async |_: Option<State<u8>>, _: Result<State<u16>>| "");
    assert_eq!(refused_at_start(app).len(), 2);
}

#[test]
fn arguments_are_taken_in_their_order_and_the_first_error_is_answered() {
    let mut app = App::new();
    app.get("/", async |_: Never<409>, _: Never<410>| "called");
    assert_eq!(get(app, "/").status, 409);

    let app = || {
        let mut app = App::new();
        app.post(
            "/",
            async |_: Request,
                   a: Bytes,
                   b: String,
                   c: Option<Json<Value>>,
                   _: Request,
                   _: Request,
                   _: Request,
                   d: Bytes| { format!("{} {b} {} {}", a.len(), c.is_some(), d.len()) },
        );
        app
    };
    assert_eq!(post(app, "application/json", "12").fine(), "2 12 true 2");
}

#[test]
fn a_handler_of_errors_knows_what_could_not_be_taken() {
    let mut app = App::new();
    app.get("/<int:id>", async |_: Path<u8>| "");
    app.errorhandler(404, async |_| ("no such number", 404));
    assert_eq!(get(app, "/256").body, "no such number");
}
