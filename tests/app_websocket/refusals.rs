//! Requests that open no WebSocket: errors before it is accepted, and handshakes that are wrong.

use std::sync::Arc;

use foster::app::{App, Blueprint, HttpException, abort, has_websocket_context, request, websocket};
use foster::http::Response;
use foster::{Error, Result, open_nursery};

use crate::client::request as handshake;
use crate::site::{in_memory, refused, said};
use crate::stage::{Log, get, paused, reports_of};

#[derive(Debug)]
struct Full(u32);

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there are {} already", self.0)
    }
}

impl std::error::Error for Full {}

#[test]
fn an_error_before_it_is_accepted_is_answered_by_who_knows_it() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let (mut app, mut rooms) = (App::new(), Blueprint::new("rooms"));
        app.errorhandler(404, async |err: HttpException| {
            (format!("app: {}", err.get_description().unwrap_or("-")), 404)
        });
        rooms.errorhandler_for(async |full: Arc<Full>| (full.to_string(), 503));
        rooms.errorhandler_if(|err| err.to_string() == "odd", async |err: Error| (format!("predicate: {err}"), 418));
        rooms.websocket("/full", async || Err::<(), _>(Full(10)));
        rooms.websocket("/missing", async || Err::<(), _>(abort(404).description("no such room")));
        rooms.websocket("/odd", async || Err::<(), _>(Error::msg("odd")));
        rooms.websocket("/group", async || -> Result<()> {
            open_nursery(async |nursery| {
                nursery.start_soon(async { Err::<(), _>(Error::msg("unknown")) });
                nursery.start_soon(async { Err::<(), _>(Error::from(Full(3))) });
                foster::sleep_forever().await;
                Ok(())
            })
            .await?;
            Ok(())
        });
        rooms.websocket("/unknown", async || Err::<(), _>(Error::msg("unknown")));
        rooms.websocket("/panic", async || -> () { panic!("as asked") });
        app.register_blueprint(&rooms);
        let server = in_memory(&nursery, app);
        for (path, status, body) in [
            ("/full", 503, "there are 10 already"),
            ("/missing", 404, "app: no such room"),
            ("/odd", 418, "predicate: odd"),
            ("/group", 503, "there are 3 already"),
            ("/unknown", 500, "<h1>Internal Server Error</h1>\n"),
            ("/panic", 500, "<h1>Internal Server Error</h1>\n"),
        ] {
            let answer = refused(&server, path, "").await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.ends_with(body), "{path}: {answer}");
        }
        assert_eq!(
            reports.words(),
            [
                "an error beside the one that was answered: unknown",
                "a view failed: unknown",
                "a view failed: panicked: as asked"
            ]
        );
        Ok(())
    });
}

#[test]
fn a_view_that_rejects_and_fails_is_answered_with_the_error() {
    paused(async |nursery| {
        let mut app = App::new();
        app.websocket("/", async || -> Result<()> {
            websocket().reject(Response::text("never mind"))?;
            Err(abort(409).into())
        });
        let server = in_memory(&nursery, app);
        assert!(refused(&server, "/", "").await.starts_with("HTTP/1.1 409 "));
        Ok(())
    });
}

/// An application whose error pages say what they are for, and whose hooks of WebSockets must not be called.
fn careful(log: &Log) -> App {
    let mut app = App::new();
    app.errorhandler_for(async |err: Arc<HttpException>| {
        let mut page = err.to_response();
        page.set_body(format!("{}: {}", request().path(), err.get_description().unwrap_or("-")));
        page
    });
    app.before_websocket(async || -> () { panic!("of a WebSocket") });
    app.after_websocket(async |_: Option<Response>| -> () { panic!("of a WebSocket") });
    app.teardown_websocket(async |_: Option<Error>| panic!("of a WebSocket"));
    let log = log.clone();
    app.after_request(async move |response: Response| {
        log.say("after_request");
        assert!(!has_websocket_context());
        response
    });
    app.websocket("/ws", async || ());
    app
}

