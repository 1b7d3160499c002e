//! What a member is sent in one turn, by rooms and by itself, comes in the order in which it was said.

use std::cell::RefCell;
use std::rc::Rc;

use foster::testing::{InMemoryHttpServer, serve_http};
use foster::websocket::{Broadcast, Config, Event, Membership, MessageKind, Slow, WebSocket, websocket};
use foster::{Handler, Nursery};

use crate::client::{Client, open};
use crate::stage::{config, paused, turns};

/// Beyond this, messages are not copied.
const LARGE: usize = 10_000;

type Sockets = Rc<RefCell<Vec<WebSocket>>>;

/// A server that keeps the WebSockets for the test, in the order in which they come.
fn keep(nursery: &Nursery) -> (InMemoryHttpServer<impl Handler + use<>>, Sockets) {
    let kept = Sockets::default();
    let sockets = kept.clone();
    let keeps = move |websocket: WebSocket| {
        let sockets = sockets.clone();
        async move {
            websocket.accept()?;
            sockets.borrow_mut().push(websocket.clone());
            websocket.closed().await;
            foster::Ok(())
        }
    };
    (serve_http(nursery, websocket(Config::new(), keeps), config()), kept)
}

async fn open_all<H: Handler>(server: &InMemoryHttpServer<H>, n_clients: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..n_clients {
        clients.push(open(server).await);
    }
    turns(5).await;
    clients
}

fn join_all(room: &Broadcast, sockets: &Sockets) -> Vec<Membership> {
    sockets.borrow().iter().map(|socket| room.join(socket).expect("it is open")).collect()
}

/// The nth client is told this, and nothing more.
async fn assert_told(clients: &[Client], sockets: &Sockets, nth: usize, expected: &[&str]) {
    sockets.borrow()[nth].try_send("that is all").expect("it is open");
    for message in expected.iter().chain(&["that is all"]) {
        assert_eq!(clients[nth].text_message().await, *message);
    }
}

#[test]
fn the_messages_of_a_turn_leave_with_one_write() {
    paused(async |nursery| {
        let (server, sockets) = keep(&nursery);
        let clients = open_all(&server, 3).await;
        let room = Broadcast::new();
        let memberships = join_all(&room, &sockets);
        let n_writes: Vec<_> = clients.iter().map(|client| client.peer.n_writes()).collect();
        assert_eq!([room.send("one"), room.send("two"), room.send("three")], [3; 3]);
        turns(3).await;
        for (nth, n_writes) in n_writes.into_iter().enumerate() {
            assert_eq!(clients[nth].peer.n_writes(), n_writes + 1);
            assert_told(&clients, &sockets, nth, &["one", "two", "three"]).await;
        }
        drop(memberships);
        clients.iter().for_each(|client| client.peer.close());
        Ok(())
    });
}

#[test]
fn what_a_member_says_itself_comes_between_the_messages_of_the_room() {
    paused(async |nursery| {
        let (server, sockets) = keep(&nursery);
        let clients = open_all(&server, 2).await;
        let room = Broadcast::new();
        let memberships = join_all(&room, &sockets);
        let first = sockets.borrow()[0].clone();
        first.try_send("hello")?;
        room.send("one");
        first.try_send("between")?;
        room.send("two");
        room.send("three");
        assert_told(&clients, &sockets, 0, &["hello", "one", "between", "two", "three"]).await;
        assert_told(&clients, &sockets, 1, &["one", "two", "three"]).await;
        drop(memberships);
        clients.iter().for_each(|client| client.peer.close());
        Ok(())
    });
}

#[test]
fn a_member_of_two_rooms_hears_them_in_turns() {
    paused(async |nursery| {
        let (server, sockets) = keep(&nursery);
        let clients = open_all(&server, 2).await;
        let (hall, kitchen) = (Broadcast::new(), Broadcast::new());
        let in_hall = join_all(&hall, &sockets);
        let in_kitchen = kitchen.join(&sockets.borrow()[1])?;
        hall.send("one");
        kitchen.send("two");
        hall.send("three");
        kitchen.send("four");
        assert_told(&clients, &sockets, 0, &["one", "three"]).await;
        assert_told(&clients, &sockets, 1, &["one", "two", "three", "four"]).await;
        drop((in_hall, in_kitchen));
        clients.iter().for_each(|client| client.peer.close());
        Ok(())
    });
}

