//! Peers that send too much, or read too little.

use std::time::Duration;

use foster::testing::serve_http;
use foster::websocket::{CloseCode, Config, WebSocket, WebSocketError, websocket};
use foster::{Handler, sleep, sleep_forever};

use crate::client::open;
use crate::stage::{Log, config, paused, turns};

/// A handler that receives nothing until a time has passed, and counts what it gets then.
fn late(log: &Log, pause: Duration) -> impl Handler + use<> {
    let log = log.clone();
    websocket(Config::new(), move |websocket: WebSocket| {
        let log = log.clone();
        async move {
            websocket.accept()?;
            sleep(pause).await;
            let mut n = 0;
            loop {
                match websocket.receive().await {
                    Ok(_) => n += 1,
                    Err(err) => {
                        log.say(format!("{n} messages, then {err}"));
                        return Err(err.into());
                    }
                }
            }
        }
    })
}

#[test]
fn a_client_that_floods_a_handler_is_held_back_and_loses_nothing() {
    paused(async |nursery| {
        let log = Log::default();
        let server = serve_http(&nursery, late(&log, Duration::from_secs(5)), config());
        let client = open(&server).await;
        let frame = client.text(&"x".repeat(1000));
        for _ in 0..2000 {
            client.peer.send(&frame);
        }
        sleep(Duration::from_secs(1)).await;
        // 10 messages, 64 KiB and what one read has brought are taken, and no more.
        let n_left = client.peer.n_waiting();
        assert!(n_left > 2000 * 1000 - 2 * 256 * 1024 - 64 * 1024, "{n_left}");
        client.send_close(1000, "");
        client.ended_after_close().await;
        turns(10).await;
        assert_eq!(log.words(), ["2000 messages, then the WebSocket is closed: 1000"]);
        Ok(())
    });
}

#[test]
fn a_disconnect_is_noticed_while_the_queue_is_full() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let busy = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                websocket.accept()?;
                let closed = websocket.closed().await;
                said.say(closed.received.code.to_string());
                let mut n = 0;
                while websocket.receive().await.is_ok() {
                    n += 1;
                }
                said.say(n.to_string());
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), busy), config());
        let client = open(&server).await;
        for _ in 0..50 {
            client.send("one of many");
        }
        turns(5).await;
        assert_eq!(log.len(), 0);
        client.peer.close();
        turns(10).await;
        assert_eq!(log.words(), ["1006", "50"]);
        Ok(())
    });
}

#[test]
fn a_sender_waits_for_a_client_that_does_not_read_until_it_is_given_up() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let flooding = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                let mut n = 0;
                loop {
                    match websocket.send("x".repeat(1000)).await {
                        Ok(()) => n += 1,
                        Err(err) => {
                            said.say(format!("{n} sent: {}", matches!(err, WebSocketError::Closed(_))));
                            return Err(err.into());
                        }
                    }
                }
            }
        };
        let server = serve_http(&nursery, websocket::<_, _>(Config::new(), flooding), config());
        let client = open(&server).await;
        client.peer.set_capacity(32 * 1024);
        let begun = tokio::time::Instant::now();
        client.peer.closed().await;
        // A ping after 20 s, 20 s for its pong, and a moment for the close frame.
        assert!((40..=45).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        turns(5).await;
        let words = log.words().concat();
        let n: usize = words.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
        assert!(n < 1000 && words.ends_with("sent: true"), "{words}");
        Ok(())
    });
}

#[test]
fn trying_to_send_never_waits() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let trying = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                let mut n = 0;
                let err = loop {
                    match websocket.try_send("x".repeat(100_000)) {
                        Ok(()) => n += 1,
                        Err(err) => break err,
                    }
                };
                said.say(format!("{} {err}", n < 10));
                websocket.send("behind").await?;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), trying), config());
        let client = open(&server).await;
        while client.message().await.len() == 100_000 {}
        client.peer.close();
        assert_eq!(log.words(), ["true the peer does not take what was sent before"]);
        Ok(())
    });
}

#[test]
fn of_many_pings_that_nobody_reads_the_answers_to_only_the_last_is_owed() {
    paused(async |nursery| {
        let silent = async |websocket: WebSocket| {
            websocket.accept()?;
            websocket.send(vec![0; 1_000_000]).await?;
            sleep_forever().await;
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new().ping_interval(None), silent), config());
        let client = open(&server).await;
        client.peer.set_capacity(1000);
        for n in 0..1000u32 {
            client.peer.send(client.make(|machine, out| machine.send_ping(&n.to_be_bytes(), out)));
        }
        turns(20).await;
        client.peer.set_capacity(1 << 20);
        let mut pongs = Vec::new();
        while pongs.last() != Some(&999) {
            match client.event().await {
                Some(foster::websocket::Event::Message(message)) => assert_eq!(message.len(), 1_000_000),
                Some(foster::websocket::Event::Pong(payload)) => {
                    pongs.push(u32::from_be_bytes(payload[..].try_into().expect("four bytes")));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(pongs.len() < 10, "{pongs:?}");
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_message_as_large_as_the_limit_is_taken_and_one_byte_more_closes_with_1009() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let measuring = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                loop {
                    match websocket.receive().await {
                        Ok(message) => said.say(message.len().to_string()),
                        Err(err) => {
                            said.say(err.to_string());
                            return Err(err.into());
                        }
                    }
                }
            }
        };
        let websockets = Config::new().max_message_size(Some(5000));
        let server = serve_http(&nursery, websocket::<_, _>(websockets, measuring), config());
        let client = open(&server).await;
        client.send(&"x".repeat(5000));
        client.send(&"x".repeat(5001));
        assert_eq!(client.closed().await.0, u16::from(CloseCode::MESSAGE_TOO_BIG));
        assert_eq!(log.words(), ["5000", "a message is larger than 5000 bytes"]);
        client.peer.close();
        Ok(())
    });
}