#[test]
fn a_request_for_something_else_at_the_path_of_a_websocket_is_answered_by_handlers_of_errors() {
    paused(async |nursery| {
        let log = Log::default();
        let server = in_memory(&nursery, careful(&log));
        let answer = said(&server, get("/ws")).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n") && answer.contains("\r\n\r\n/ws: "), "{answer}");
        for method in ["POST", "PUT", "OPTIONS"] {
            let answer = said(&server, format!("{method} /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{method}: {answer}");
            assert!(answer.contains("\r\nallow: GET, HEAD\r\n"), "{method}: {answer}");
        }
        assert_eq!(log.len(), 4, "they are requests as others");
        Ok(())
    });
}

#[test]
fn a_websocket_that_no_route_takes_has_the_hooks_of_the_application() {
    paused(async |nursery| {
        let (log, reports) = (Log::default(), reports_of(&nursery));
        let (one, two, three) = (log.clone(), log.clone(), log.clone());
        let mut app = App::new();
        app.websocket("/slash/", async || ());
        app.get("/page", async || "a page");
        app.before_websocket(async move || {
            one.say(websocket().request().path());
            websocket()
                .request()
                .args()
                .get("reject")
                .map(|status| status.parse::<u16>())
                .transpose()
                .map(|status| status.map(|status| ("rejected", status)))
        });
        app.after_websocket(async move |response: Option<Response>| {
            two.say(response.as_ref().map_or("none".to_owned(), |response| response.status().as_u16().to_string()));
            response
        });
        app.teardown_websocket(async move |err: Option<Error>| three.say(format!("{err:?}")));
        let server = in_memory(&nursery, app);
        for (path, status) in [("/nowhere", "404"), ("/page", "400"), ("/slash", "308"), ("/a?reject=403", "403")] {
            let answer = refused(&server, path, "").await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
            assert_eq!(answer.contains("\r\nlocation: "), status == "308", "{answer}");
            let said = [path.split('?').next().expect("a path"), status, "None"];
            assert_eq!(log.words()[log.len() - 3..], said);
        }
        let answer = said(&server, handshake("/nowhere", "").replace("13", "8")).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert_eq!(log.len(), 12, "a handshake that is wrong has no hooks");
        assert_eq!(reports.words(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn a_handshake_that_is_wrong_is_answered_by_handlers_of_errors_and_no_hook_is_called() {
    paused(async |nursery| {
        let log = Log::default();
        let server = in_memory(&nursery, careful(&log));
        let fine = handshake("/ws", "Connection: close\r\n");
        let without = |field: &str| {
            let lines: Vec<&str> = fine.split("\r\n").filter(|line| !line.starts_with(field)).collect();
            lines.join("\r\n")
        };
        let version = fine.replace("Version: 13", "Version: 8");
        for (request, status, field, word) in [
            (without("Sec-WebSocket-Key"), "400", "", "Sec-WebSocket-Key"),
            (fine.replace("dGhl", "="), "400", "", "base64"),
            (version, "426", "sec-websocket-version: 13", "13"),
            (without("Sec-WebSocket-Version"), "426", "upgrade: websocket", "13"),
            (fine.replace("HTTP/1.1", "HTTP/1.0"), "426", "upgrade: websocket", "HTTP/1.1"),
            (fine.replace("Host: x", "Host: x\r\nOrigin: http://evil.example"), "403", "", "evil.example"),
            (fine.replace("GET", "POST").replace("Host: x", "Host: x\r\nContent-Length: 0"), "405", "allow: GET", "-"),
        ] {
            let answer = said(&server, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
            assert!(answer.contains(field), "{field} {answer}");
            let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
            assert!(body.starts_with("/ws: ") && body.contains(word), "{body}");
        }
        Ok(())
    });
}
