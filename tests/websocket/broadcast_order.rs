//! What a member is sent in one turn, by rooms and by itself, comes in the order in which it was said.

use std::cell::RefCell;
use std::rc::Rc;

use foster::Result;
use foster::testing::serve_http;
use foster::websocket::{Broadcast, Config, Event, Membership, MessageKind, Slow, WebSocket, websocket};
use futures::FutureExt;

use crate::client::{Client, open};
use crate::stage::{config, paused, turns};

/// Beyond this, messages are not copied.
const LARGE: usize = 10_000;

/// The clients of a server, and its ends of their WebSockets in the same order.
struct Company {
    clients: Vec<Client>,
    sockets: Vec<WebSocket>,
}

/// Runs a test among clients that have come to a server, and that go when it is over.
fn among(n_clients: usize, test: impl AsyncFnOnce(&Company) -> Result<()>) {
    paused(async |nursery| {
        let kept = Rc::<RefCell<Vec<_>>>::default();
        let sockets = kept.clone();
        let keep = move |websocket: WebSocket| {
            sockets.borrow_mut().push(websocket.clone());
            async move {
                websocket.accept()?;
                websocket.closed().await;
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), keep), config());
        let mut clients = Vec::new();
        for _ in 0..n_clients {
            clients.push(open(&server).await);
        }
        let company = Company { clients, sockets: kept.take() };
        test(&company).await?;
        company.clients.iter().for_each(|client| client.peer.close());
        Ok(())
    });
}

impl Company {
    fn join_all(&self, room: &Broadcast) -> Vec<Membership> {
        self.sockets.iter().map(|socket| room.join(socket).expect("it is open")).collect()
    }

    /// The nth client is told this, and nothing more.
    async fn assert_told(&self, nth: usize, expected: &[&str]) {
        self.sockets[nth].try_send("that is all").expect("it is open");
        for message in expected.iter().chain(&["that is all"]) {
            assert_eq!(self.clients[nth].text_message().await, *message);
        }
    }

    fn n_writes(&self) -> Vec<u64> {
        self.clients.iter().map(|client| client.peer.n_writes()).collect()
    }
}

#[test]
fn the_messages_of_a_turn_leave_with_one_write() {
    among(3, async |company| {
        let room = Broadcast::new();
        let memberships = company.join_all(&room);
        let mut n_writes = company.n_writes();
        for _ in 0..3 {
            assert_eq!([room.send("one"), room.send("two"), room.send("three")], [3; 3]);
            turns(3).await;
            n_writes.iter_mut().for_each(|n_writes| *n_writes += 1);
            assert_eq!(company.n_writes(), n_writes);
        }
        for nth in 0..3 {
            company.assert_told(nth, &["one", "two", "three"].repeat(3)).await;
        }
        drop(memberships);
        Ok(())
    });
}

#[test]
fn what_a_member_says_itself_comes_between_the_messages_of_the_room() {
    among(2, async |company| {
        let room = Broadcast::new();
        let memberships = company.join_all(&room);
        let first = &company.sockets[0];
        first.try_send("hello")?;
        room.send("one");
        first.try_send("between")?;
        room.send("two");
        room.send("three");
        company.assert_told(0, &["hello", "one", "between", "two", "three"]).await;
        company.assert_told(1, &["one", "two", "three"]).await;
        drop(memberships);
        Ok(())
    });
}

#[test]
fn a_member_of_two_rooms_hears_them_in_turns() {
    among(2, async |company| {
        let (hall, kitchen) = (Broadcast::new(), Broadcast::new());
        let in_hall = company.join_all(&hall);
        let in_kitchen = kitchen.join(&company.sockets[1])?;
        hall.send("one");
        kitchen.send("two");
        hall.send("three");
        kitchen.send("four");
        company.assert_told(0, &["one", "three"]).await;
        company.assert_told(1, &["one", "two", "three", "four"]).await;
        drop((in_hall, in_kitchen));
        Ok(())
    });
}

#[test]
fn who_joins_twice_hears_everything_twice() {
    among(2, async |company| {
        let room = Broadcast::new();
        let once = company.join_all(&room);
        assert_eq!(room.send("one"), 2);
        let again = room.join(&company.sockets[0])?;
        assert_eq!([room.send("two"), room.send("three")], [3, 3]);
        company.assert_told(0, &["one", "two", "two", "three", "three"]).await;
        assert_eq!(room.send("four"), 3);
        drop(again);
        assert_eq!(room.send("five"), 2);
        company.assert_told(0, &["four", "four", "five"]).await;
        company.assert_told(1, &["one", "two", "three", "four", "five"]).await;
        drop(once);
        Ok(())
    });
}

