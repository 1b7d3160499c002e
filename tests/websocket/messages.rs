//! Messages both ways, pings, and the handle.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use foster::http::Response;
use foster::testing::serve_http;
use foster::websocket::{Config, Event, Message, MessageKind, WebSocket, WebSocketError, upgrade, websocket};
use foster::{Request, Result, open_nursery, sleep};
use futures::{SinkExt, StreamExt};

use crate::client::{Client, ask, open, request};
use crate::stage::{Log, config, paused, turns};

pub(crate) async fn echo(websocket: WebSocket) -> Result<()> {
    loop {
        let message = websocket.receive().await?;
        websocket.send(message).await?;
    }
}

#[test]
fn messages_of_both_kinds_come_back() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let client = open(&server).await;
        for text in ["hello", "", "ünïcödé", &"x".repeat(70_000)] {
            client.send(text);
            assert_eq!(client.text_message().await, text);
        }
        for bytes in [&b"\0\xff"[..], b"", &[7; 70_000]] {
            client.peer.send(client.make(|machine, out| machine.send_binary(bytes, out)));
            assert_eq!(client.message().await, Message::binary(bytes.to_vec()));
        }
        client.send_close(1000, "");
        assert_eq!(client.closed().await, (1000, String::new()));
        Ok(())
    });
}

#[test]
fn answers_to_messages_of_one_read_leave_with_one_write() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let client = open(&server).await;
        let before = client.peer.n_writes();
        let frames: Vec<u8> = (0..64).flat_map(|n| client.text(&n.to_string())).collect();
        client.peer.send(frames);
        for n in 0..64 {
            assert_eq!(client.text_message().await, n.to_string());
        }
        assert_eq!(client.peer.n_writes() - before, 1);
        client.peer.close();
        Ok(())
    });
}

#[test]
fn frames_behind_the_request_are_kept_until_the_handshake_is_answered() {
    paused(async |nursery| {
        let late = async |websocket: WebSocket| {
            sleep(Duration::from_secs(1)).await;
            echo(websocket).await
        };
        let server = serve_http(&nursery, websocket(Config::new(), late), config());
        let client = Client::on(server.connect());
        client.peer.send([request("/", "").into_bytes(), client.text("early"), client.text("bird")].concat());
        let head = client.read_head().await;
        assert!(head.starts_with("HTTP/1.1 101"));
        assert_eq!(client.text_message().await, "early");
        assert_eq!(client.text_message().await, "bird");
        client.peer.close();
        Ok(())
    });
}

#[test]
fn fragments_are_put_together_and_pings_between_them_answered() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let client = open(&server).await;
        client.peer.send(client.make(|machine, out| {
            machine.send_fragment(MessageKind::Text, b"in ", false, out)?;
            machine.send_ping(b"there?", out)?;
            machine.send_fragment(MessageKind::Text, b"pieces", true, out)
        }));
        assert_eq!(client.event().await, Some(Event::Pong((&b"there?"[..]).into())));
        assert_eq!(client.text_message().await, "in pieces");
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_message_is_streamed_in_pieces_and_others_wait_for_its_end() {
    paused(async |nursery| {
        let streaming = async |websocket: WebSocket| {
            let mut message = websocket.start_message(MessageKind::Text).await?;
            let other = websocket.clone();
            open_nursery(async |nursery| {
                nursery.start_soon(async move { Ok(other.send("behind").await?) });
                turns(3).await;
                message.write("one ".as_bytes()).await?;
                turns(3).await;
                message.write("two".as_bytes()).await?;
                message.finish()?;
                Ok(())
            })
            .await?;
            Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), streaming), config());
        let client = open(&server).await;
        assert_eq!(client.text_message().await, "one two");
        assert_eq!(client.text_message().await, "behind");
        assert_eq!(client.closed().await, (1000, String::new()));
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_streamed_message_that_is_not_finished_closes_the_connection() {
    paused(async |nursery| {
        let half = async |websocket: WebSocket| {
            let mut message = websocket.start_message(MessageKind::Binary).await?;
            message.write(b"half").await?;
            drop(message);
            assert!(matches!(websocket.send("more").await, Err(WebSocketError::Closed(_))));
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), half), config());
        let client = open(&server).await;
        assert_eq!(client.closed().await, (1011, "a message was not finished".to_owned()));
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_streamed_message_of_which_nothing_was_written_can_be_dropped() {
    paused(async |nursery| {
        let none = async |websocket: WebSocket| {
            drop(websocket.start_message(MessageKind::Binary).await?);
            websocket.send("another").await?;
            websocket.start_message(MessageKind::Text).await?.finish()?;
            websocket.start_message(MessageKind::Text).await?.write(b"").await?;
            websocket.send("the last").await?;
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), none), config());
        let client = open(&server).await;
        for text in ["another", "", "the last"] {
            assert_eq!(client.text_message().await, text);
        }
        assert_eq!(client.closed().await.0, 1000);
        client.peer.close();
        Ok(())
    });
}

