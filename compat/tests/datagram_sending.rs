//! What waits to be sent: flow control, the order, and the end. Over Unix sockets, whose peers can be too slow.

#![cfg(all(feature = "testing", target_os = "linux"))]

mod datagrams;
mod journal;
mod stage;

use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use datagrams::{KINDS, Kind, Script};
use foster_compat::{
    Address, DatagramTransportRef, Loop, Nursery, ProtocolHandle, Result, ValueError, create_datagram_endpoint,
    open_nursery, sleep,
};
use journal::{Boom, Journal};
use stage::{bounded, real, turns, until};

#[test]
fn what_the_peer_has_no_room_for_waits_and_comes_in_order() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let (transport, peer) = connected(&nursery, Script::new(&journal).kind(kind)).await?;
            let n_sent = fill(&transport, 10)?;
            assert_eq!(transport.get_write_buffer_size(), 10 * (numbered(0).len() + 8));
            for n in 0..n_sent {
                assert_eq!(next(&peer).await, numbered(n));
            }
            assert_eq!(transport.get_write_buffer_size(), 0);
            transport.close();
            Ok(())
        });
        assert_eq!(journal.said(), "made lost");
    }
}

#[test]
fn the_protocol_is_paused_above_the_high_mark_and_resumed_at_the_low_one() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let (transport, peer) = connected(&nursery, Script::new(&journal).kind(kind)).await?;
            transport.set_write_buffer_limits(Some(35), Some(15))?;
            assert_eq!(transport.get_write_buffer_limits(), (15, 35));
            // Each is 7 bytes and 8 more.
            fill(&transport, 2)?;
            assert!(!transport.is_writing_paused());
            transport.sendto(&[b'x'; 7], None)?;
            assert!(transport.is_writing_paused() && journal.peek() == "made pause");
            while transport.is_writing_paused() {
                next(&peer).await;
            }
            assert!(transport.get_write_buffer_size() <= 15);
            transport.abort();
            Ok(())
        });
        assert_eq!(journal.said(), "made pause resume lost");
    }
}

#[test]
fn an_empty_datagram_counts_eight_bytes() {
    real(async |nursery| {
        let (transport, peer) = connected(&nursery, Script::new(&Journal::default())).await?;
        let n_sent = fill(&transport, 1)?;
        let before = transport.get_write_buffer_size();
        transport.sendto(b"", None)?;
        assert_eq!(transport.get_write_buffer_size(), before + 8);
        for _ in 0..n_sent {
            next(&peer).await;
        }
        assert_eq!(next(&peer).await, "");
        transport.close();
        Ok(())
    });
}

#[test]
fn a_shared_protocol_is_paused_inside_sendto_and_an_exclusive_one_after_the_callback() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let words = journal.clone();
            let script = Script::new(&journal).kind(kind).on_made(move |transport| {
                transport.set_write_buffer_limits(Some(0), None)?;
                fill(transport, 1)?;
                assert!(transport.is_writing_paused(), "which is exact at once");
                words.say("after");
                Ok(())
            });
            let (transport, _peer) = connected(&nursery, script).await?;
            transport.abort();
            Ok(())
        });
        let expected = match kind {
            Kind::Shared => "made pause after lost",
            Kind::Exclusive => "made after pause lost",
        };
        assert_eq!(journal.said(), expected);
    }
}

#[test]
fn a_closure_on_the_handle_puts_callbacks_off_like_a_callback() {
    let journal = Journal::default();
    real(async |nursery| {
        let script = datagrams::Exclusive(Script::new(&journal));
        let (ours, _theirs) = UnixDatagram::pair()?;
        let made = create_datagram_endpoint(&nursery, || script).sock(ours).await?;
        let (transport, handle): (DatagramTransportRef, ProtocolHandle<datagrams::Exclusive>) = made;
        transport.set_write_buffer_limits(Some(0), None)?;
        let words = journal.clone();
        handle.with(|_| {
            fill(&transport, 1)?;
            words.say("inside");
            Ok::<_, foster_compat::Error>(())
        })?;
        transport.abort();
        Ok(())
    });
    assert_eq!(journal.said(), "made inside pause lost");
}

#[test]
fn close_sends_what_waits_and_then_calls_connection_lost() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let (transport, peer) = connected(&nursery, Script::new(&journal).kind(kind)).await?;
            transport.set_write_buffer_limits(Some(0), None)?;
            let n_sent = fill(&transport, 5)?;
            transport.close();
            assert!(transport.is_closing());
            turns(5).await;
            journal.say("waits");
            for n in 0..n_sent {
                assert_eq!(next(&peer).await, numbered(n));
            }
            transport.closed().await;
            Ok(())
        });
        assert_eq!(journal.said(), "made pause waits resume lost");
    }
}

