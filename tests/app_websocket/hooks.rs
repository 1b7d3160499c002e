//! What is called around the view of a WebSocket, in Quart's order, and what it may change.

use std::time::Duration;

use foster::app::{App, Blueprint, WebSocket, after_this_request, after_this_websocket, g, request, websocket};
use foster::http::Response;
use foster::websocket::Config;
use foster::{Error, Result, sleep};

use crate::site::{in_memory, open_at, refused};
use crate::stage::{Log, paused, reports_of, turns};

/// Adds hooks of every kind that say their names.
macro_rules! add_hooks {
    ($to:expr, $log:expr, $name:literal) => {{
        let log = $log.clone();
        $to.before_websocket(async move || {
            log.say(concat!("before ", $name));
            assert_eq!(websocket().request().path(), request().path());
        });
        let log = $log.clone();
        $to.after_websocket(async move |response: Option<Response>| {
            log.say(format!("after {} {:?}", $name, response.as_ref().map(|response| response.status().as_u16())));
            response
        });
        let log = $log.clone();
        $to.teardown_websocket(async move |err: Option<Error>| {
            log.say(format!("teardown {} {}", $name, err.map_or("fine".to_owned(), |err| err.to_string())));
            assert_eq!(websocket().is_open(), false);
        });
    }};
}

/// An application and two blueprints in one another, with a view that says its name and gives what `view` does.
fn nested<R>(log: &Log, view: impl AsyncFn() -> R + Clone + 'static) -> App
where
    R: foster::app::MaybeResponse + 'static,
{
    let (mut app, mut outer, mut inner) = (App::new(), Blueprint::new("outer"), Blueprint::new("inner"));
    add_hooks!(app, log, "app 1");
    add_hooks!(app, log, "app 2");
    add_hooks!(outer, log, "outer");
    add_hooks!(inner, log, "inner");
    let said = log.clone();
    inner.websocket("/", async move || {
        said.say("view");
        let (one, two) = (said.clone(), said.clone());
        after_this_websocket(async move |response: Option<Response>| {
            one.say("this 1");
            response
        });
        after_this_websocket(async move |response: Option<Response>| {
            two.say("this 2");
            response
        });
        view().await
    });
    // None of these is for WebSockets.
    app.before_request(async || -> () { panic!("of requests") });
    app.after_request(async |_: Response| -> Response { panic!("of requests") });
    app.teardown_request(async |_: Option<Error>| panic!("of requests"));
    outer.register_blueprint(&inner);
    app.register_blueprint(&outer);
    app
}

const BEFORE: [&str; 7] = ["before app 1", "before app 2", "before outer", "before inner", "view", "this 1", "this 2"];

fn words(after: &str, teardown: &str) -> Vec<String> {
    let parts = ["inner", "outer", "app 2", "app 1"];
    let after = parts.iter().map(|part| format!("after {part} {after}"));
    let teardown = parts.iter().map(|part| format!("teardown {part} {teardown}"));
    BEFORE.iter().map(ToString::to_string).chain(after).chain(teardown).collect()
}

#[test]
fn hooks_are_called_in_the_order_of_quart() {
    paused(async |nursery| {
        let log = Log::default();
        let server = in_memory(&nursery, nested(&log, async || websocket().send("x").await));
        let client = open_at(&server, "/").await;
        assert_eq!(client.text_message().await, "x");
        assert_eq!(client.closed().await.0, 1000);
        turns(5).await;
        assert_eq!(log.words(), words("None", "fine"));
        Ok(())
    });
}

#[test]
fn hooks_are_called_when_the_client_has_gone_and_nothing_is_wrong() {
    for vanishes in [false, true] {
        paused(async |nursery| {
            let (log, reports) = (Log::default(), reports_of(&nursery));
            let echo = async || -> Result<()> {
                loop {
                    websocket().send(websocket().receive().await?).await?;
                }
            };
            let server = in_memory(&nursery, nested(&log, echo));
            let client = open_at(&server, "/").await;
            client.send("x");
            assert_eq!(client.text_message().await, "x");
            if vanishes {
                client.peer.reset();
            } else {
                client.send_close(1000, "");
            }
            turns(20).await;
            assert_eq!(log.words(), words("None", "fine"));
            assert_eq!(reports.words(), [] as [&str; 0]);
            Ok(())
        });
    }
}

#[test]
fn hooks_are_called_when_the_view_fails() {
    paused(async |nursery| {
        let (log, reports) = (Log::default(), reports_of(&nursery));
        let fail = async || -> Result<()> {
            websocket().accept()?;
            Err(Error::msg("as asked"))
        };
        let server = in_memory(&nursery, nested(&log, fail));
        let client = open_at(&server, "/").await;
        assert_eq!(client.closed().await.0, 1011);
        turns(5).await;
        assert_eq!(log.words(), words("None", "as asked"));
        assert_eq!(reports.words(), ["a view failed: as asked"]);
        Ok(())
    });
}

#[test]
fn hooks_see_the_response_of_what_was_not_accepted() {
    paused(async |nursery| {
        let log = Log::default();
        let server = in_memory(&nursery, nested(&log, async || Some(("no", 402))));
        assert!(refused(&server, "/", "").await.starts_with("HTTP/1.1 402 "));
        assert_eq!(log.words(), words("Some(402)", "fine"));
        let log = Log::default();
        let server = in_memory(&nursery, nested(&log, async || Err::<(), _>(Error::msg("as asked"))));
        assert!(refused(&server, "/", "").await.starts_with("HTTP/1.1 500 "));
        assert_eq!(log.words(), words("Some(500)", "as asked"));
        Ok(())
    });
}

#[test]
fn a_response_of_a_hook_before_the_view_rejects() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let mut app = App::new();
        app.before_websocket(async |websocket: WebSocket| {
            let is_known = websocket.request().args().contains("token");
            if is_known { None } else { Some(("who are you?", 401)) }
        });
        app.before_websocket(async move || said.say("second"));
        app.after_websocket(async |response: Option<Response>| {
            response.map(|response| response.header("x-after".parse().expect("a name"), "1".parse().expect("a value")))
        });
        app.websocket("/", async || websocket().send("in").await);
        let server = in_memory(&nursery, app);
        let answer = refused(&server, "/", "").await;
        assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n") && answer.ends_with("who are you?"), "{answer}");
        assert!(answer.contains("\r\nx-after: 1\r\n"), "{answer}");
        assert_eq!(log.len(), 0);
        assert_eq!(open_at(&server, "/?token=1").await.text_message().await, "in");
        assert_eq!(log.words(), ["second"]);
        Ok(())
    });
}

