//! Datagrams that come and go, and the order of the callbacks.

#![cfg(feature = "testing")]

mod datagrams;
mod journal;
mod stage;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use datagrams::{KINDS, Script, own_address, peer, receive};
use foster_compat::{Address, DatagramTransportRef, Loop, Shared, create_datagram_endpoint};
use journal::{Journal, logged};
use stage::{real, turns, until};

#[test]
fn a_datagram_comes_with_its_sender_and_an_answer_goes_back() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let factory = || {
                journal.say("factory");
                Script::new(&journal)
                    .kind(kind)
                    .on_datagram(|transport, data, addr| transport.sendto(&data.to_ascii_uppercase(), Some(addr)))
            };
            let (transport, ()) = create_datagram_endpoint(&nursery, factory).local_addr("127.0.0.1", 0).await?;
            journal.say("ready");
            let peer = peer();
            peer.send_to(b"hi", own_address(&transport))?;
            until(|| journal.peek().contains("hi")).await;
            assert_eq!(receive(&peer), "HI");
            transport.close();
            assert_eq!(transport.closed().await.map(|err| err.to_string()), None);
            Ok(())
        });
        assert_eq!(journal.said(), "factory made ready 'hi' lost", "{kind:?}");
    }
}

#[test]
fn the_endpoint_is_given_after_connection_made_and_before_a_datagram_that_is_there_already() {
    let journal = Journal::default();
    real(async |nursery| {
        let (socket, peer) = (peer(), peer());
        peer.send_to(b"early", socket.local_addr()?)?;
        let script = Script::new(&journal).on_made(|transport| {
            assert!(!transport.is_closing() && transport.is_reading());
            Ok(())
        });
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).sock(socket).await?;
        journal.say("given");
        until(|| journal.peek().contains("early")).await;
        transport.close();
        Ok(())
    });
    assert_eq!(journal.said(), "made given 'early' lost");
}

#[test]
fn what_connection_made_queues_runs_before_the_endpoint_is_given() {
    let journal = Journal::default();
    real(async |nursery| {
        let loop_ = Loop::new(&nursery);
        let (soon, inner) = (journal.clone(), loop_.clone());
        let script = Script::new(&journal).on_made(move |_| {
            inner.call_soon(soon.says("soon"));
            Ok(())
        });
        let (transport, ()) = loop_.create_datagram_endpoint(|| script).local_addr("127.0.0.1", 0).await?;
        journal.say("given");
        transport.abort();
        Ok(())
    });
    assert_eq!(journal.said(), "made soon given lost");
}

#[test]
fn empty_datagrams_are_sent_and_received() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let script = Script::echo(&journal).kind(kind);
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
            let peer = peer();
            peer.send_to(b"", own_address(&transport))?;
            until(|| journal.peek().contains("''")).await;
            assert_eq!(receive(&peer), "");
            transport.close();
            Ok(())
        });
        assert_eq!(journal.said(), "made '' lost");
    }
}

#[test]
fn the_largest_datagram_comes_whole() {
    real(async |nursery| {
        let done = Journal::default();
        let inner = done.clone();
        let script = Script::new(&Journal::default()).on_datagram(move |transport, data, addr| {
            inner.say("done");
            transport.sendto(&data[1..], Some(addr))
        });
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
        let peer = peer();
        let sent = format!("a{}z", "x".repeat(65_505));
        peer.send_to(sent.as_bytes(), own_address(&transport))?;
        until(|| done.peek() == "done").await;
        assert!(receive(&peer) == sent[1..]);
        transport.close();
        Ok(())
    });
}

#[test]
fn what_a_datagram_queues_runs_before_the_next_datagram() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let (soon, inner) = (journal.clone(), Loop::new(&nursery));
            let script = Script::new(&journal).kind(kind).on_datagram(move |transport, data, _| {
                match data {
                    b"a" => drop(inner.call_soon(soon.says("soon"))),
                    b"c" => transport.close(),
                    _ => {}
                }
                Ok(())
            });
            let (socket, peer) = (peer(), peer());
            for data in [b"a", b"b", b"c", b"d"] {
                peer.send_to(data, socket.local_addr()?)?;
            }
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).sock(socket).await?;
            transport.closed().await;
            Ok(())
        });
        assert_eq!(journal.said(), "made 'a' soon 'b' 'c' lost", "nothing comes after close");
    }
}

