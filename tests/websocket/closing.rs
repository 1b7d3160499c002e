//! The end of a WebSocket: who says what, with which code, and what becomes of the handler.

use std::time::Duration;

use foster::testing::serve_http;
use foster::websocket::{CloseCode, CloseFrame, Config, Message, WebSocket, WebSocketError, websocket};
use foster::{Error, Handler, open_nursery, sleep, sleep_forever};
use tokio::time::Instant;

use crate::client::open;
use crate::messages::echo;
use crate::stage::{Log, config, paused, reports_of, turns};

/// A handler that says what it receives and how it ended.
fn listening(log: &Log, pause: Duration) -> impl Handler + use<> {
    let log = log.clone();
    websocket(Config::new(), move |websocket: WebSocket| {
        let log = log.clone();
        async move {
            websocket.accept()?;
            sleep(pause).await;
            loop {
                match websocket.receive().await {
                    Ok(message) => log.say(message.as_text().unwrap_or("bytes")),
                    Err(err) => {
                        log.say(err.to_string());
                        // It may take its time to clean up.
                        sleep(Duration::from_secs(1)).await;
                        log.say("cleaned up");
                        return Err(err.into());
                    }
                }
            }
        }
    })
}

#[test]
fn the_code_and_reason_of_the_client_reach_the_handler_behind_its_messages() {
    paused(async |nursery| {
        let (log, reports) = (Log::default(), reports_of(&nursery));
        let server = serve_http(&nursery, listening(&log, Duration::from_secs(5)), config());
        let client = open(&server).await;
        client.peer.send([client.text("m0"), client.text("m1"), client.text("m2")].concat());
        client.send_close(4000, "enough");
        assert_eq!(client.closed().await, (4000, "enough".to_owned()));
        client.ended().await;
        sleep(Duration::from_secs(10)).await;
        assert_eq!(log.words(), ["m0", "m1", "m2", "the WebSocket is closed: 4000 (enough)", "cleaned up"]);
        assert_eq!(reports.len(), 0);
        Ok(())
    });
}

#[test]
fn a_close_frame_without_a_code_is_answered_without_one() {
    paused(async |nursery| {
        let log = Log::default();
        let server = serve_http(&nursery, listening(&log, Duration::ZERO), config());
        let client = open(&server).await;
        client.peer.send(client.make(|machine, out| machine.send_close(None, out)));
        assert_eq!(client.closed().await, (1005, String::new()));
        client.ended().await;
        sleep(Duration::from_secs(10)).await;
        assert_eq!(log.words()[0], "the WebSocket is closed: 1005");
        Ok(())
    });
}

#[test]
fn a_client_that_vanishes_closes_with_1006_and_its_messages_are_delivered() {
    for is_reset in [false, true] {
        paused(async |nursery| {
            let log = Log::default();
            let server = serve_http(&nursery, listening(&log, Duration::from_secs(5)), config());
            let client = open(&server).await;
            client.send("last");
            turns(5).await;
            if is_reset {
                client.peer.reset()
            } else {
                client.peer.close()
            }
            sleep(Duration::from_secs(20)).await;
            assert_eq!(log.words(), ["last", "the WebSocket is closed: 1006", "cleaned up"]);
            assert_eq!(server.stats().n_connections, 0);
            Ok(())
        });
    }
}

#[test]
fn a_handler_that_returns_closes_with_1000() {
    paused(async |nursery| {
        let server = serve_http(
            &nursery,
            websocket(Config::new(), async |ws: WebSocket| ws.accept().map_err(Error::from)),
            config(),
        );
        let client = open(&server).await;
        assert_eq!(client.closed().await, (1000, String::new()));
        client.answer_close();
        client.ended().await;
        Ok(())
    });
}

#[test]
fn a_handler_that_fails_or_panics_closes_with_1011_and_is_reported() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let failing = |websocket: WebSocket| async move {
            match websocket.receive().await?.as_text() {
                Some("fail") => Err(Error::msg("as asked")),
                _ => panic!("as asked, too"),
            }
        };
        let server = serve_http(&nursery, websocket::<_, _>(Config::new(), failing), config());
        for word in ["fail", "panic"] {
            let client = open(&server).await;
            client.send(word);
            assert_eq!(client.closed().await, (1011, String::new()));
            client.answer_close();
            client.ended().await;
        }
        assert_eq!(
            reports.words(),
            [
                "the handler of a WebSocket failed: as asked",
                "the handler of a WebSocket failed: panicked: as asked, too"
            ]
        );
        assert_eq!(server.stats().n_failed, 2);
        Ok(())
    });
}

