//! What a mounted handler answers, and what of the application is none of its.

use std::time::Duration;

use foster::app::{App, has_app_context, websocket};
use foster::http::{Limits, Response, ResponseBody};
use foster::testing::serve_http;
use foster::websocket::{self as ws, Config};
use foster::{Error, Request, Result};
use futures::StreamExt;

use crate::client::{ask, request};
use crate::stage::{config, get, paused, post, reports_of, text, turns};
use crate::{in_memory, said};

#[test]
fn hooks_and_handlers_of_errors_of_the_application_are_not_for_it() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let mut app = App::new();
        app.before_request(async || Some("of the application"));
        app.after_request(async |response: Response| response.header("x-after".parse().unwrap(), "1".parse().unwrap()));
        app.errorhandler(500, async |_| "of the application");
        app.get("/", async || "never called");
        app.mount("/fine", async |_: Request| {
            assert!(!has_app_context());
            "of its own"
        });
        app.mount("/fails", async |_: Request| Err::<Response, _>(Error::msg("as asked")));
        app.mount("/panics", async |_: Request| -> Response { panic!("as asked") });
        let server = in_memory(&nursery, app);
        let answer = said(&server, get("/")).await;
        assert!(answer.contains("\r\nx-after: 1\r\n") && answer.ends_with("\r\n\r\nof the application"), "{answer}");
        let answer = said(&server, get("/fine")).await;
        assert!(!answer.contains("x-after") && answer.ends_with("\r\n\r\nof its own"), "{answer}");
        for path in ["/fails", "/panics"] {
            let answer = said(&server, get(path)).await;
            assert!(answer.starts_with("HTTP/1.1 500 ") && !answer.contains("of the application"), "{answer}");
        }
        assert_eq!(reports.words(), ["a mounted handler failed: as asked", "a handler panicked: panicked: as asked"]);
        assert_eq!(server.stats().n_failed, 2);
        Ok(())
    });
}

#[test]
fn bodies_stream_through_both_ways() {
    paused(async |nursery| {
        let mut app = App::new();
        app.mount("/upper", async |mut request: Request| {
            let body = std::mem::take(request.body_mut());
            ResponseBody::stream(body.map(|piece| foster::Ok(piece?.to_ascii_uppercase().into())))
        });
        let server = in_memory(&nursery, app);
        let peer = server.connect();
        peer.send("POST /upper HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in ["abc", "def"] {
            peer.send(format!("3\r\n{piece}\r\n"));
            let echoed = async {
                let mut came = String::new();
                while !came.ends_with(&format!("3\r\n{}\r\n", piece.to_uppercase())) {
                    came += &text(peer.read().await);
                }
            };
            foster::fail_after(Duration::from_secs(1), echoed).await?;
        }
        peer.send("0\r\n\r\n");
        assert_eq!(text(peer.read().await), "0\r\n\r\n");
        Ok(())
    });
}

#[test]
fn the_limit_of_bodies_is_that_of_the_server_unless_the_handler_has_its_own() {
    paused(async |nursery| {
        let mut own = App::new();
        own.max_content_length(Some(6));
        own.post("/", async |body: String| body);
        let mut app = App::new();
        app.max_content_length(Some(1000));
        app.post("/", async |body: String| body);
        app.mount("/plain", async |mut request: Request| -> Result<String> { Ok(request.body_mut().text().await?) });
        app.mount("/own", own.into_handler()?);
        let limits = Limits::default().max_body_size(Some(4));
        let server = serve_http(&nursery, app.into_handler()?, config().limits(limits));
        let chunked = |path: &str, body: &str| {
            let n = body.len();
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{n:x}\r\n{body}\r\n0\r\n\r\n")
        };
        for (path, n, status) in [
            ("/plain", 4, 200),
            ("/plain", 5, 413),
            ("/own", 6, 200),
            ("/own", 7, 413),
            ("/", 1000, 200),
            ("/", 1001, 413),
        ] {
            let body = "x".repeat(n);
            for request in [post(path, &body), chunked(path, &body)] {
                let answer = said(&server, request).await;
                assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {n}: {answer}");
            }
        }
        Ok(())
    });
}

#[test]
fn websockets_of_a_handler_and_of_an_application_are_opened() {
    paused(async |nursery| {
        let mut inner = App::new();
        inner.websocket("/echo", async || -> Result<()> {
            let path = websocket().request().path().to_owned();
            websocket().send(format!("{path} below {}", websocket().request().root_path())).await?;
            websocket().send(websocket().receive().await?).await?;
            Ok(())
        });
        let mut app = App::new();
        app.before_websocket(async || Some(("of the application", 403)));
        app.mount("/inner", inner.into_handler()?);
        app.mount(
            "/plain",
            ws::websocket(Config::new(), async |websocket: ws::WebSocket| -> Result<()> {
                websocket.accept()?;
                let target = websocket.head().map(|head| head.target().to_owned());
                websocket.send(target.unwrap_or_default()).await?;
                Ok(())
            }),
        );
        let server = in_memory(&nursery, app);
        let (client, head) = ask(&server, "/inner/echo", "").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(client.text_message().await, "/echo below /inner");
        client.send("x");
        assert_eq!(client.text_message().await, "x");
        assert_eq!(client.closed().await.0, 1000);
        let (client, head) = ask(&server, "/plain?a", "").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(client.text_message().await, "/?a");
        let refused = said(&server, request("/inner/nothing", "Connection: close\r\n")).await;
        assert!(refused.starts_with("HTTP/1.1 404 "), "{refused}");
        turns(5).await;
        Ok(())
    });
}