#[test]
fn a_timer_that_is_due_comes_after_one_more_datagram_as_in_asyncio() {
    let journal = Journal::default();
    real(async |nursery| {
        let (timer, inner) = (journal.clone(), Loop::new(&nursery));
        let script = Script::new(&journal).on_datagram(move |transport, data, _| {
            match data {
                b"a" => drop(inner.call_later(Duration::ZERO, timer.says("timer"))),
                b"c" => transport.close(),
                _ => {}
            }
            Ok(())
        });
        let (socket, peer) = (peer(), peer());
        for data in [b"a", b"b", b"c"] {
            peer.send_to(data, socket.local_addr()?)?;
        }
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).sock(socket).await?;
        transport.closed().await;
        Ok(())
    });
    assert_eq!(journal.said(), "made 'a' 'b' timer 'c' lost");
}

#[test]
fn endpoints_with_much_to_receive_take_turns() {
    let journal = Journal::default();
    real(async |nursery| {
        let (one, other, peer) = (peer(), peer(), peer());
        for data in ["1", "2", "3"] {
            peer.send_to(format!("a{data}").as_bytes(), one.local_addr()?)?;
            peer.send_to(format!("b{data}").as_bytes(), other.local_addr()?)?;
        }
        let quiet = || {
            Script::new(&journal).on_made(|transport| {
                transport.pause_reading();
                Ok(())
            })
        };
        let (one, ()) = create_datagram_endpoint(&nursery, quiet).sock(one).await?;
        let (other, ()) = create_datagram_endpoint(&nursery, quiet).sock(other).await?;
        turns(3).await;
        one.resume_reading();
        other.resume_reading();
        until(|| journal.peek().contains("b3") && journal.peek().contains("a3")).await;
        one.close();
        other.close();
        Ok(())
    });
    assert_eq!(journal.said(), "made made 'a1' 'b1' 'a2' 'b2' 'a3' 'b3' lost lost");
}

#[test]
fn an_endpoint_that_never_ends_receiving_starves_nobody() {
    real(async |nursery| {
        let n_received = Rc::new(Cell::new(0_u32));
        let counter = n_received.clone();
        // It sends each datagram to itself, so that there is always one more.
        let script = Script::new(&Journal::default()).on_datagram(move |transport, data, _| {
            counter.set(counter.get() + 1);
            transport.sendto(data, transport.sockname().as_ref())
        });
        let (busy, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
        busy.sendto(b"again", busy.sockname().as_ref())?;
        until(|| n_received.get() > 100).await;
        let journal = Journal::default();
        let echo = Script::echo(&journal);
        let (other, ()) = create_datagram_endpoint(&nursery, || echo).local_addr("127.0.0.1", 0).await?;
        peer().send_to(b"hello", own_address(&other))?;
        until(|| journal.peek().contains("hello")).await;
        busy.abort();
        other.close();
        Ok(())
    });
}

#[test]
fn after_close_an_unconnected_endpoint_still_sends_until_connection_lost() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let script = Script::new(&journal).kind(kind).on_datagram(|transport, _, addr| {
                transport.close();
                transport.sendto(b"late", Some(addr))
            });
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
            let peer = peer();
            let address = Address::from(peer.local_addr()?);
            peer.send_to(b"a", own_address(&transport))?;
            transport.closed().await;
            assert_eq!(receive(&peer), "late");
            transport.sendto(b"too late", Some(&address))?;
            peer.set_nonblocking(true)?;
            assert!(peer.recv(&mut [0]).is_err(), "nothing is sent after connection_lost");
            Ok(())
        });
        assert_eq!(journal.said(), "made 'a' lost");
    }
}

#[test]
fn after_close_a_connected_endpoint_drops_and_complains_from_the_fifth_on() {
    let (logged, guard) = logged();
    let journal = Journal::default();
    real(async |nursery| {
        let peer = peer();
        let script = Script::new(&journal).on_made(|transport| {
            transport.close();
            (0..8).try_for_each(|_| transport.sendto(b"x", None))
        });
        let port = peer.local_addr()?.port();
        create_datagram_endpoint(&nursery, || script).remote_addr("127.0.0.1", port).await?;
        journal.say("ready");
        peer.set_nonblocking(true)?;
        assert!(peer.recv(&mut [0]).is_err(), "nothing was sent");
        Ok(())
    });
    drop(guard);
    assert_eq!(journal.said(), "made lost ready");
    assert_eq!(logged.lines(), ["socket.send() raised exception."; 4]);
}