#[test]
fn streamed_text_that_is_not_utf_8_is_refused_to_who_sends_it() {
    paused(async |nursery| {
        let wrong = async |websocket: WebSocket| {
            let mut message = websocket.start_message(MessageKind::Text).await?;
            assert!(matches!(message.write(b"\xff").await, Err(WebSocketError::State(_))));
            // Cut within a character is fine as long as the rest follows.
            message.write(b"\xc3").await?;
            message.write(b"\xbc").await?;
            message.finish()?;
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), wrong), config());
        let client = open(&server).await;
        assert_eq!(client.text_message().await, "ü");
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_ping_of_the_application_gives_the_time_to_its_pong() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let pinging = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                let time = websocket.ping().await?;
                said.say(format!("{time:?}"));
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), pinging), config());
        let client = open(&server).await;
        let Some(Event::Ping(payload)) = client.event().await else { panic!("a ping") };
        sleep(Duration::from_millis(250)).await;
        client.peer.send(client.make(|machine, out| machine.send_pong(b"another", out)));
        client.peer.send(client.make(|machine, out| machine.send_pong(&payload, out)));
        assert_eq!(client.closed().await, (1000, String::new()));
        assert_eq!(log.words(), ["250ms"]);
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_ping_of_a_connection_that_ends_fails() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let pinging = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                said.say(websocket.ping().await.expect_err("no pong").to_string());
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), pinging), config());
        let client = open(&server).await;
        assert!(matches!(client.event().await, Some(Event::Ping(_))));
        client.send_close(4001, "not now");
        client.ended_after_close().await;
        assert_eq!(log.words(), ["the WebSocket is closed: 4001 (not now)"]);
        Ok(())
    });
}

#[test]
fn clones_are_equal_and_can_be_kept_in_a_set() {
    paused(async |nursery| {
        let room: Rc<RefCell<HashSet<WebSocket>>> = Rc::default();
        let members = room.clone();
        let member = move |websocket: WebSocket| {
            let members = members.clone();
            async move {
                members.borrow_mut().insert(websocket.clone());
                assert!(!members.borrow_mut().insert(websocket.clone()));
                let received = websocket.receive().await;
                members.borrow_mut().remove(&websocket);
                received.map(drop).map_err(Into::into)
            }
        };
        let server = serve_http(&nursery, websocket::<_, _>(Config::new(), member), config());
        let (one, two) = (open(&server).await, open(&server).await);
        assert_eq!(room.borrow().len(), 2);
        let members: Vec<_> = room.borrow().iter().cloned().collect();
        for member in members {
            member.send("from outside").await?;
        }
        assert_eq!(one.text_message().await, "from outside");
        assert_eq!(two.text_message().await, "from outside");
        one.peer.close();
        turns(10).await;
        assert_eq!(room.borrow().len(), 1);
        two.peer.close();
        Ok(())
    });
}