#[test]
fn abort_drops_what_waits_also_after_close() {
    for closes_first in [false, true] {
        let journal = Journal::default();
        real(async |nursery| {
            let (transport, peer) = connected(&nursery, Script::new(&journal)).await?;
            let n_sent = fill(&transport, 5)?;
            if closes_first {
                transport.close();
            }
            transport.abort();
            transport.abort();
            assert_eq!(transport.get_write_buffer_size(), 0);
            assert_eq!(transport.closed().await.map(|err| err.to_string()), None);
            peer.set_nonblocking(true)?;
            let n_received = std::iter::from_fn(|| peer.recv(&mut [0; 9]).ok()).count();
            assert_eq!(n_received, n_sent as usize - 5);
            Ok(())
        });
        assert_eq!(journal.said(), "made lost");
    }
}

#[test]
fn who_waits_for_room_goes_on_when_there_is_some_and_is_told_of_the_end() {
    real(async |nursery| {
        let (transport, peer) = connected(&nursery, Script::new(&Journal::default())).await?;
        transport.drained().await?;
        transport.set_write_buffer_limits(Some(0), None)?;
        let n_sent = fill(&transport, 3)?;
        let journal = Journal::default();
        let (waiting, words) = (transport.clone(), journal.clone());
        nursery.start_soon(async move {
            waiting.drained().await?;
            words.say("drained");
            fill(&waiting, 1)?;
            words.say(waiting.drained().await.expect_err("it ends").to_string());
            foster_compat::Ok(())
        });
        turns(3).await;
        for _ in 0..n_sent {
            next(&peer).await;
        }
        until(|| journal.peek() == "drained").await;
        transport.abort();
        until(|| journal.peek() == "drained Connection lost").await;
        Ok(())
    });
}

#[test]
fn limits_follow_the_rules_of_streams() {
    real(async |nursery| {
        let (transport, _peer) = connected(&nursery, Script::new(&Journal::default())).await?;
        assert_eq!(transport.get_write_buffer_limits(), (16_384, 65_536));
        transport.set_write_buffer_limits(None, Some(100))?;
        assert_eq!(transport.get_write_buffer_limits(), (100, 400));
        let err = transport.set_write_buffer_limits(Some(100), Some(200)).expect_err("low above high");
        assert_eq!(err.to_string(), "high (100) must be >= low (200) must be >= 0");
        assert!(err.is::<ValueError>());
        transport.close();
        Ok(())
    });
}

#[test]
fn an_error_while_the_queue_is_sent_costs_one_datagram_and_the_others_follow() {
    let journal = Journal::default();
    real(async |nursery| {
        let script = Script::new(&journal).on_error(|_, _| Err(Boom.into()));
        journal.report(&Loop::new(&nursery));
        let (transport, peer) = connected(&nursery, script).await?;
        fill(&transport, 3)?;
        drop(peer);
        until(|| transport.get_write_buffer_size() == 0).await;
        assert!(!transport.is_closing());
        transport.close();
        Ok(())
    });
    let said = journal.said();
    assert_eq!(said.matches("[Exception in callback error_received: boom]").count(), 3, "{said}");
    // The kernel says no more than once that the peer is gone; after that there is none.
    assert!(said.starts_with("made ECONNREFUSED ") && said.ends_with(" lost"), "{said}");
}

#[test]
fn a_peer_that_makes_room_without_telling_is_tried_again() {
    real(async |nursery| {
        // The queue of the peer is full of what others have sent, so the kernel will not tell this sender of room.
        let directory = Directory::new();
        let (crowded, own) = (directory.path("crowded"), directory.path("own"));
        let peer = UnixDatagram::bind(&crowded)?;
        let others = UnixDatagram::unbound()?;
        others.set_nonblocking(true)?;
        while others.send_to(b"crowd", &crowded).is_ok() {}
        let script = Script::new(&Journal::default());
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_path(&own).await?;
        let address = Address::Unix(crowded.clone());
        transport.sendto(b"at last", Some(&address))?;
        assert_eq!(transport.get_write_buffer_size(), 7 + 8);
        sleep(Duration::from_millis(5)).await;
        while next(&peer).await == "crowd" {
            turns(1).await;
        }
        assert_eq!(transport.get_write_buffer_size(), 0);
        transport.close();
        Ok(())
    });
}

