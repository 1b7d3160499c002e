//! WebSockets in tests.

use foster::app::testing::{TestClientError, WebSocketResponseError};
use foster::app::{App, Request, WebSocket, abort};
use foster::http::{HeaderList, HeaderValue, Response, StatusCode, header};
use foster::websocket::{Config, Message, WebSocketError};
use foster::{Nursery, ValueError, sleep};
use futures::FutureExt;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use crate::client_of;
use crate::stage::{Log, paused, reports_of};

async fn echo(websocket: WebSocket) -> foster::Result<()> {
    loop {
        websocket.send(websocket.receive().await?).await?;
    }
}

fn app(app: &mut App) {
    app.websocket("/echo", echo);
    app.get("/http", async || "x");
    app.websocket("/head", async |websocket: WebSocket| -> foster::Result<()> {
        let request = websocket.request();
        let fields = ["host", "x-a", "cookie", "authorization"];
        let fields = fields.map(|name| request.headers().get(name).unwrap_or("-").to_owned()).join(" ");
        let addr = request.remote_addr().unwrap();
        let port = addr.port().unwrap();
        let target = request.head().target();
        websocket.send(format!("{} {target} {fields} {}", request.scheme(), port == 9)).await?;
        Ok(())
    });
    app.websocket("/protocol", async |websocket: WebSocket| -> foster::Result<()> {
        websocket.accept_with(Some("b"), &HeaderList::new())?;
        websocket.send_json(&json!({ "protocol": websocket.subprotocol() })).await?;
        Ok(())
    });
    app.websocket("/reject", async |_: WebSocket| {
        let mut response = Response::text("not today").with_status(StatusCode::FORBIDDEN);
        response.set_cookie(("seen", "1")).unwrap();
        Some(response.header(header::RETRY_AFTER, HeaderValue::from_static("60")))
    });
    app.websocket("/abort", async |_: WebSocket| -> foster::Result<()> { Err(abort(401).into()) });
    app.websocket("/fail/<when>", async |websocket: WebSocket| -> foster::Result<()> {
        if websocket.request().path() == "/fail/late" {
            websocket.accept()?;
            sleep(Duration::from_secs(1)).await;
        }
        Err(ValueError::new("seven").into())
    });
    app.websocket("/panic/<when>", async |websocket: WebSocket| -> foster::Result<()> {
        if websocket.request().path() == "/panic/late" {
            websocket.accept()?;
        }
        panic!("the view has panicked")
    });
}

#[test]
fn messages_go_both_ways() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let websocket = client.websocket("/echo").await?;
        websocket.send("hello").await?;
        assert_eq!(websocket.receive().await?, Message::text("hello"));
        websocket.send(vec![1, 2]).await?;
        assert_eq!(websocket.receive().await?, Message::binary(vec![1, 2]));
        websocket.send_json(&json!([1])).await?;
        assert_eq!(websocket.receive_json::<Value>().await?, json!([1]));
        // More than the buffers in between hold.
        let large = "x".repeat(1024 * 1024);
        websocket.send(large.as_str()).await?;
        assert_eq!(websocket.receive().await?, Message::text(large.as_str()));
        let closed = websocket.close(1000, "bye").await?;
        assert_eq!(u16::from(closed.received.code), 1000);
        let err = websocket.receive().await.unwrap_err();
        assert!(matches!(err.downcast_ref(), Some(WebSocketError::Closed(_))), "{err}");
        Ok(())
    });
}

#[test]
fn what_a_test_says_of_a_websocket_arrives() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        client.set_cookie(("c", "1"))?;
        let plain = client.websocket("/head").await?;
        assert_eq!(plain.receive().await?, Message::text("ws /head localhost - c=1 - false"));
        let addr: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let posed = client.websocket("/head").query_string([("a", "b")]).header("X-A", "1").host("localhost:81");
        let posed = posed.auth("a", "b").scheme("wss").remote_addr(addr).await?;
        let expected = "wss /head?a=b localhost:81 1 c=1 Basic YTpi true";
        assert_eq!(posed.receive().await?, Message::text(expected));
        Ok(())
    });
}

#[test]
fn subprotocols_are_agreed_on() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let websocket =
            client.websocket("/protocol").subprotocols(["a", "b"]).config(Config::new().subprotocols(["b"]));
        let websocket = websocket.await?;
        assert_eq!(websocket.subprotocol(), Some("b"));
        assert_eq!(websocket.receive_json::<Value>().await?, json!({ "protocol": "b" }));
        Ok(())
    });
}

