//! `blocking`: functions that are not `async` as views.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use bytes::Bytes;
use foster::app::{App, HttpException, Path, Query, abort, blocking, has_app_context, has_request_context};
use foster::http::Json;
use foster::testing::serve_http;
use serde_json::Value;

use crate::asking::{get, post};
use crate::stage::{config, real, text};

fn double(Path(n): Path<i64>) -> String {
    (2 * n).to_string()
}

#[test]
fn a_function_is_a_view() {
    let mut app = App::new();
    app.get("/<int:n>", blocking(double));
    assert_eq!(get(app, "/21").fine(), "42");
}

#[test]
fn it_takes_and_gives_what_is_send() {
    let app = || {
        let mut app = App::new();
        let known = Arc::new("known".to_owned());
        app.post(
            "/",
            blocking(move |Query(_): Query<Vec<(String, String)>>, body: Bytes, Json(value): Json<Value>| {
                let status = if value.is_null() { 404 } else { 201 };
                if status == 404 { Err(abort(404)) } else { Ok((format!("{known} {}", body.len()), status)) }
            }),
        );
        app
    };
    let answer = post(app, "application/json", "1");
    assert_eq!((answer.status, &*answer.body), (201, "known 1"));
    assert_eq!(post(app, "application/json", "null").status, 404);
}

#[test]
fn it_runs_on_another_thread_and_without_contexts() {
    let here = thread::current().id();
    let mut app = App::new();
    app.get(
        "/",
        blocking(move || format!("{} {} {}", thread::current().id() == here, has_app_context(), has_request_context())),
    );
    assert_eq!(get(app, "/").fine(), "false false false");
}

#[test]
fn a_panic_of_it_is_an_error_of_the_view() {
    fn view() -> Result<String, HttpException> {
        panic!("no")
    }
    let mut app = App::new();
    app.get("/", blocking(view));
    let said = get(app, "/").failed();
    assert!(said.contains("no"), "{said}");
}

#[test]
fn its_endpoint_is_the_name_of_the_function() {
    let mut app = App::new();
    app.get("/<int:n>", blocking(double));
    app.after_request(async |response| {
        (
            response,
            [("x-endpoint", foster::app::request().endpoint().map(str::to_owned))]
                .map(|(name, value)| (name, value.unwrap_or_default())),
        )
    });
    let answer = get(app, "/1");
    assert!(answer.head.contains("x-endpoint: double"), "{}", answer.head);
}

#[test]
fn two_of_them_run_at_once_and_hold_up_nobody() {
    let together = Arc::new(Barrier::new(2));
    let n_calls = Arc::new(AtomicUsize::new(0));
    real(async |nursery| {
        let mut app = App::new();
        let (barrier, calls) = (together.clone(), n_calls.clone());
        app.get(
            "/",
            blocking(move || {
                // Neither gets any further without the other.
                barrier.wait();
                calls.fetch_add(1, Ordering::SeqCst);
                "done"
            }),
        );
        app.get("/other", async || "other");
        let server = serve_http(&nursery, app.into_handler()?, config());
        let ask = |path: &str| {
            let client = server.connect();
            client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
            client
        };
        let (first, other) = (ask("/"), ask("/other"));
        assert!(text(other.read_to_end().await).ends_with("other"));
        assert_eq!(n_calls.load(Ordering::SeqCst), 0);
        let second = ask("/");
        assert!(text(first.read_to_end().await).ends_with("done"));
        assert!(text(second.read_to_end().await).ends_with("done"));
        foster::Ok(())
    });
}

#[test]
fn a_hook_may_block_too() {
    let mut app = App::new();
    app.before_request(blocking(|Query(pairs): Query<Vec<(String, String)>>| {
        (!pairs.is_empty()).then_some(("no", 403))
    }));
    let unused = Rc::new(());
    app.get("/", async move || Rc::strong_count(&unused).to_string());
    assert_eq!(get(app, "/?a").status, 403);
}