#[test]
fn a_hook_may_accept_and_talk_before_the_view() {
    paused(async |nursery| {
        let mut app = App::new();
        app.before_websocket(async || -> Result<()> {
            let password = websocket().receive().await?;
            g().insert(password.as_text() == Some("secret"));
            Ok(())
        });
        app.after_websocket(async |response: Option<Response>| -> Result<Option<Response>> {
            assert!(response.is_none());
            websocket().send("goodbye").await?;
            // It is accepted: this is for nobody.
            Ok(Some(Response::text("x")))
        });
        app.websocket("/", async || websocket().send(format!("{:?}", g().get::<bool>())).await);
        let server = in_memory(&nursery, app);
        let client = open_at(&server, "/").await;
        client.send("secret");
        assert_eq!(client.text_message().await, "Some(true)");
        assert_eq!(client.text_message().await, "goodbye");
        assert_eq!(client.closed().await.0, 1000);
        Ok(())
    });
}

#[test]
fn a_hook_that_fails_before_it_is_accepted_is_answered_by_handlers_of_errors() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let mut app = App::new();
        app.before_websocket(async || -> Result<()> {
            match websocket().request().query_string() {
                "before" => Err(Error::msg("before")),
                "panic" => panic!("before"),
                _ => Ok(()),
            }
        });
        app.after_websocket(async |response: Option<Response>| -> Result<Option<Response>> {
            let is_first = response.as_ref().is_some_and(|response| response.status() == 200);
            if is_first { Err(Error::msg("after")) } else { Ok(response) }
        });
        app.errorhandler(500, async |err: foster::app::HttpException| {
            (err.original().map_or(String::new(), |original| format!("sorry: {original}")), 500)
        });
        app.websocket("/", async || Some("ok"));
        let server = in_memory(&nursery, app);
        for (query, said) in [("before", "before"), ("panic", "panicked: before"), ("", "after")] {
            let answer = refused(&server, &format!("/?{query}"), "").await;
            assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
            assert!(answer.ends_with(&format!("\r\n\r\nsorry: {said}")), "{answer}");
        }
        assert_eq!(reports.words(), ["before", "panicked: before", "after"].map(|err| format!("a view failed: {err}")));
        Ok(())
    });
}

