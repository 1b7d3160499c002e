//! Ends that cross: close frames of both sides, clients that end their stream, and messages that nobody has taken yet.

use std::time::Duration;

use foster::http::Response;
use foster::testing::serve_http;
use foster::websocket::{Config, WebSocket, WebSocketError, websocket};
use foster::{CancelScope, open_nursery, sleep, sleep_forever};
use tokio::time::Instant;

use crate::client::{ask, open, request};
use crate::messages::echo;
use crate::stage::{Log, config, paused, turns};

#[test]
fn a_client_that_closes_and_ends_its_stream_has_its_close_frame_answered() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let late = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                websocket.accept()?;
                sleep(Duration::from_secs(1)).await;
                loop {
                    match websocket.receive().await {
                        Ok(message) => said.say(message.as_text().unwrap_or_default()),
                        Err(err) => {
                            said.say(err.to_string());
                            return Err::<(), _>(err.into());
                        }
                    }
                }
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), late), config());
        let client = open(&server).await;
        client.send("m0");
        client.send("m1");
        client.send_close(4000, "bye");
        client.peer.close_write();
        assert_eq!(client.closed().await, (4000, "bye".to_owned()));
        client.ended().await;
        sleep(Duration::from_secs(2)).await;
        assert_eq!(log.words(), ["m0", "m1", "the WebSocket is closed: 4000 (bye)"]);
        Ok(())
    });
}

#[test]
fn both_close_frames_end_the_connection_though_messages_wait() {
    for client_is_first in [false, true] {
        paused(async |nursery| {
            let log = Log::default();
            let said = log.clone();
            let closing = move |websocket: WebSocket| {
                let said = said.clone();
                async move {
                    websocket.accept()?;
                    sleep(Duration::from_secs(1)).await;
                    let begun = Instant::now();
                    let closed = websocket.close(4001, "").await?;
                    said.say(format!("{} after {:?}", closed.received.code, begun.elapsed()));
                    while let Ok(message) = websocket.receive().await {
                        said.say(message.as_text().unwrap_or_default());
                    }
                    foster::Ok(())
                }
            };
            let server = serve_http(&nursery, websocket(Config::new(), closing), config());
            let client = open(&server).await;
            client.send("m0");
            client.send("m1");
            if client_is_first {
                client.send_close(4000, "");
            }
            assert_eq!(client.closed().await.0, 4001);
            if !client_is_first {
                client.send_close(4000, "");
            }
            client.ended().await;
            assert_eq!(log.words(), ["4000 after 0ns", "m0", "m1"]);
            Ok(())
        });
    }
}

#[test]
fn a_stop_cuts_nobody_short_whose_messages_wait() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let late = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                websocket.accept()?;
                sleep(Duration::from_secs(5)).await;
                let mut n = 0;
                loop {
                    match websocket.receive().await {
                        Ok(_) => n += 1,
                        Err(err) => {
                            said.say(format!("{n} messages, then {err}"));
                            return Err::<(), _>(err.into());
                        }
                    }
                }
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), late), config());
        let client = open(&server).await;
        server.shutdown();
        assert_eq!(client.closed().await.0, 1001);
        let frame = client.text(&"x".repeat(1000));
        for _ in 0..2000 {
            client.peer.send(&frame);
        }
        client.answer_close();
        client.ended().await;
        turns(5).await;
        assert_eq!(log.words(), ["2000 messages, then the WebSocket is closed: 1001"]);
        Ok(())
    });
}

#[test]
fn with_no_time_to_close_a_client_that_has_closed_is_not_waited_for() {
    paused(async |nursery| {
        let deaf = async |websocket: WebSocket| {
            websocket.accept()?;
            sleep_forever().await;
            foster::Ok(())
        };
        let websockets = Config::new().close_timeout(Duration::ZERO).ping_interval(None);
        let server = serve_http(&nursery, websocket(websockets, deaf), config());
        let client = open(&server).await;
        let begun = Instant::now();
        client.send("nobody takes it");
        client.send_close(1000, "");
        client.ended_after_close().await;
        turns(20).await;
        assert_eq!((begun.elapsed(), server.stats().n_connections), (Duration::ZERO, 0));
        Ok(())
    });
}

#[test]
fn a_websocket_that_was_never_accepted_ends_with_its_handler() {
    for is_cancelled in [false, true] {
        paused(async |nursery| {
            let (log, scope) = (Log::default(), CancelScope::new());
            let (said, inner) = (log.clone(), scope.clone());
            let handler_nursery = nursery.clone();
            let rejecting = move |websocket: WebSocket| {
                let (said, nursery) = (said.clone(), handler_nursery.clone());
                async move {
                    let other = websocket.clone();
                    nursery.start_soon(async move {
                        other.closed().await;
                        said.say(other.send("late").await.expect_err("an end").to_string());
                        Ok(())
                    });
                    if is_cancelled {
                        sleep_forever().await;
                    }
                    websocket.reject(Response::text("no"))?;
                    foster::Ok(())
                }
            };
            let served = scope.run(open_nursery(async |nursery| {
                let server = serve_http(&nursery, websocket(Config::new(), rejecting), config());
                let peer = server.connect();
                peer.send(request("/", ""));
                turns(5).await;
                inner.cancel();
                sleep_forever().await;
                Ok(())
            }));
            assert!(served.await.is_none());
            turns(5).await;
            assert_eq!(log.words(), ["the WebSocket is closed: 1006"]);
            Ok(())
        });
    }
}

#[test]
fn a_websocket_whose_handler_was_cancelled_cannot_be_accepted_any_more() {
    paused(async |nursery| {
        let log = Log::default();
        let (said, handler_nursery) = (log.clone(), nursery.clone());
        let impatient = move |request: foster::Request| {
            let (said, nursery) = (said.clone(), handler_nursery.clone());
            async move {
                let handler = async |websocket: WebSocket| {
                    let other = websocket.clone();
                    nursery.start_soon(async move {
                        sleep(Duration::from_secs(2)).await;
                        assert!(matches!(other.accept_with(None, &Default::default()), Err(WebSocketError::State(_))));
                        said.say(other.receive().await.expect_err("an end").to_string());
                        Ok(())
                    });
                    sleep_forever().await;
                };
                let websockets = Config::new();
                let upgrading = foster::websocket::upgrade(request, &websockets, handler);
                let answer = foster::move_on_after(Duration::from_secs(1), upgrading).await;
                sleep(Duration::from_secs(2)).await;
                answer.unwrap_or_else(|| Ok(Response::text("too slow")))
            }
        };
        let server = serve_http(&nursery, impatient, config());
        let (client, head) = ask(&server, "/", "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(log.words(), ["the WebSocket is closed: 1006"]);
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_request_for_a_websocket_with_a_body_that_is_still_coming_is_refused() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let (client, head) = ask(&server, "/", "Content-Length: 5\r\n").await;
        assert!(head.starts_with("HTTP/1.1 400"), "{head}");
        client.peer.close();
        Ok(())
    });
}