#[test]
fn unix_endpoints_talk_by_paths() {
    let journal = Journal::default();
    real(async |nursery| {
        let directory = Directory::new();
        let (server_path, client_path) = (directory.path("server"), directory.path("client"));
        // A socket file that an earlier process has left.
        drop(UnixDatagram::bind(&server_path)?);
        let script = Script::echo(&Journal::default());
        let (server, ()) = create_datagram_endpoint(&nursery, || script).local_path(&server_path).await?;
        assert_eq!(server.sockname(), Some(Address::Unix(server_path.clone())));
        let words = journal.clone();
        let script = Script::new(&journal).on_datagram(move |transport, _, addr| {
            words.say(format!("{}", Some(addr) == transport.peername().as_ref()));
            transport.close();
            Ok(())
        });
        let client = create_datagram_endpoint(&nursery, || script).local_path(&client_path).remote_path(&server_path);
        let (client, ()) = client.await?;
        client.sendto(b"hi", None)?;
        client.closed().await;
        let err = client.sendto(b"x", Some(&Address::Unix(client_path))).expect_err("there is one peer");
        assert_eq!(err.to_string(), format!("Invalid address: must be None or {server_path}"));
        server.close();
        Ok(())
    });
    assert_eq!(journal.said(), "made 'hi' true lost");
}

#[test]
fn unix_endpoints_talk_by_abstract_names() {
    let journal = Journal::default();
    real(async |nursery| {
        let name = format!("\0foster-{}-{}", std::process::id(), N_NAMES.fetch_add(1, Ordering::Relaxed));
        let script = Script::echo(&Journal::default());
        let (server, ()) = create_datagram_endpoint(&nursery, || script).local_path(&name).await?;
        let script = Script::new(&journal);
        let client = create_datagram_endpoint(&nursery, || script).local_path(format!("{name}-client"));
        let (client, ()) = client.await?;
        client.sendto(b"hi", Some(&Address::Unix(name)))?;
        until(|| journal.peek().contains("hi")).await;
        server.close();
        client.close();
        Ok(())
    });
    assert_eq!(journal.said(), "made 'hi' lost");
}

#[test]
fn a_path_that_cannot_be_bound_or_connected_is_named_in_the_error() {
    let journal = Journal::default();
    let ended = bounded(false, async {
        open_nursery(async |nursery: Nursery| {
            let script = Script::new(&journal);
            let missing = create_datagram_endpoint(&nursery, || script).remote_path("/nowhere/at/all").await;
            let err = missing.expect_err("nobody is there");
            assert!(err.to_string().starts_with("cannot connect to \"/nowhere/at/all\": "), "{err}");
            let script = Script::new(&journal);
            create_datagram_endpoint(&nursery, || script).local_path("/nowhere/at/all").await?;
            Ok(())
        })
        .await?;
        Ok(())
    });
    let err = ended.expect_err("there is no such directory").to_string();
    assert!(err.contains("cannot bind \"/nowhere/at/all\": "), "{err}");
    assert_eq!(journal.said(), "");
}

/// An endpoint whose peer is a plain socket that reads only when it is told to.
async fn connected(nursery: &Nursery, script: Script) -> Result<(DatagramTransportRef, UnixDatagram)> {
    let (ours, theirs) = UnixDatagram::pair()?;
    let (transport, ()) = create_datagram_endpoint(nursery, || script).sock(ours).await?;
    Ok((transport, theirs))
}

fn numbered(n: u32) -> String {
    format!("{n:07}")
}

/// Sends numbered datagrams until so many of them wait; gives their number.
fn fill(transport: &DatagramTransportRef, n_waiting: usize) -> Result<u32> {
    let mut n = 0;
    while transport.get_write_buffer_size() < n_waiting * (7 + 8) {
        transport.sendto(numbered(n).as_bytes(), None)?;
        n += 1;
    }
    Ok(n)
}

/// What the peer receives next, while the loop goes on.
async fn next(peer: &UnixDatagram) -> String {
    peer.set_nonblocking(true).expect("a socket can be told not to block");
    let mut buffer = [0; 100];
    let mut received = None;
    until(|| {
        received = peer.recv(&mut buffer).ok();
        received.is_some()
    })
    .await;
    String::from_utf8_lossy(&buffer[..received.unwrap_or(0)]).into_owned()
}

static N_NAMES: AtomicU32 = AtomicU32::new(0);

/// A directory that is removed when it is dropped.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new() -> Self {
        let name = format!("foster-datagrams-{}-{}", std::process::id(), N_NAMES.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("the directory is new");
        Directory(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("the path is text").to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left is in the way of nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