#[test]
fn two_tasks_use_its_halves() {
    paused(async |nursery| {
        let halves = async |websocket: WebSocket| {
            let (sender, mut receiver) = websocket.split();
            open_nursery(async |nursery| {
                nursery.start_background(async move {
                    for n in 0.. {
                        sender.send(format!("beat {n}")).await?;
                        sleep(Duration::from_secs(1)).await;
                    }
                    Ok(())
                });
                while let Ok(message) = receiver.receive().await {
                    receiver.websocket().send(message).await?;
                }
                Ok(())
            })
            .await?;
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), halves), config());
        let client = open(&server).await;
        assert_eq!(client.text_message().await, "beat 0");
        client.send("echo");
        assert_eq!(client.text_message().await, "echo");
        assert_eq!(client.text_message().await, "beat 1");
        client.send_close(1000, "");
        assert_eq!(client.closed().await, (1000, String::new()));
        Ok(())
    });
}

#[test]
fn it_is_a_stream_and_a_sink() {
    paused(async |nursery| {
        let log = Log::default();
        let said = log.clone();
        let forwarding = move |websocket: WebSocket| {
            let said = said.clone();
            async move {
                let (mut sink, mut stream) = websocket.split();
                while let Some(message) = stream.next().await {
                    SinkExt::send(&mut sink, message?).await?;
                }
                said.say("ended");
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), forwarding), config());
        let client = open(&server).await;
        client.send("through");
        assert_eq!(client.text_message().await, "through");
        client.send_close(1000, "");
        client.ended_after_close().await;
        assert_eq!(log.words(), ["ended"]);
        Ok(())
    });
}

#[test]
fn a_sink_that_is_closed_closes_with_1000() {
    paused(async |nursery| {
        let closing = async |mut websocket: WebSocket| {
            websocket.feed(Message::from("last words")).await?;
            SinkExt::close(&mut websocket).await?;
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), closing), config());
        let client = open(&server).await;
        assert_eq!(client.text_message().await, "last words");
        assert_eq!(client.closed().await, (1000, String::new()));
        client.answer_close();
        client.ended().await;
        Ok(())
    });
}

#[test]
fn a_handler_reaches_the_head_of_its_request_and_its_transport() {
    paused(async |nursery| {
        let site = async |request: Request| {
            assert_eq!(request.path(), "/chat");
            let talk = async |websocket: WebSocket| {
                assert!(websocket.transport().is_none() && websocket.head().is_none());
                websocket.accept()?;
                let head = websocket.head().expect("the head of a request that was accepted");
                websocket.send(format!("{} {:?}", head.path(), head.headers().get("x-name"))).await?;
                assert!(websocket.transport().is_some());
                foster::Ok(())
            };
            upgrade(request, &Config::new(), talk).await
        };
        let server = serve_http(&nursery, site, config());
        let (client, _) = ask(&server, "/chat?room=1", "X-Name: me\r\n").await;
        assert_eq!(client.text_message().await, "/chat Some(\"me\")");
        client.peer.close();
        Ok::<(), foster::Error>(())
    });
}

#[test]
fn a_receive_that_is_dropped_has_taken_no_message() {
    paused(async |nursery| {
        let impatient = async |websocket: WebSocket| {
            websocket.accept()?;
            assert!(foster::move_on_after(Duration::from_secs(1), websocket.receive()).await.is_none());
            let message = websocket.receive().await?;
            websocket.send(message).await?;
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), impatient), config());
        let client = open(&server).await;
        sleep(Duration::from_secs(2)).await;
        client.send("kept");
        assert_eq!(client.text_message().await, "kept");
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_handler_answers_plain_requests_beside_a_websocket() {
    paused(async |nursery| {
        let site = async |request: Request| match request.path() {
            "/ws" => upgrade(request, &Config::new(), echo).await,
            _ => foster::Ok(Response::text("plain")),
        };
        let server = serve_http(&nursery, site, config());
        let peer = server.connect();
        peer.send(crate::stage::get("/"));
        assert_eq!(crate::stage::text(peer.read().await), crate::stage::answer("plain"));
        let client = Client::on(peer);
        client.peer.send(request("/ws", ""));
        assert!(client.peer.read().await.starts_with(b"HTTP/1.1 101"));
        client.send("on the same connection");
        assert_eq!(client.text_message().await, "on the same connection");
        client.peer.close();
        Ok(())
    });
}
