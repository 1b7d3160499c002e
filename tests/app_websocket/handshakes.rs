//! The handshake: accepted, by itself or with more, and rejected with whichever response.

use bytes::Bytes;
use foster::app::{App, WebSocket, request, websocket};
use foster::http::{HeaderList, HeaderValue, Response, ResponseBody, StatusCode, header};
use foster::websocket::Config;
use foster::{Error, Result};

use crate::client::ask;
use crate::site::{in_memory, open_at, refused};
use crate::stage::{paused, reports_of, turns};

#[test]
fn whatever_is_done_first_accepts() {
    paused(async |nursery| {
        let mut app = App::new();
        app.websocket("/accept", async || websocket().accept());
        app.websocket("/send", async || websocket().send("x").await);
        app.websocket("/receive", async || websocket().receive().await.map(drop));
        app.websocket("/close", async || websocket().close(1000, "").await.map(drop));
        app.websocket("/ping", async || websocket().ping().await.map(drop));
        app.websocket("/handle", async || websocket().handle().send_json(&[1, 2]).await);
        let server = in_memory(&nursery, app);
        for path in ["/accept", "/send", "/receive", "/close", "/ping", "/handle"] {
            open_at(&server, path).await;
        }
        Ok(())
    });
}

#[test]
fn what_is_only_looked_at_does_not_accept() {
    paused(async |nursery| {
        let mut app = App::new();
        app.websocket("/", async |ws: WebSocket| {
            assert_eq!(ws.requested_subprotocols(), ["b", "a"]);
            assert_eq!((ws.subprotocol(), ws.is_open(), ws.transport().is_none()), (None, false, true));
            assert!(ws.request().is_websocket() && request().headers().contains("sec-websocket-key"));
            Some(("no", 402))
        });
        let server = in_memory(&nursery, app);
        let answer = refused(&server, "/", "Sec-WebSocket-Protocol: b, a\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 402 Payment Required\r\n") && answer.ends_with("no"), "{answer}");
        Ok(())
    });
}

#[test]
fn it_is_accepted_with_a_subprotocol_and_header_fields() {
    paused(async |nursery| {
        let mut app = App::new();
        app.websocket("/", async |ws: WebSocket| {
            let mut headers = HeaderList::new();
            headers.append(header::SET_COOKIE, HeaderValue::from_static("a=b"));
            assert!(ws.accept_with(Some("c"), &headers).is_err(), "it was not asked for");
            ws.accept_with(Some("a"), &headers)?;
            assert!(ws.accept_with(None, &headers).is_err(), "it is accepted");
            ws.send(ws.subprotocol().unwrap_or_default()).await?;
            foster::Ok(())
        });
        let server = in_memory(&nursery, app);
        let (client, head) = ask(&server, "/", "Sec-WebSocket-Protocol: b, a\r\n").await;
        assert!(
            head.contains("\r\nsec-websocket-protocol: a\r\n") && head.contains("\r\nset-cookie: a=b\r\n"),
            "{head}"
        );
        assert_eq!(client.text_message().await, "a");
        Ok(())
    });
}

#[test]
fn a_response_before_it_is_accepted_answers_the_handshake() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let mut app = App::new();
        app.websocket("/tuple", async || Some(("members only", 403)));
        app.websocket("/response", async || {
            Some(
                Response::text("go in")
                    .with_status(StatusCode::UNAUTHORIZED)
                    .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic")),
            )
        });
        app.websocket("/reject", async |ws: WebSocket| {
            ws.reject(Response::text("by hand"))?;
            assert!(ws.send("x").await.is_err() && ws.reject(Response::text("again")).is_err());
            foster::Ok(())
        });
        app.websocket("/stream", async || {
            Some(ResponseBody::stream(futures::stream::iter(
                ["in ", "pieces"].map(|piece| foster::Ok(Bytes::from(piece))),
            )))
        });
        app.websocket("/nothing", async || ());
        app.websocket("/result", async || Ok::<_, Error>(Some("as a value")));
        let server = in_memory(&nursery, app);
        for (path, status, body) in [
            ("/tuple", "403 Forbidden", "members only"),
            (
                "/response",
                "401 Unauthorized\r\ncontent-type: text/plain; charset=utf-8\r\nwww-authenticate: Basic",
                "go in",
            ),
            ("/reject", "200 OK", "by hand"),
            ("/stream", "200 OK", "3\r\nin \r\n6\r\npieces\r\n0\r\n\r\n"),
            ("/nothing", "403 Forbidden", "<h1>Forbidden</h1>\n<p>The WebSocket was not accepted.</p>\n"),
            ("/result", "200 OK", "as a value"),
        ] {
            let answer = refused(&server, path, "").await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}\r\n")) && answer.ends_with(body),
                "{path}: {answer}"
            );
        }
        turns(5).await;
        assert_eq!(reports.words(), [] as [&str; 0]);
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}

#[test]
fn a_route_may_have_limits_of_its_own() {
    paused(async |nursery| {
        let mut app = App::new();
        app.websocket_config(Config::new().max_message_size(Some(10)).subprotocols(["app"]));
        let echo = async || -> Result<()> {
            loop {
                websocket().send(websocket().receive().await?).await?;
            }
        };
        app.websocket("/small", echo);
        app.websocket("/large", echo).websocket_config(Config::new().max_message_size(Some(1000)));
        let server = in_memory(&nursery, app);
        let (client, head) = ask(&server, "/small", "Sec-WebSocket-Protocol: app\r\n").await;
        assert!(head.contains("sec-websocket-protocol: app"), "{head}");
        client.send(&"x".repeat(11));
        assert_eq!(client.closed().await.0, 1009);
        let (client, head) = ask(&server, "/large", "Sec-WebSocket-Protocol: app\r\n").await;
        assert!(!head.contains("sec-websocket-protocol"), "{head}");
        client.send(&"x".repeat(1000));
        assert_eq!(client.text_message().await.len(), 1000);
        client.send(&"x".repeat(1001));
        assert_eq!(client.closed().await.0, 1009);
        Ok(())
    });
}
