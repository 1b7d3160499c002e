//! `Bytes`, `String` and `Body`: the body as an argument.

use std::time::Duration;

use bytes::Bytes;
use foster::app::{App, Request};
use foster::http::{Body, BodyError, MAX_PAIRS, MultiDict};
use foster::testing::serve_http;
use foster::{Error, Result};

use crate::asking::{ask, both, post, post_chunked};
use crate::stage::{config, paused, text};

fn bytes() -> App {
    let mut app = App::new();
    app.post("/", async |body: Bytes| body);
    app
}

fn string() -> App {
    let mut app = App::new();
    app.post("/", async |body: String| body);
    app
}

/// Says how long the body was, piece by piece.
fn stream() -> App {
    let mut app = App::new();
    app.post("/", async |mut body: Body| {
        let mut n_bytes = 0;
        while let Some(chunk) = body.chunk().await? {
            n_bytes += chunk.len();
        }
        foster::Ok(n_bytes.to_string())
    });
    app
}

#[test]
fn the_whole_body_is_there_however_it_comes() {
    for body in ["", "x", "a longer body"] {
        assert_eq!(post(bytes, "text/plain", body).fine(), body);
        assert_eq!(post_chunked(bytes, "text/plain", body).fine(), body);
        assert_eq!(post(string, "text/plain", body).fine(), body);
        assert_eq!(post_chunked(stream, "text/plain", body).fine(), body.len().to_string());
    }
}

#[test]
fn a_body_that_is_not_text_is_refused_as_text() {
    assert_eq!(post(string, "text/plain", b"\xff").refused(400), "The body is not UTF-8.");
    assert_eq!(post(string, "text/plain", "é").fine(), "é");
}

#[test]
fn a_body_beyond_the_limit_is_refused_declared_or_not() {
    fn limited(mut app: App) -> App {
        app.max_content_length(Some(4));
        app
    }
    for app in [bytes, string, stream] {
        let app = || limited(app());
        assert_eq!(post(app, "text/plain", "four").status, 200);
        assert_eq!(post_chunked(app, "text/plain", "four").status, 200);
        assert_eq!(post(app, "text/plain", "fives").refused(413), "The body is larger than 4 bytes.");
        assert_eq!(post_chunked(app, "text/plain", "fives").refused(413), "The body is larger than 4 bytes.");
    }
}

#[test]
fn a_route_and_a_request_have_limits_of_their_own() {
    let app = || {
        let mut app = App::new();
        app.max_content_length(Some(1));
        app.before_request(async |request: Request| {
            if request.headers().contains("x-trusted") {
                request.set_max_content_length(None);
            }
        });
        app.post("/", async |body: Bytes| body).max_content_length(Some(4));
        app
    };
    assert_eq!(post(app, "text/plain", "four").status, 200);
    assert_eq!(post(app, "text/plain", "fives").status, 413);
    let trusted = "POST / HTTP/1.1\r\nHost: x\r\nX-Trusted: 1\r\nContent-Length: 5\r\n\r\nfives";
    assert_eq!(both(app, trusted).fine(), "fives");
}

#[test]
fn a_body_beyond_the_limit_is_whole_once_there_is_a_larger_one() {
    let app = || {
        let mut app = App::new();
        app.max_content_length(Some(4));
        app.post("/", async |request: Request, body: Result<Bytes>| {
            assert_eq!(body.err().map(|err| err.to_string()).as_deref(), Some("the body is larger than 4 bytes"));
            request.set_max_content_length(Some(5));
            assert!(request.get_data().await.is_err());
            request.set_max_content_length(None);
            request.get_data().await
        });
        app
    };
    assert_eq!(post(app, "text/plain", "a longer body").fine(), "a longer body");
    assert_eq!(post_chunked(app, "text/plain", "a longer body").fine(), "a longer body");
}

#[test]
fn a_body_that_is_not_wanted_is_not_waited_for() {
    let app = || {
        let mut app = App::new();
        app.post("/", async || "fine");
        app
    };
    assert_eq!(post(app, "text/plain", "not looked at").fine(), "fine");
}

#[test]
fn a_body_that_comes_too_late_is_refused() {
    paused(async |nursery| {
        let mut app = bytes();
        app.body_timeout(Some(Duration::from_secs(3)));
        let server = serve_http(&nursery, app.into_handler()?, config());
        let client = server.connect();
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
        for _ in 0..2 {
            client.send("x");
            foster::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(client.n_unread(), 0);
        let answer = text(client.read_to_end().await);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        foster::Ok(())
    });
}

#[test]
fn a_body_that_breaks_off_reaches_no_view() {
    let app = || {
        let mut app = App::new();
        app.post("/", async |_: Bytes| "called");
        app
    };
    assert_eq!(ask(app(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfou").status, 400);
    let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(ask(app(), chunked).status, 400);
}

#[test]
fn the_body_is_kept_for_who_asks_again() {
    let app = || {
        let mut app = App::new();
        app.post("/", async |first: Bytes, second: String, mut third: Body, request: Request| {
            let third = third.bytes().await?;
            assert!(first == second && second.as_bytes() == third);
            foster::Ok(request.get_data().await?)
        });
        app
    };
    assert_eq!(post(app, "text/plain", "again").fine(), "again");
}

#[test]
fn a_stream_that_was_taken_is_not_there_for_the_next() {
    let app = || {
        let mut app = App::new();
        app.post("/", async |_: Body, _: Bytes| "");
        app
    };
    let said = post(app, "text/plain", "x").failed();
    assert!(said.contains("was taken"), "{said}");
}

#[test]
fn the_view_may_answer_for_the_error_of_a_stream() {
    let app = || {
        let mut app = App::new();
        app.max_content_length(Some(4));
        app.post("/", async |mut body: Body| match body.bytes().await {
            Err(BodyError::TooLarge { limit }) => (format!("at most {limit}"), 422),
            _ => ("fine".to_owned(), 200),
        });
        app
    };
    assert_eq!(post(app, "text/plain", "fives").status, 422);
    assert_eq!(post(app, "text/plain", "four").fine(), "fine");
}

#[test]
fn a_form_of_too_many_pairs_is_refused() {
    let app = || {
        let mut app = App::new();
        app.post("/", async |body: Bytes| Ok::<_, Error>(MultiDict::parse_query(body)?.len().to_string()));
        app
    };
    let form = |n_pairs: usize| vec!["a=1"; n_pairs].join("&");
    assert_eq!(post(app, "application/x-www-form-urlencoded", form(MAX_PAIRS)).fine(), "1000");
    assert_eq!(post(app, "application/x-www-form-urlencoded", form(MAX_PAIRS + 1)).status, 413);
}
