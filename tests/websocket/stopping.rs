//! Servers that stop while WebSockets are open.

use std::time::Duration;

use foster::testing::serve_http;
use foster::websocket::{Config, WebSocket, websocket};
use foster::{CancelScope, Config as ServerConfig, open_nursery, serve, sleep, sleep_forever};
use tokio::time::Instant;

use crate::client::{open, request};
use crate::messages::echo;
use crate::stage::{Log, config, paused, real, turns};

#[test]
fn everybody_is_told_1001_when_the_server_begins_to_stop() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let talking = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                websocket.accept()?;
                let err = websocket.receive().await.expect_err("the end");
                said.say(err.to_string());
                Err::<(), _>(err.into())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), talking), config());
        let clients = [open(&server).await, open(&server).await];
        server.shutdown();
        for client in &clients {
            assert_eq!(client.closed().await, (1001, String::new()));
            client.answer_close();
            client.ended().await;
        }
        turns(5).await;
        assert_eq!(log.words(), ["the WebSocket is closed: 1001"; 2]);
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}

#[test]
fn a_websocket_that_is_accepted_while_the_server_stops_is_told_at_once() {
    paused(async |nursery| {
        let slow = async |websocket: WebSocket| {
            sleep(Duration::from_secs(1)).await;
            echo(websocket).await
        };
        let server = serve_http(&nursery, websocket(Config::new(), slow), config());
        let client = crate::client::Client::on(server.connect());
        client.peer.send(request("/", ""));
        turns(5).await;
        server.shutdown();
        assert!(client.read_head().await.starts_with("HTTP/1.1 101"));
        assert_eq!(client.closed().await.0, 1001);
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_handler_that_cleans_up_for_too_long_is_cancelled_with_its_server() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let scope = CancelScope::new();
        let inner = scope.clone();
        let busy = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                struct Dropped(Log);
                impl Drop for Dropped {
                    fn drop(&mut self) {
                        self.0.say("dropped");
                    }
                }
                websocket.accept()?;
                let _dropped = Dropped(said);
                sleep_forever().await;
                foster::Ok(())
            }
        };
        let begun = Instant::now();
        let cancelled = scope
            .run(open_nursery(async |nursery| {
                let server = serve_http(&nursery, websocket(Config::new(), busy), config());
                let client = open(&server).await;
                sleep(Duration::from_secs(1)).await;
                client.peer.close();
                sleep(Duration::from_secs(1)).await;
                inner.cancel();
                sleep_forever().await;
                Ok(())
            }))
            .await;
        assert!(cancelled.is_none());
        assert_eq!(log.words(), ["dropped"]);
        assert_eq!(begun.elapsed().as_secs(), 2);
        drop(nursery);
        Ok(())
    });
}

#[test]
fn a_server_that_is_cancelled_cancels_the_handlers_of_open_websockets() {
    paused(async |_nursery| {
        let scope = CancelScope::new();
        let inner = scope.clone();
        let begun = Instant::now();
        let cancelled = scope
            .run(open_nursery(async |nursery| {
                let deaf = async |websocket: WebSocket| {
                    websocket.accept()?;
                    sleep_forever().await;
                    foster::Ok(())
                };
                let server = serve_http(&nursery, websocket(Config::new(), deaf), config());
                let _client = open(&server).await;
                sleep(Duration::from_secs(1)).await;
                inner.cancel();
                sleep_forever().await;
                Ok(())
            }))
            .await;
        assert!(cancelled.is_none());
        assert_eq!(begun.elapsed().as_secs(), 1);
        Ok(())
    });
}

#[test]
fn a_handler_that_ignores_the_stop_is_cancelled_after_graceful_timeout() {
    real(async |nursery| {
        let deaf = async |websocket: WebSocket| {
            websocket.accept()?;
            sleep_forever().await;
            foster::Ok(())
        };
        let config = ServerConfig::new().bind("127.0.0.1:0").graceful_timeout(Duration::from_millis(200));
        let (sender, receiver) = futures::channel::oneshot::channel();
        let serving = serve(websocket(Config::new(), deaf), config).on_serving(|server| drop(sender.send(server)));
        nursery.start_soon(async move {
            let server = receiver.await.expect("a server that serves");
            let address = server.addresses().first().cloned().expect("an address");
            let client = foster::open_nursery(async |nursery| {
                let url = format!("ws://{address}/");
                let websocket = foster::websocket::connect(&nursery, url).await?;
                let begun = Instant::now();
                server.shutdown();
                let closed = websocket.closed().await;
                assert_eq!(u16::from(closed.received.code), 1001);
                assert!(begun.elapsed() < Duration::from_secs(5));
                Ok(())
            });
            client.await.map(drop).map_err(Into::into)
        });
        let begun = Instant::now();
        serving.await?;
        // Not the 10 s that a handler has to end after its connection was lost.
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        Ok(())
    });
}
