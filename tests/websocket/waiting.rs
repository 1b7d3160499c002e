//! Tasks that wait on a WebSocket: each hears of what it waits for, and of the end, and leaves nothing behind.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use foster::testing::serve_http;
use foster::websocket::{Config, Event, MessageKind, WebSocket, websocket};
use foster::{CancelScope, fail_after, open_nursery, sleep, sleep_forever};
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::client::{ask, open};
use crate::stage::{Log, config, paused, reports_of, turns};

#[test]
fn one_message_goes_to_one_of_many_receivers_also_if_the_first_is_cancelled_when_it_is_woken() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let many = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                websocket.accept()?;
                let first = CancelScope::new();
                open_nursery(async |nursery| {
                    let (scope, websocket_of_first) = (first.clone(), websocket.clone());
                    nursery.start_soon(async move {
                        scope.run(websocket_of_first.receive()).await;
                        Ok(())
                    });
                    for n in 0..3 {
                        let (websocket, said) = (websocket.clone(), said.clone());
                        nursery.start_soon(async move {
                            let message = websocket.receive().await?;
                            said.say(format!("{n} {}", message.as_text().unwrap_or_default()));
                            Ok(())
                        });
                    }
                    turns(3).await;
                    websocket.send("ready").await?;
                    // Cancelled in the turn in which the message comes.
                    while websocket.transport().is_some_and(|_| said.len() == 0) {
                        first.cancel();
                        turns(1).await;
                    }
                    Ok(())
                })
                .await?;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), many), config());
        let client = open(&server).await;
        assert_eq!(client.text_message().await, "ready");
        client.peer.send([client.text("a"), client.text("b"), client.text("c")].concat());
        assert_eq!(client.closed().await.0, 1000);
        let mut words = log.words().iter().map(|word| word[2..].to_owned()).collect::<Vec<_>>();
        words.sort();
        assert_eq!(words, ["a", "b", "c"]);
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_sender_that_waits_for_its_client_hears_of_the_close_frame_at_once() {
    for closes_here in [false, true] {
        paused(async |nursery| {
            let log = Log::default();
            let said = log.clone();
            let sending = move |websocket: WebSocket| {
                let said = said.clone();
                async move {
                    websocket.accept()?;
                    turns(5).await;
                    websocket.send(vec![0; 1_000_000]).await?;
                    let begun = Instant::now();
                    open_nursery(async |nursery| {
                        let sender = websocket.clone();
                        nursery.start_soon(async move {
                            let err = sender.send("more").await.expect_err("an end");
                            said.say(format!("{err} after {:?}", begun.elapsed()));
                            Ok(())
                        });
                        turns(3).await;
                        if closes_here {
                            websocket.close(1000, "").await?;
                        } else {
                            websocket.receive().await.expect_err("a close frame");
                        }
                        Ok(())
                    })
                    .await?;
                    foster::Ok(())
                }
            };
            let server = serve_http(&nursery, websocket::<_, _>(Config::new(), sending), config());
            let (client, _) = ask(&server, "/", "").await;
            client.peer.set_capacity(1000);
            turns(10).await;
            if !closes_here {
                client.send_close(4000, "");
            }
            sleep(Duration::from_secs(60)).await;
            let code = if closes_here { 1006 } else { 4000 };
            assert_eq!(log.words(), [format!("the WebSocket is closed: {code} after 0ns")]);
            Ok(())
        });
    }
}

#[test]
fn a_ping_fails_once_the_client_has_vanished_also_behind_messages_that_nobody_takes() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let pinging = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                let err = websocket.ping().await.expect_err("no pong");
                said.say(err.to_string());
                sleep_forever().await;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), pinging), config());
        let client = open(&server).await;
        for _ in 0..50 {
            client.send("one of many");
        }
        turns(5).await;
        client.peer.close();
        turns(10).await;
        assert_eq!(log.words(), ["the WebSocket is closed: 1006"]);
        Ok(())
    });
}