#[test]
fn a_group_of_errors_that_all_say_closed_is_no_failure() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let two_tasks = |websocket: WebSocket| async move {
            websocket.accept()?;
            open_nursery(async |nursery| {
                let other = websocket.clone();
                nursery.start_soon(async move {
                    foster::shield(async { other.closed().await }).await;
                    Ok(other.send("more").await?)
                });
                websocket.receive().await?;
                Ok(())
            })
            .await?;
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), two_tasks), config());
        let client = open(&server).await;
        client.send_close(1001, "leaving the page");
        client.ended_after_close().await;
        turns(10).await;
        assert_eq!(reports.words(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn what_the_client_does_wrong_has_its_code_and_is_no_failure_of_the_handler() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let server = serve_http(&nursery, websocket(Config::new().max_message_size(Some(1000)), echo), config());
        let masked = |first: u8, payload: &[u8]| {
            let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).expect("a short payload"), 0, 0, 0, 0];
            frame.extend_from_slice(payload);
            frame
        };
        let too_big = [&[0x82, 0x80 | 126, 0x03, 0xe9, 0, 0, 0, 0][..], &[0; 1001]].concat();
        for (bytes, code) in [
            (masked(0x81, b"\xff"), 1007),
            (masked(0x83, b""), 1002),
            (masked(0xc1, b""), 1002),
            (vec![0x81, 1, b'x'], 1002),
            (masked(0x88, &1005u16.to_be_bytes()), 1002),
            (too_big, 1009),
        ] {
            let client = open(&server).await;
            client.send("before");
            client.peer.send(&bytes);
            assert_eq!(client.text_message().await, "before");
            assert_eq!(client.closed().await.0, code, "{bytes:?}");
            client.peer.close_write();
            client.ended().await;
        }
        turns(10).await;
        assert_eq!(reports.words(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn a_client_that_breaks_the_rules_and_never_closes_is_cut() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let client = open(&server).await;
        client.peer.send([0x83, 0x80, 0, 0, 0, 0]);
        assert_eq!(client.closed().await.0, 1002);
        // It goes on sending what nobody reads.
        for _ in 0..10 {
            client.peer.send([0; 1000]);
            sleep(Duration::from_millis(500)).await;
        }
        assert!(client.peer.is_closed() || client.peer.is_reset());
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}

#[test]
fn closing_waits_for_the_client_and_gives_what_it_said() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let closing = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                websocket.accept()?;
                assert!(matches!(websocket.close(1005, "").await, Err(WebSocketError::State(_))));
                assert!(matches!(websocket.close(1000, "x".repeat(124)).await, Err(WebSocketError::State(_))));
                let closed = websocket.close(4000, "done").await?;
                said.say(format!("{} {:?}", closed.received, closed.sent.map(|frame| frame.to_string())));
                assert!(matches!(websocket.send("more").await, Err(WebSocketError::Closed(_))));
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), closing), config());
        let client = open(&server).await;
        assert_eq!(client.closed().await, (4000, "done".to_owned()));
        client.send_close(4000, "fine");
        client.ended().await;
        turns(5).await;
        assert_eq!(log.words(), ["4000 (fine) Some(\"4000 (done)\")"]);
        Ok(())
    });
}

/// Serves a client that sends `first` and these messages and closes. The handler takes the first and does `end`, which has
/// to be over at once.
fn ends_at_once(
    messages: &[&'static str],
    end: impl AsyncFn(WebSocket) -> Result<(), WebSocketError> + Clone + 'static,
) {
    let messages = messages.to_vec();
    paused(async move |nursery| {
        let log = Log::default();
        let said = log.clone();
        let ending = move |websocket: WebSocket| {
            let (said, end) = (said.clone(), end.clone());
            async move {
                assert_eq!(websocket.receive().await?, Message::from("first"));
                turns(5).await;
                let begun = Instant::now();
                end(websocket).await?;
                said.say(format!("{:?}", begun.elapsed()));
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), ending), config());
        let client = open(&server).await;
        client.send("first");
        for message in messages {
            client.send(message);
        }
        client.send_close(4000, "enough");
        client.ended_after_close().await;
        turns(5).await;
        assert_eq!(log.words(), ["0ns"]);
        Ok(())
    });
}

#[test]
fn who_waits_for_the_end_behind_the_last_message_has_it_at_once() {
    ends_at_once(&[], async |websocket| {
        assert_eq!(websocket.closed().await.received, CloseFrame::new(4000, "enough"));
        Ok(())
    });
}