#[test]
fn a_hook_that_always_fails_is_answered_with_500_all_the_same() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let mut app = App::new();
        app.after_websocket(async |_: Option<Response>| Err::<(), _>(Error::msg("after")));
        app.websocket("/", async || Some("ok"));
        app.websocket("/open", async || websocket().accept());
        app.websocket("/fail", async || -> Result<()> {
            websocket().accept()?;
            Err(Error::msg("of its own"))
        });
        let server = in_memory(&nursery, app);
        let answer = refused(&server, "/", "").await;
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("<h1>Internal Server Error</h1>"), "{answer}");
        assert_eq!(open_at(&server, "/open").await.closed().await.0, 1011);
        assert_eq!(open_at(&server, "/fail").await.closed().await.0, 1011);
        assert_eq!(
            reports.words(),
            [
                "a view failed: after",
                "a view failed: after",
                "a view failed: after",
                "a hook after a WebSocket failed: after",
                "a view failed: of its own"
            ]
        );
        Ok(())
    });
}

#[test]
fn what_comes_at_the_end_is_called_behind_the_close_and_may_wait() {
    paused(async |nursery| {
        let log = Log::default();
        let (said, told) = (log.clone(), log.clone());
        let mut app = App::new();
        app.teardown_websocket(async move |_: Option<Error>| {
            sleep(Duration::from_secs(1)).await;
            said.say(format!("over {:?}", g().get::<u8>()));
        });
        app.teardown_websocket(async move |_: Option<Error>| {
            told.say("first");
            Err::<(), _>(Error::msg("a hook that fails hinders nobody"))
        });
        app.websocket("/", async || -> Result<()> {
            g().insert(7u8);
            websocket().receive().await?;
            Ok(())
        });
        let server = in_memory(&nursery, app);
        let client = open_at(&server, "/").await;
        client.peer.reset();
        turns(10).await;
        assert_eq!(log.words(), ["first"]);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(log.words(), ["first", "over Some(7)"]);
        Ok(())
    });
}

#[test]
fn what_comes_at_the_end_is_called_for_a_view_that_is_cancelled() {
    paused(async |nursery| {
        let log = Log::default();
        let (said, cut) = (log.clone(), log.clone());
        let mut app = App::new();
        app.websocket_config(Config::new().close_timeout(Duration::from_secs(3)));
        app.teardown_websocket(async move |err: Option<Error>| {
            sleep(Duration::from_secs(1)).await;
            said.say(format!("{} {}", request().path(), err.map_or("fine".to_owned(), |err| err.to_string())));
        });
        app.after_websocket(async move |response: Option<Response>| {
            cut.say("after");
            response
        });
        // One has not been accepted when its client goes, and one does not listen when it has gone.
        app.websocket("/waits", async || foster::sleep_forever().await);
        app.websocket("/deaf", async || -> Result<()> {
            websocket().accept()?;
            foster::sleep_forever().await;
            Ok(())
        });
        let server = in_memory(&nursery, app);
        server.lifespan_startup().await?;
        let waits = server.connect();
        waits.send(crate::client::request("/waits", ""));
        turns(5).await;
        waits.reset();
        sleep(Duration::from_secs(2)).await;
        assert_eq!(log.words(), ["/waits cancelled"]);
        open_at(&server, "/deaf").await.peer.reset();
        sleep(Duration::from_secs(5)).await;
        assert_eq!(log.words(), ["/waits cancelled", "/deaf cancelled"]);
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}

#[test]
fn a_call_after_this_request_sees_the_response_of_what_was_not_accepted() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let mut app = App::new();
        app.before_websocket(async move || {
            let said = said.clone();
            after_this_request(async move |response: Response| {
                said.say(response.status().to_string());
                response
            });
        });
        app.websocket("/", async || Some(("no", 402)));
        app.websocket("/open", async || websocket().accept());
        let server = in_memory(&nursery, app);
        refused(&server, "/", "").await;
        open_at(&server, "/open").await.closed().await;
        assert_eq!(log.words(), ["402 Payment Required"]);
        Ok(())
    });
}