#[test]
fn a_ping_waits_while_its_client_does_not_read() {
    paused(async |nursery| {
        let pinging = |websocket: WebSocket| async move {
            websocket.accept()?;
            turns(5).await;
            websocket.send(vec![0; 1_000_000]).await?;
            for _ in 0..10_000 {
                assert_eq!(websocket.ping().now_or_never(), None);
            }
            websocket.receive().await?;
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket::<_, _>(Config::new(), pinging), config());
        let (client, _) = ask(&server, "/", "").await;
        client.peer.set_capacity(1000);
        turns(10).await;
        client.peer.set_capacity(1 << 30);
        client.send("enough");
        let mut n_pings = 0;
        loop {
            match client.event().await.expect("an event") {
                Event::Ping(_) => n_pings += 1,
                Event::Close(_) => break,
                _ => {}
            }
        }
        assert!(n_pings < 10, "{n_pings}");
        client.peer.close();
        Ok(())
    });
}

struct Plain;

impl Wake for Plain {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_wait_for_the_end_that_is_dropped_leaves_no_waker() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let waiting = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                websocket.accept()?;
                let plain = Arc::new(Plain);
                for _ in 0..100 {
                    let mut closed = pin!(websocket.closed());
                    assert!(closed.as_mut().poll(&mut Context::from_waker(&plain.clone().into())).is_pending());
                    // Another waker of the same.
                    let other = Waker::from(Arc::new(Plain));
                    assert!(closed.as_mut().poll(&mut Context::from_waker(&other)).is_pending());
                    assert!(closed.poll(&mut Context::from_waker(&plain.clone().into())).is_pending());
                }
                said.say(Arc::strong_count(&plain).to_string());
                let code = websocket.closed().await.received.code;
                said.say(code.to_string());
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), waiting), config());
        let client = open(&server).await;
        client.send_close(4000, "");
        client.ended_after_close().await;
        assert_eq!(log.words(), ["1", "4000"]);
        Ok(())
    });
}

thread_local! {
    static ASKED: RefCell<Option<WebSocket>> = const { RefCell::new(None) };
}

/// A waker that uses the WebSocket while it is woken, and while it is dropped.
struct Nosy;

impl Nosy {
    fn ask(&self) {
        let websocket = ASKED.with_borrow(Clone::clone);
        if let Some(mut websocket) = websocket {
            let _ = websocket.closed().now_or_never();
            let _ = websocket.send("from a waker").now_or_never();
            let _ = websocket.ping().now_or_never();
            let _ = websocket.next().now_or_never();
        }
    }
}

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        self.ask();
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.ask();
    }
}

#[test]
fn a_waker_may_use_the_websocket_while_it_is_woken_or_dropped() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let polling = async |websocket: WebSocket| {
            websocket.accept()?;
            ASKED.set(Some(websocket.clone()));
            let mut writer = websocket.start_message(MessageKind::Text).await?;
            let nosy = || Waker::from(Arc::new(Nosy));
            {
                let mut waits = (
                    pin!(websocket.closed()),
                    pin!(websocket.receive()),
                    pin!(websocket.ping()),
                    pin!(websocket.send("behind")),
                );
                for _ in 0..3 {
                    assert!(waits.0.as_mut().poll(&mut Context::from_waker(&nosy())).is_pending());
                    assert!(waits.1.as_mut().poll(&mut Context::from_waker(&nosy())).is_pending());
                    assert!(waits.2.as_mut().poll(&mut Context::from_waker(&nosy())).is_pending());
                    assert!(waits.3.as_mut().poll(&mut Context::from_waker(&nosy())).is_pending());
                }
                writer.write(b"whole").await?;
                writer.finish()?;
            }
            fail_after(Duration::from_secs(5), async { while websocket.receive().await.is_ok() {} }).await?;
            ASKED.set(None);
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), polling), config());
        let client = open(&server).await;
        client.send("message");
        while let Some(Event::Ping(_)) = client.event().await {}
        client.send_close(1000, "");
        while client.event().await.is_some() {}
        assert_eq!(reports.words(), [] as [&str; 0]);
        Ok(())
    });
}