#[test]
fn closing_what_the_client_has_closed_waits_for_nobody_and_loses_no_message() {
    ends_at_once(&["second"], async |websocket| {
        let closed = websocket.close(1000, "mine").await?;
        assert_eq!(closed.received, CloseFrame::new(4000, "enough"));
        assert_eq!(closed.sent, Some(CloseFrame::new(1000, "mine")));
        assert_eq!(websocket.receive().await?, Message::from("second"));
        assert_eq!(websocket.receive().await, Err(WebSocketError::Closed(Box::new(closed))));
        Ok(())
    });
}

#[test]
fn a_handshake_of_closing_is_done_before_anybody_receives_what_came_in_it() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let closing = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                let begun = Instant::now();
                let closed = websocket.close(1000, "").await?;
                said.say(format!("{} after {:?}", closed.received, begun.elapsed()));
                said.say(websocket.receive().await?.as_text().unwrap_or_default());
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), closing), config());
        let client = open(&server).await;
        assert_eq!(client.closed().await.0, 1000);
        client.send("crossing");
        client.send_close(4000, "mine");
        client.ended().await;
        turns(5).await;
        assert_eq!(log.words(), ["4000 (mine) after 0ns", "crossing"]);
        Ok(())
    });
}

#[test]
fn a_client_that_does_not_close_is_cut_after_close_timeout() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let closing = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                let begun = Instant::now();
                let closed = websocket.close(1000, "").await?;
                said.say(format!("{} after {:?}", closed.received.code, begun.elapsed()));
                foster::Ok(())
            }
        };
        let websockets = Config::new().close_timeout(Duration::from_secs(3));
        let server = serve_http(&nursery, websocket(websockets, closing), config());
        let client = open(&server).await;
        assert_eq!(client.closed().await.0, 1000);
        client.peer.closed().await;
        turns(5).await;
        assert_eq!(log.words(), ["1006 after 3s"]);
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}

#[test]
fn messages_on_their_way_are_delivered_while_it_closes() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let closing = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                websocket.accept()?;
                let receiver = websocket.clone();
                open_nursery(async |nursery| {
                    nursery.start_soon(async move { Ok(websocket.close(1000, "").await.map(drop)?) });
                    while let Ok(message) = receiver.receive().await {
                        said.say(message.as_text().unwrap_or_default());
                    }
                    Ok(())
                })
                .await?;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), closing), config());
        let client = open(&server).await;
        assert_eq!(client.closed().await.0, 1000);
        client.send("crossing");
        client.answer_close();
        client.ended().await;
        turns(5).await;
        assert_eq!(log.words(), ["crossing"]);
        Ok(())
    });
}

#[test]
fn the_close_frame_of_a_client_is_reached_behind_messages_that_nobody_takes() {
    paused(async |nursery| {
        let closing = |websocket: WebSocket| async move {
            websocket.accept()?;
            sleep(Duration::from_secs(1)).await;
            let closed = websocket.close(1000, "").await?;
            assert_eq!(closed.received.code, CloseCode::NORMAL);
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), closing), config());
        let client = open(&server).await;
        for n in 0..100 {
            client.send(&n.to_string());
        }
        assert_eq!(client.closed().await.0, 1000);
        client.answer_close();
        client.ended().await;
        Ok(())
    });
}

#[test]
fn a_handler_that_does_not_listen_is_cancelled_some_time_after_the_connection_was_lost() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let deaf = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                struct Dropped(Log, tokio::time::Instant);
                impl Drop for Dropped {
                    fn drop(&mut self) {
                        self.0.say(format!("dropped after {:?}", self.1.elapsed()));
                    }
                }
                websocket.accept()?;
                let _dropped = Dropped(said, Instant::now());
                sleep_forever().await;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), deaf), config());
        let client = open(&server).await;
        client.peer.close();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(log.words(), ["dropped after 10s"]);
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}

#[test]
fn a_heartbeat_ends_with_the_handler_that_learns_of_the_end() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let beating = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                open_nursery(async |nursery| {
                    let beat = websocket.clone();
                    nursery.start_soon(async move {
                        loop {
                            beat.send("beat").await?;
                            sleep(Duration::from_secs(1)).await;
                        }
                        #[expect(unreachable_code, reason = "gives the block its type")]
                        foster::Ok(())
                    });
                    loop {
                        websocket.receive().await?;
                    }
                    #[expect(unreachable_code, reason = "gives the block its type")]
                    Ok(())
                })
                .await
                .map_err(|err| {
                    said.say(format!("{err}"));
                    Error::from(err)
                })?;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket::<_, _>(Config::new(), beating), config());
        let client = open(&server).await;
        assert_eq!(client.text_message().await, "beat");
        assert_eq!(client.text_message().await, "beat");
        client.peer.close();
        turns(10).await;
        assert_eq!(log.len(), 1);
        Ok(())
    });
}