#[test]
fn a_rejection_has_its_response() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let err = client.websocket("/reject").await.unwrap_err();
        let rejection: &WebSocketResponseError = err.downcast_ref().expect("a response");
        assert_eq!((rejection.status_code().as_u16(), rejection.text().as_str()), (403, "not today"));
        assert_eq!(rejection.header("Retry-After"), Some("60"));
        assert_eq!(client.get_cookie("seen").unwrap().value(), "1");
        for (path, status) in [("/abort", 401), ("/none", 404), ("/http", 400)] {
            let err = client.websocket(path).await.unwrap_err();
            let rejection: &WebSocketResponseError = err.downcast_ref().expect("a response");
            assert_eq!(rejection.status_code(), status, "{path}");
        }
        let foreign = client.websocket("/echo").header("origin", "http://example.org").await.unwrap_err();
        assert_eq!(foreign.downcast_ref::<WebSocketResponseError>().unwrap().status_code(), 403);
        Ok(())
    });
}

#[test]
fn the_failure_of_a_view_is_that_of_its_websocket() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        assert_eq!(client.websocket("/fail/early").await.unwrap_err().to_string(), "seven");
        let late = client.websocket("/fail/late").await?;
        assert!(late.receive().await.unwrap_err().is::<ValueError>());
        // It is told once.
        assert!(late.receive().await.unwrap_err().is::<WebSocketError>());
        let panic = AssertUnwindSafe(client.websocket("/panic/early").open()).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("the view has panicked"));
        let late = client.websocket("/panic/late").await?;
        let panic = AssertUnwindSafe(late.receive()).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("the view has panicked"));
        Ok(())
    });
}

#[test]
fn failures_may_be_what_a_client_sees_of_them() {
    paused(async |nursery: Nursery| {
        let reports = reports_of(&nursery);
        let client = client_of(&nursery, app);
        client.propagate_errors(false);
        let early = client.websocket("/fail/early").await.unwrap_err();
        assert_eq!(early.downcast_ref::<WebSocketResponseError>().unwrap().status_code(), 500);
        let late = client.websocket("/fail/late").await?;
        let err = late.receive().await.unwrap_err();
        let closed = err.downcast_ref::<WebSocketError>().and_then(WebSocketError::closed).expect("it is closed");
        assert_eq!(u16::from(closed.received.code), 1011);
        late.closed().await;
        sleep(Duration::from_secs(1)).await;
        assert!(reports.words().iter().filter(|word| word.ends_with("seven")).count() >= 2, "{:?}", reports.words());
        Ok(())
    });
}

#[test]
fn who_goes_away_is_noticed() {
    paused(async |nursery: Nursery| {
        let log = Log::default();
        let of_view = log.clone();
        let client = client_of(&nursery, move |app| {
            app.websocket("/", async move |websocket: WebSocket| -> foster::Result<()> {
                let err = websocket.receive().await.unwrap_err();
                let code = err.closed().map_or(0, |closed| u16::from(closed.received.code));
                of_view.say(code.to_string());
                Err(err.into())
            });
        });
        let websocket = client.websocket("/").await?;
        websocket.disconnect().await?;
        let websocket = client.websocket("/").await?;
        websocket.close(4000, "enough").await?;
        drop(client.websocket("/").await?);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(log.words(), ["1006", "4000", "1000"]);
        Ok(())
    });
}

#[test]
fn a_wrong_request_for_a_websocket_is_an_error() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let err = client.websocket("no/slash").await.unwrap_err();
        assert_eq!(err.downcast_ref::<TestClientError>(), Some(&TestClientError::Path("no/slash".to_owned())));
        for name in ["upgrade", "connection", "sec-websocket-key", "content-length"] {
            assert!(client.websocket("/echo").header(name, "1").await.is_err(), "{name}");
        }
        assert!(client.websocket("/echo").subprotocols(["a b"]).await.is_err());
        let answered = client.get("/echo").await?;
        assert_eq!(answered.status_code(), 400);
        Ok(())
    });
}

#[test]
fn a_request_of_get_opens_no_websocket() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, |app| {
            app.get("/", async |request: Request| request.is_websocket().to_string());
        });
        let request = client.get("/").header("upgrade", "h2c").header("connection", "upgrade");
        assert_eq!(request.await?.text().await?, "false");
        Ok(())
    });
}

#[test]
fn many_websockets_are_open_at_once() {
    paused(async |nursery: Nursery| {
        let client = client_of(&nursery, app);
        let mut open = Vec::new();
        for _ in 0..50 {
            open.push(client.websocket("/echo").await?);
        }
        for (n, websocket) in open.iter().enumerate() {
            websocket.send(n.to_string()).await?;
        }
        for (n, websocket) in open.iter().enumerate() {
            assert_eq!(websocket.receive().await?, Message::text(n.to_string()));
        }
        client.shutdown().await?;
        for websocket in &open {
            let err = websocket.receive().await.unwrap_err();
            let closed = err.downcast_ref::<WebSocketError>().and_then(WebSocketError::closed).expect("it is closed");
            assert_eq!(u16::from(closed.received.code), 1001);
        }
        Ok(())
    });
}