#[test]
fn who_comes_and_goes_within_a_turn_hears_what_is_said_meanwhile() {
    among(2, async |company| {
        let room = Broadcast::new();
        let [first, second] = &company.sockets[..] else { panic!("two have come") };
        let stays = room.join(first)?;
        assert_eq!(room.send("one"), 1);
        let comes = room.join(second)?;
        assert_eq!([room.send("two"), room.send("three")], [2, 2]);
        drop(comes);
        assert_eq!(room.send("four"), 1);
        company.assert_told(0, &["one", "two", "three", "four"]).await;
        company.assert_told(1, &["two", "three"]).await;
        drop(stays);
        assert_eq!(room.send("nobody"), 0);
        Ok(())
    });
}

#[test]
fn who_closes_within_a_turn_hears_what_was_said_before() {
    among(2, async |company| {
        let room = Broadcast::new();
        let memberships = company.join_all(&room);
        assert_eq!(room.send("one"), 2);
        assert!(company.sockets[0].close(1000, "enough").now_or_never().is_none());
        assert_eq!(room.send("two"), 1);
        assert_eq!(room.len(), 1);
        assert_eq!(company.clients[0].text_message().await, "one");
        assert!(matches!(company.clients[0].event().await, Some(Event::Close(_))));
        company.clients[0].answer_close();
        company.assert_told(1, &["one", "two"]).await;
        drop(memberships);
        Ok(())
    });
}

#[test]
fn the_limit_of_a_slow_member_counts_what_it_is_sent_within_the_turn() {
    among(2, async |company| {
        let room = Broadcast::with_policy(Slow::Skip, 100);
        let memberships = company.join_all(&room);
        company.sockets[0].try_send("y".repeat(60))?;
        let message = "x".repeat(60);
        // What each has unsent before: 62 and 0, 124 and 62, 124 and 124.
        assert_eq!([0; 3].map(|_| room.send(message.as_str())), [2, 1, 0]);
        company.assert_told(0, &[&"y".repeat(60), &message]).await;
        company.assert_told(1, &[&message, &message]).await;
        drop(memberships);
        Ok(())
    });
}

#[test]
fn the_limit_counts_what_a_member_was_sent_by_itself_in_a_turn_before() {
    among(2, async |company| {
        let room = Broadcast::with_policy(Slow::Skip, 100);
        let memberships = company.join_all(&room);
        assert_eq!(room.send("one"), 2);
        turns(3).await;
        company.clients[0].peer.set_capacity(0);
        let long = "y".repeat(120);
        company.sockets[0].try_send(long.as_str())?;
        assert_eq!(room.send("two"), 1);
        turns(3).await;
        assert_eq!(room.send("three"), 1);
        company.clients[0].peer.set_capacity(1000);
        turns(3).await;
        assert_eq!(room.send("four"), 2);
        company.assert_told(0, &["one", &long, "four"]).await;
        company.assert_told(1, &["one", "two", "three", "four"]).await;
        drop(memberships);
        Ok(())
    });
}

#[test]
fn what_a_member_leaves_untaken_counts_in_the_turns_behind() {
    among(2, async |company| {
        let room = Broadcast::with_policy(Slow::Skip, 100);
        let memberships = company.join_all(&room);
        company.clients[0].peer.set_capacity(0);
        let message = "x".repeat(60);
        for n_taken in [2, 2, 1, 1] {
            assert_eq!(room.send(message.as_str()), n_taken);
            turns(3).await;
        }
        company.clients[0].peer.set_capacity(1000);
        turns(3).await;
        assert_eq!(room.send("last"), 2);
        company.assert_told(0, &[&message, &message, "last"]).await;
        company.assert_told(1, &[&message, &message, &message, &message, "last"]).await;
        drop(memberships);
        Ok(())
    });
}

#[test]
fn who_has_gone_in_a_turn_before_is_not_counted() {
    among(5, async |company| {
        let room = Broadcast::new();
        let memberships = company.join_all(&room);
        assert_eq!(room.send("one"), 5);
        turns(3).await;
        company.clients[0].peer.reset();
        company.clients[1].peer.close_write();
        company.clients[2].send_close(1000, "");
        // More than is received.
        (0..20).for_each(|_| company.clients[4].send("unheard"));
        company.clients[4].peer.close_write();
        turns(3).await;
        assert_eq!(room.send("two"), 1);
        assert_eq!(room.len(), 1);
        for nth in [1, 2, 4] {
            assert_eq!(company.clients[nth].text_message().await, "one");
            assert!(!matches!(company.clients[nth].event().await, Some(Event::Message(_))));
        }
        company.assert_told(3, &["one", "two"]).await;
        drop(memberships);
        Ok(())
    });
}

