//! One message to many.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use foster::testing::serve_http;
use foster::websocket::{Broadcast, Config, MessageKind, Slow, WebSocket, websocket};
use foster::{Handler, sleep, sleep_forever};

use crate::client::open;
use crate::stage::{config, paused, turns};

fn chat(room: &Broadcast, websockets: Config) -> impl Handler + use<> {
    let room = room.clone();
    websocket(websockets, move |websocket: WebSocket| {
        let room = room.clone();
        async move {
            let _membership = room.join(&websocket)?;
            loop {
                let message = websocket.receive().await?;
                room.send(message);
            }
            #[expect(unreachable_code, reason = "gives the block its type")]
            foster::Ok(())
        }
    })
}

#[test]
fn everybody_gets_what_anybody_says() {
    paused(async |nursery| {
        let room = Broadcast::new();
        let server = serve_http(&nursery, chat(&room, Config::new()), config());
        let clients = [open(&server).await, open(&server).await, open(&server).await];
        assert_eq!(room.len(), 3);
        for (n, speaker) in clients.iter().enumerate() {
            speaker.send(&n.to_string());
            for client in &clients {
                assert_eq!(client.text_message().await, n.to_string());
            }
        }
        for client in &clients {
            client.peer.close();
        }
        turns(10).await;
        assert!(room.is_empty());
        assert_eq!(room.send("nobody"), 0);
        Ok(())
    });
}

#[test]
fn some_are_left_out() {
    paused(async |nursery| {
        let room = Broadcast::new();
        let members = room.clone();
        let others = move |websocket: WebSocket| {
            let room = members.clone();
            async move {
                let _membership = room.join(&websocket)?;
                let message = websocket.receive().await?;
                assert_eq!(room.send_where(message, |member| *member != websocket), 1);
                websocket.send("told").await?;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), others), config());
        let (one, two) = (open(&server).await, open(&server).await);
        one.send("psst");
        assert_eq!(two.text_message().await, "psst");
        assert_eq!(one.text_message().await, "told");
        one.peer.close();
        two.peer.close();
        Ok(())
    });
}

#[test]
fn a_slow_member_misses_messages_and_the_others_do_not() {
    paused(async |nursery| {
        let room = Broadcast::with_policy(Slow::Skip, 10_000);
        let server = serve_http(&nursery, chat(&room, Config::new()), config());
        let (fast, slow) = (open(&server).await, open(&server).await);
        slow.peer.set_capacity(1000);
        for n in 0..100 {
            fast.send(&format!("{n:0>1000}"));
            assert_eq!(fast.text_message().await, format!("{n:0>1000}"));
        }
        assert_eq!(room.len(), 2);
        slow.peer.set_capacity(1 << 20);
        assert_eq!(slow.text_message().await, format!("{:0>1000}", 0));
        sleep(Duration::from_secs(1)).await;
        fast.send("after");
        let mut n_missed = 99;
        while slow.text_message().await != "after" {
            n_missed -= 1;
        }
        assert!(n_missed > 80, "{n_missed}");
        fast.peer.close();
        slow.peer.close();
        Ok(())
    });
}