#[test]
fn who_joins_twice_hears_everything_twice() {
    paused(async |nursery| {
        let (server, sockets) = keep(&nursery);
        let clients = open_all(&server, 2).await;
        let room = Broadcast::new();
        let once = join_all(&room, &sockets);
        assert_eq!(room.send("one"), 2);
        let again = room.join(&sockets.borrow()[0])?;
        assert_eq!([room.send("two"), room.send("three")], [3, 3]);
        assert_told(&clients, &sockets, 0, &["one", "two", "two", "three", "three"]).await;
        assert_eq!(room.send("four"), 3);
        drop(again);
        assert_eq!(room.send("five"), 2);
        assert_told(&clients, &sockets, 0, &["four", "four", "five"]).await;
        assert_told(&clients, &sockets, 1, &["one", "two", "three", "four", "five"]).await;
        drop(once);
        clients.iter().for_each(|client| client.peer.close());
        Ok(())
    });
}

#[test]
fn who_comes_and_goes_within_a_turn_hears_what_is_said_meanwhile() {
    paused(async |nursery| {
        let (server, sockets) = keep(&nursery);
        let clients = open_all(&server, 2).await;
        let room = Broadcast::new();
        let (first, second) = (sockets.borrow()[0].clone(), sockets.borrow()[1].clone());
        let stays = room.join(&first)?;
        assert_eq!(room.send("one"), 1);
        let comes = room.join(&second)?;
        assert_eq!([room.send("two"), room.send("three")], [2, 2]);
        drop(comes);
        assert_eq!(room.send("four"), 1);
        assert_told(&clients, &sockets, 0, &["one", "two", "three", "four"]).await;
        assert_told(&clients, &sockets, 1, &["two", "three"]).await;
        drop(stays);
        assert_eq!(room.send("nobody"), 0);
        clients.iter().for_each(|client| client.peer.close());
        Ok(())
    });
}

#[test]
fn who_closes_within_a_turn_hears_what_was_said_before() {
    paused(async |nursery| {
        let (server, sockets) = keep(&nursery);
        let clients = open_all(&server, 2).await;
        let room = Broadcast::new();
        let memberships = join_all(&room, &sockets);
        let first = sockets.borrow()[0].clone();
        nursery.start_soon(async move {
            first.close(1000, "enough").await?;
            Ok(())
        });
        assert_eq!(room.send("one"), 2);
        turns(1).await;
        assert_eq!(room.send("two"), 1);
        assert_eq!(room.len(), 1);
        assert_eq!(clients[0].text_message().await, "one");
        assert!(matches!(clients[0].event().await, Some(Event::Close(_))));
        clients[0].answer_close();
        assert_told(&clients, &sockets, 1, &["one", "two"]).await;
        drop(memberships);
        clients.iter().for_each(|client| client.peer.close());
        Ok(())
    });
}

#[test]
fn the_limit_of_a_slow_member_counts_what_it_is_sent_within_the_turn() {
    paused(async |nursery| {
        let (server, sockets) = keep(&nursery);
        let clients = open_all(&server, 2).await;
        let room = Broadcast::with_policy(Slow::Skip, 100);
        let memberships = join_all(&room, &sockets);
        sockets.borrow()[0].try_send("y".repeat(60))?;
        let message = "x".repeat(60);
        // What each has unsent before: 62 and 0, 124 and 62, 124 and 124.
        assert_eq!([0; 3].map(|_| room.send(message.as_str())), [2, 1, 0]);
        assert_told(&clients, &sockets, 0, &[&"y".repeat(60), &message]).await;
        assert_told(&clients, &sockets, 1, &[&message, &message]).await;
        drop(memberships);
        clients.iter().for_each(|client| client.peer.close());
        Ok(())
    });
}

#[test]
fn whatever_happens_within_a_turn_everybody_hears_what_was_meant_for_them_in_its_order() {
    const N_CLIENTS: usize = 4;
    paused(async |nursery| {
        let (server, sockets) = keep(&nursery);
        let clients = open_all(&server, N_CLIENTS).await;
        let rooms = [Broadcast::new(), Broadcast::new()];
        let mut memberships: Vec<(usize, usize, Membership)> = Vec::new();
        let mut random = Random(1);
        for round in 0..300 {
            let mut expected = vec![Vec::new(); N_CLIENTS];
            for n in 0..random.below(40) {
                let room = random.below(2);
                let who = random.below(N_CLIENTS);
                let socket = sockets.borrow()[who].clone();
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
                        rooms[room].send_where(text, |member| *member != socket);
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
                        memberships.push((room, who, rooms[room].join(&socket)?));
                    }
                    _ => turns(1).await,
                }
            }
            for (nth, expected) in expected.iter().enumerate() {
                let expected: Vec<_> = expected.iter().map(String::as_str).collect();
                assert_told(&clients, &sockets, nth, &expected).await;
            }
        }
        memberships.clear();
        clients.iter().for_each(|client| client.peer.close());
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