#[test]
fn who_closes_hears_what_it_is_counted_for_and_nothing_behind_the_close_frame() {
    among(2, async |company| {
        let room = Broadcast::new();
        let memberships = company.join_all(&room);
        company.clients[0].send_close(1000, "");
        let mut n_taken = 0;
        for _ in 0..5 {
            n_taken += room.send("one") - 1;
            turns(1).await;
        }
        let mut n_heard = 0;
        while let Some(Event::Message(_)) = company.clients[0].event().await {
            n_heard += 1;
        }
        assert_eq!(n_heard, n_taken);
        assert!(company.clients[0].event().await.is_none());
        drop(memberships);
        Ok(())
    });
}

#[test]
fn what_was_said_is_heard_though_all_leave_and_the_room_is_gone_before_the_turn_ends() {
    among(2, async |company| {
        let room = Broadcast::new();
        let memberships = company.join_all(&room);
        assert_eq!([room.send("one"), room.send("two")], [2; 2]);
        let n_writes = company.n_writes();
        drop((memberships, room));
        turns(3).await;
        assert_eq!(company.n_writes(), n_writes.iter().map(|n_writes| n_writes + 1).collect::<Vec<_>>());
        for client in &company.clients {
            assert_eq!(client.text_message().await, "one");
            assert_eq!(client.text_message().await, "two");
        }
        Ok(())
    });
}

#[test]
fn a_message_in_pieces_does_not_hold_up_the_room_in_the_turns_behind() {
    among(2, async |company| {
        let room = Broadcast::new();
        let memberships = company.join_all(&room);
        assert_eq!(room.send("one"), 2);
        turns(3).await;
        let mut message = company.sockets[0].start_message(MessageKind::Text).await?;
        message.write(b"be").await?;
        assert_eq!(room.send("two"), 2);
        turns(3).await;
        company.assert_told(1, &["one", "two"]).await;
        message.write(b"tween").await?;
        message.finish()?;
        assert_eq!(room.send("three"), 2);
        company.assert_told(0, &["one", "between", "two", "three"]).await;
        company.assert_told(1, &["three"]).await;
        drop(memberships);
        Ok(())
    });
}

#[test]
fn whatever_happens_within_a_turn_everybody_hears_what_was_meant_for_them_in_its_order() {
    const N_CLIENTS: usize = 4;
    among(N_CLIENTS, async |company| {
        let rooms = [Broadcast::new(), Broadcast::new()];
        let mut memberships: Vec<(usize, usize, Membership)> = Vec::new();
        let mut random = Random(1);
        for round in 0..300 {
            let mut expected = vec![Vec::new(); N_CLIENTS];
            for n in 0..random.below(40) {
                let room = random.below(2);
                let who = random.below(N_CLIENTS);
                let socket = &company.sockets[who];
                let text = format!("{round} {n} of {room} or {who}");
                let text = if random.below(12) == 0 { text.repeat(LARGE / text.len() + 1) } else { text };
                let members = memberships.iter().filter(|member| member.0 == room).map(|member| member.1);
                match random.below(20) {
                    0..10 => {
                        members.for_each(|member| expected[member].push(text.clone()));
                        rooms[room].send(text);
                    }
                    10..13 => {
                        members.filter(|member| *member != who).for_each(|member| expected[member].push(text.clone()));
                        rooms[room].send_where(text, |member| member != socket);
                    }
                    13..15 => {
                        expected[who].push(text.clone());
                        socket.try_send(text)?;
                    }
                    15 => {
                        let mut message = socket.start_message(MessageKind::Text).await?;
                        expected[who].push(text.clone());
                        members.for_each(|member| expected[member].push(text.clone()));
                        rooms[room].send(text.clone());
                        message.write(text.as_bytes()).await?;
                        message.finish()?;
                    }
                    16 if !memberships.is_empty() => drop(memberships.swap_remove(random.below(memberships.len()))),
                    17 | 18 if memberships.len() < 2 * N_CLIENTS => {
                        memberships.push((room, who, rooms[room].join(socket)?));
                    }
                    _ => turns(1).await,
                }
            }
            for (nth, expected) in expected.iter().enumerate() {
                let expected: Vec<_> = expected.iter().map(String::as_str).collect();
                company.assert_told(nth, &expected).await;
            }
        }
        memberships.clear();
        Ok(())
    });
}

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's, of MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}