#[test]
fn a_slow_member_is_disconnected_where_the_policy_says_so() {
    paused(async |nursery| {
        let room = Broadcast::with_policy(Slow::Disconnect, 10_000);
        let server = serve_http(&nursery, chat(&room, Config::new()), config());
        let (fast, slow) = (open(&server).await, open(&server).await);
        slow.peer.set_capacity(1000);
        for n in 0..100 {
            fast.send(&format!("{n:0>1000}"));
            assert_eq!(fast.text_message().await, format!("{n:0>1000}"));
        }
        assert_eq!(room.len(), 1);
        slow.peer.set_capacity(1 << 20);
        let code = loop {
            match slow.event().await {
                Some(foster::websocket::Event::Message(_)) => {}
                Some(foster::websocket::Event::Close(frame)) => break u16::from(frame.code),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(code, 1008);
        slow.answer_close();
        fast.peer.close();
        Ok(())
    });
}

#[test]
fn a_member_in_the_middle_of_a_streamed_message_gets_the_broadcast_behind_it() {
    paused(async |nursery| {
        let room = Broadcast::new();
        let members = room.clone();
        let streaming = move |websocket: WebSocket| {
            let room = members.clone();
            async move {
                let _membership = room.join(&websocket)?;
                let mut message = websocket.start_message(MessageKind::Text).await?;
                message.write(b"whole ").await?;
                assert_eq!(room.send("broadcast"), 1);
                message.write(b"message").await?;
                message.finish()?;
                websocket.receive().await?;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), streaming), config());
        let client = open(&server).await;
        assert_eq!(client.text_message().await, "whole message");
        assert_eq!(client.text_message().await, "broadcast");
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_websocket_that_has_ended_cannot_join() {
    paused(async |nursery| {
        let room = Broadcast::new();
        let members = room.clone();
        let late = move |websocket: WebSocket| {
            let room = members.clone();
            async move {
                websocket.receive().await.expect_err("an end");
                assert!(room.join(&websocket).is_err());
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), late), config());
        let client = open(&server).await;
        client.send_close(1000, "");
        client.ended_after_close().await;
        assert!(room.is_empty());
        Ok(())
    });
}

#[test]
fn messages_without_a_byte_count_towards_the_limit_of_a_member_that_streams() {
    paused(async |nursery| {
        let room = Broadcast::with_policy(Slow::Skip, 10_000);
        let members = room.clone();
        let streaming = move |websocket: WebSocket| {
            let room = members.clone();
            async move {
                let _membership = room.join(&websocket)?;
                let _message = websocket.start_message(MessageKind::Text).await?;
                sleep_forever().await;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), streaming), config());
        let client = open(&server).await;
        let n_taken: usize = (0..100_000).map(|_| room.send("")).sum();
        assert!((4000..6000).contains(&n_taken), "{n_taken}");
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_member_that_has_ended_is_dismissed_whatever_it_left_untaken() {
    paused(async |nursery| {
        let (room, memberships) = (Broadcast::with_policy(Slow::Skip, 1000), Rc::<RefCell<Vec<_>>>::default());
        let (members, kept) = (room.clone(), memberships.clone());
        let streaming = move |websocket: WebSocket| {
            let (room, kept) = (members.clone(), kept.clone());
            async move {
                kept.borrow_mut().push(room.join(&websocket)?);
                let _message = websocket.start_message(MessageKind::Text).await?;
                websocket.receive().await?;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket::<_, _>(Config::new(), streaming), config());
        let client = open(&server).await;
        assert_eq!((room.send("x".repeat(2000)), room.send("skipped")), (1, 0));
        client.peer.close();
        turns(10).await;
        assert_eq!((room.send("nobody"), room.len()), (0, 0));
        Ok(())
    });
}

#[test]
fn who_takes_the_place_of_a_member_while_it_is_asked_who_is_meant_stays() {
    paused(async |nursery| {
        let (room, memberships) = (Broadcast::with_policy(Slow::Disconnect, 0), Rc::<RefCell<Vec<_>>>::default());
        let (members, kept) = (room.clone(), memberships.clone());
        let joining = move |websocket: WebSocket| {
            let (room, kept) = (members.clone(), kept.clone());
            async move {
                websocket.accept()?;
                kept.borrow_mut().push((websocket.clone(), Some(room.join(&websocket)?)));
                loop {
                    let message = websocket.receive().await?;
                    websocket.send(message).await?;
                }
                #[expect(unreachable_code, reason = "gives the block its type")]
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), joining), config());
        let (leaves, comes) = (open(&server).await, open(&server).await);
        turns(5).await;
        // The one that comes has left before.
        drop(memberships.borrow_mut()[1].1.take());
        let slow = memberships.borrow()[0].0.clone();
        slow.send("makes it slow").await?;
        let n_taken = room.send_where("for the one that leaves", |_| {
            let mut memberships = memberships.borrow_mut();
            drop(memberships[0].1.take());
            let websocket = memberships[1].0.clone();
            memberships[1].1 = Some(room.join(&websocket).expect("it is open"));
            true
        });
        assert_eq!((n_taken, room.len()), (0, 1));
        comes.send("still there");
        assert_eq!(comes.text_message().await, "still there");
        memberships.borrow_mut().clear();
        leaves.peer.close();
        comes.peer.close();
        Ok(())
    });
}