#[test]
fn a_connected_endpoint_sends_to_its_peer_and_to_nobody_else() {
    let journal = Journal::default();
    real(async |nursery| {
        let (peer, stranger) = (peer(), peer());
        let address = Address::from(peer.local_addr()?);
        let script = Script::new(&journal);
        let port = peer.local_addr()?.port();
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).remote_addr("127.0.0.1", port).await?;
        assert_eq!(transport.peername(), Some(address.clone()));
        transport.sendto(b"to the peer", None)?;
        assert_eq!(receive(&peer), "to the peer");
        transport.sendto(b"by its name", Some(&address))?;
        assert_eq!(receive(&peer), "by its name");
        let err = transport.sendto(b"", Some(&stranger.local_addr()?.into())).expect_err("there is one peer");
        assert_eq!(err.to_string(), format!("Invalid address: must be None or ('127.0.0.1', {port})"));
        assert!(err.is::<foster_compat::ValueError>());
        stranger.send_to(b"unheard", own_address(&transport))?;
        peer.send_to(b"heard", own_address(&transport))?;
        until(|| journal.peek().contains("heard")).await;
        transport.close();
        Ok(())
    });
    assert_eq!(journal.said(), "made 'heard' lost");
}

#[test]
fn an_address_that_makes_no_sense_is_the_callers_error_and_ends_nothing() {
    real(async |nursery| {
        let script = Script::new(&Journal::default());
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
        let nobody = transport.sendto(b"x", None).expect_err("somebody has to be named");
        let path = transport.sendto(b"x", Some(&Address::Unix("/path".into()))).expect_err("UDP has no paths");
        assert!(nobody.is::<foster_compat::ValueError>() && path.is::<foster_compat::ValueError>());
        assert!(nobody.to_string().contains("needs the address of the receiver"), "{nobody}");
        assert!(path.to_string().contains("not unix:/path"), "{path}");
        assert!(!transport.is_closing());
        transport.close();
        Ok(())
    });
}

#[test]
fn paused_reading_leaves_datagrams_in_the_kernel() {
    let journal = Journal::default();
    real(async |nursery| {
        let script = Script::new(&journal).on_datagram(|transport, data, _| {
            if data == b"one" {
                transport.pause_reading();
            }
            Ok(())
        });
        let (socket, peer) = (peer(), peer());
        for data in ["one", "two", "three"] {
            peer.send_to(data.as_bytes(), socket.local_addr()?)?;
        }
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).sock(socket).await?;
        until(|| journal.peek().contains("one")).await;
        turns(5).await;
        assert!(!transport.is_reading());
        journal.say("resume_reading");
        transport.resume_reading();
        until(|| journal.peek().contains("three")).await;
        transport.close();
        Ok(())
    });
    assert_eq!(journal.said(), "made 'one' resume_reading 'two' 'three' lost");
}

#[test]
fn the_next_callback_goes_to_the_new_protocol() {
    let (first, second) = (Journal::default(), Journal::default());
    real(async |nursery| {
        let next = second.clone();
        let script = Script::new(&first).on_datagram(move |transport, _, _| {
            transport.set_protocol(Shared(Script::new(&next)));
            Ok(())
        });
        let (socket, peer) = (peer(), peer());
        peer.send_to(b"one", socket.local_addr()?)?;
        peer.send_to(b"two", socket.local_addr()?)?;
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).sock(socket).await?;
        until(|| second.peek().contains("two")).await;
        transport.close();
        Ok(())
    });
    assert_eq!((first.said(), second.said()), ("made 'one'".to_owned(), "'two' lost".to_owned()));
}

#[test]
fn the_default_transport_is_closing_and_drops_what_is_sent_to_it() {
    let (logged, guard) = logged();
    let transport = DatagramTransportRef::default();
    assert!(transport.is_closing() && !transport.is_reading());
    assert_eq!(transport, DatagramTransportRef::default());
    transport.sendto(b"lost", None).expect("a warning is enough");
    assert!((transport.sockname(), transport.peername()) == (None, None) && transport.socket().is_none());
    drop(guard);
    assert!(logged.lines()[0].contains("a datagram of a detached transport was dropped"), "{:?}", logged.lines());
}
