//! The handshake of a server: accepted, rejected, refused.

use std::time::Duration;

use foster::http::{HeaderList, HeaderValue, Response, StatusCode, header};
use foster::testing::serve_http;
use foster::websocket::{Config, Origins, WebSocket, WebSocketError, websocket};
use foster::{Nursery, sleep};

use crate::client::{Client, ask, open, request};
use crate::messages::echo;
use crate::stage::{Log, config, get, paused, reports_of, text, turns};

async fn answer_to(nursery: &Nursery, request: &str, websockets: Config) -> String {
    let server = serve_http(nursery, websocket(websockets, echo), config());
    let peer = server.connect();
    peer.send(request);
    peer.close_write();
    text(peer.read_to_end().await)
}

#[test]
fn what_is_no_handshake_is_refused_with_what_is_missing() {
    paused(async |nursery| {
        let good = request("/", "");
        for (request, status, field) in [
            (get("/"), "426 Upgrade Required", "upgrade: websocket\r\n"),
            (good.replace("13", "8"), "426 Upgrade Required", "sec-websocket-version: 13\r\n"),
            (good.replacen("GET", "POST", 1), "405 Method Not Allowed", "allow: GET\r\n"),
            (good.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), "400 Bad Request", ""),
            (request("/", "Sec-WebSocket-Extensions: =\r\n"), "400 Bad Request", ""),
            (request("/", "Origin: http://elsewhere\r\n"), "403 Forbidden", ""),
        ] {
            let answer = answer_to(&nursery, &request, Config::new()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}{answer}");
            assert!(answer.contains(field), "{request}{answer}");
        }
        Ok(())
    });
}

#[test]
fn pages_of_other_origins_are_let_in_by_policy() {
    paused(async |nursery| {
        let foreign = request("/", "Origin: https://app.example\r\n");
        let listed = Config::new().origins(Origins::list(["https://app.example"])?);
        for websockets in [listed, Config::new().origins(Origins::Any)] {
            let answer = answer_to(&nursery, &foreign, websockets).await;
            assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        }
        let answer = answer_to(&nursery, &request("/", "Origin: http://x\r\n"), Config::new()).await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        Ok(())
    });
}

#[test]
fn a_handler_chooses_the_subprotocol_and_sends_fields_of_its_own() {
    paused(async |nursery| {
        let choosing = async |websocket: WebSocket| {
            assert_eq!(websocket.requested_subprotocols(), ["a", "b"]);
            let mut headers = HeaderList::new();
            headers.append(header::SET_COOKIE, HeaderValue::from_static("seen=1"));
            assert!(matches!(websocket.accept_with(Some("c"), &headers), Err(WebSocketError::State(_))));
            websocket.accept_with(Some("b"), &headers)?;
            assert_eq!(websocket.subprotocol(), Some("b"));
            assert!(websocket.accept_with(None, &headers).is_err());
            // Once more in general is no mistake.
            websocket.accept()?;
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), choosing), config());
        let (client, head) = ask(&server, "/", "Sec-WebSocket-Protocol: a, b\r\n").await;
        assert!(head.contains("sec-websocket-protocol: b\r\n") && head.contains("set-cookie: seen=1\r\n"), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
        client.peer.close();
        Ok(())
    });
}

#[test]
fn the_first_configured_subprotocol_that_is_offered_is_taken() {
    paused(async |nursery| {
        let websockets = Config::new().subprotocols(["v3", "v2", "v1"]);
        let server = serve_http(&nursery, websocket(websockets, echo), config());
        let (one, head) = ask(&server, "/", "Sec-WebSocket-Protocol: v1, v2\r\n").await;
        assert!(head.contains("sec-websocket-protocol: v2\r\n"), "{head}");
        let (two, head) = ask(&server, "/", "Sec-WebSocket-Protocol: v9\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101") && !head.contains("protocol:"), "{head}");
        one.peer.close();
        two.peer.close();
        Ok(())
    });
}

#[test]
fn a_handler_rejects_with_any_response() {
    paused(async |nursery| {
        let rejecting = async |websocket: WebSocket| {
            let mut response = Response::text("no seat");
            response.set_status(StatusCode::IM_A_TEAPOT);
            websocket.reject(response)?;
            assert!(websocket.reject(Response::text("")).is_err());
            assert!(matches!(websocket.send("hello").await, Err(WebSocketError::State(_))));
            assert!(matches!(websocket.receive().await, Err(WebSocketError::State(_))));
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), rejecting), config());
        let client = Client::on(server.connect());
        client.peer.send([request("/", ""), get("/next")].concat());
        client.peer.close_write();
        let answers = text(client.peer.read_to_end().await);
        assert!(answers.starts_with("HTTP/1.1 418 I'm a teapot\r\n"), "{answers}");
        assert!(answers.contains("\r\n\r\nno seat"), "{answers}");
        // The connection goes on with HTTP.
        assert!(answers.contains("HTTP/1.1 426"), "{answers}");
        Ok(())
    });
}

#[test]
fn a_handler_that_ends_without_a_word_has_not_accepted() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), async |_| ()), config());
        let (client, head) = ask(&server, "/", "").await;
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_handler_that_fails_before_it_accepts_is_answered_with_500_and_reported() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let failing = |websocket: WebSocket| async move {
            if websocket.requested_subprotocols().is_empty() {
                return Err(foster::Error::msg("no luck"));
            }
            panic!("no subprotocol")
        };
        let server = serve_http(&nursery, websocket(Config::new(), failing), config());
        let (failed, head) = ask(&server, "/", "").await;
        assert!(head.starts_with("HTTP/1.1 500"), "{head}");
        let (panicked, head) = ask(&server, "/", "Sec-WebSocket-Protocol: a\r\n").await;
        assert!(head.starts_with("HTTP/1.1 500"), "{head}");
        assert_eq!(reports.words(), ["a handler failed: no luck", "a handler panicked: panicked: no subprotocol"]);
        failed.peer.close();
        panicked.peer.close();
        Ok(())
    });
}

#[test]
fn a_client_that_goes_away_before_the_handshake_is_answered_cancels_the_handler() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let slow = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                struct Dropped(Log);
                impl Drop for Dropped {
                    fn drop(&mut self) {
                        self.0.say("dropped");
                    }
                }
                let _dropped = Dropped(said);
                sleep(Duration::from_secs(60)).await;
                websocket.send("too late").await?;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), slow), config());
        let peer = server.connect();
        peer.send(request("/", ""));
        sleep(Duration::from_secs(1)).await;
        peer.reset();
        turns(10).await;
        assert_eq!(log.words(), ["dropped"]);
        assert_eq!(server.stats().n_cancelled, 1);
        Ok(())
    });
}

#[test]
fn an_accepted_websocket_counts_as_a_connection_until_its_end_and_as_a_request_that_is_answered() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let client = open(&server).await;
        let stats = server.stats();
        assert_eq!((stats.n_connections, stats.n_requests_total, stats.n_requests), (1, 1, 0));
        client.peer.close();
        turns(10).await;
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}
