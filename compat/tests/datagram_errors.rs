//! What goes wrong: on the network, in the kernel, in callbacks. The transport lives on, except after a panic.

#![cfg(all(feature = "testing", target_os = "linux"))]

mod datagrams;
mod journal;
mod stage;

use std::cell::Cell;
use std::net::UdpSocket;
use std::rc::Rc;

use datagrams::{KINDS, Kind, Script, own_address, peer, receive};
use foster_compat::{Error, Loop, Nursery, RuntimeError, create_datagram_endpoint, open_nursery, sleep_forever};
use journal::{Boom, Journal, logged};
use stage::{bounded, real, until};

/// Longer than the longest datagram.
static TOO_LONG: [u8; 70_000] = [b'u'; 70_000];

#[test]
fn a_port_where_nobody_listens_shows_in_error_received_every_time() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let peer = deaf_peer();
            let port = peer.local_addr()?.port();
            let script = Script::new(&journal).kind(kind);
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).remote_addr("127.0.0.1", port).await?;
            for n in 1..=3 {
                transport.sendto(b"anybody?", None)?;
                until(|| journal.peek().matches("ECONNREFUSED").count() == n).await;
            }
            peer.connect(own_address(&transport))?;
            peer.send(b"now I am")?;
            until(|| journal.peek().contains("now")).await;
            transport.sendto(b"good", None)?;
            assert_eq!(receive(&peer), "good");
            transport.close();
            Ok(())
        });
        let refused = "ECONNREFUSED ECONNREFUSED ECONNREFUSED";
        assert_eq!(journal.said(), format!("made {refused} 'now I am' lost"), "{kind:?}");
    }
}

#[test]
fn an_error_that_nobody_waits_for_costs_an_idle_loop_nothing() {
    real(async |nursery| {
        let journal = Journal::default();
        let peer = deaf_peer();
        let script = Script::new(&journal);
        let port = peer.local_addr()?.port();
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).remote_addr("127.0.0.1", port).await?;
        transport.sendto(b"anybody?", None)?;
        until(|| journal.peek().contains("ECONNREFUSED")).await;
        let before = processor_time();
        foster_compat::sleep(std::time::Duration::from_millis(300)).await;
        assert!(processor_time() - before < 100, "the loop does not spin");
        transport.close();
        Ok(())
    });
}

/// Of this thread, in milliseconds.
fn processor_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel tells the time of threads");
    stat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).expect("the first number is the time") / 1_000_000
}

#[test]
fn a_datagram_that_is_too_long_is_an_error_for_the_protocol_and_not_for_the_caller() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let words = journal.clone();
            let script = Script::new(&journal).kind(kind).on_datagram(move |transport, _, addr| {
                transport.sendto(&TOO_LONG, Some(addr))?;
                words.say("after");
                transport.sendto(b"short", Some(addr))
            });
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
            let peer = peer();
            peer.send_to(b"a", own_address(&transport))?;
            until(|| journal.peek().contains("EMSGSIZE")).await;
            assert_eq!(receive(&peer), "short");
            transport.close();
            Ok(())
        });
        let expected = match kind {
            // As asyncio: error_received is called from inside sendto.
            Kind::Shared => "made 'a' EMSGSIZE after lost",
            Kind::Exclusive => "made 'a' after EMSGSIZE lost",
        };
        assert_eq!(journal.said(), expected);
    }
}

#[test]
fn outside_a_callback_error_received_comes_before_sendto_returns() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            let script = Script::new(&journal).kind(kind).on_error(|_, _| Err(Boom.into()));
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
            let sent = transport.sendto(&TOO_LONG, transport.sockname().as_ref());
            journal.say("returned");
            assert!(sent.expect_err("what error_received gives").is::<Boom>());
            transport.close();
            Ok(())
        });
        assert_eq!(journal.said(), "made EMSGSIZE returned lost");
    }
}

#[test]
fn an_error_of_error_received_is_reported_once_and_the_transport_lives_on() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            journal.report(&Loop::new(&nursery));
            let words = journal.clone();
            let script = Script::new(&journal)
                .kind(kind)
                .on_datagram(move |transport, data, addr| {
                    if data == b"a" {
                        transport.sendto(&TOO_LONG, Some(addr))?;
                        words.say("after");
                    }
                    Ok(())
                })
                .on_error(|_, _| Err(RuntimeError::new("boom").into()));
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
            let peer = peer();
            peer.send_to(b"a", own_address(&transport))?;
            peer.send_to(b"b", own_address(&transport))?;
            until(|| journal.peek().contains("'b'")).await;
            transport.close();
            Ok(())
        });
        let expected = match kind {
            // It leaves sendto, and with it the callback that sent.
            Kind::Shared => "made 'a' EMSGSIZE [Exception in callback datagram_received: boom] 'b' lost",
            Kind::Exclusive => "made 'a' after EMSGSIZE [Exception in callback error_received: boom] 'b' lost",
        };
        assert_eq!(journal.said(), expected);
    }
}

#[test]
fn an_error_of_any_callback_is_reported_and_the_transport_lives_on() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            journal.report(&Loop::new(&nursery));
            let script = Script::new(&journal)
                .kind(kind)
                .on_made(|_| Err(Error::msg("made")))
                .on_datagram(|_, data, _| Err(Error::msg(String::from_utf8_lossy(data))))
                .on_lost(|_| Err(std::io::Error::other("lost").into()));
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
            let peer = peer();
            peer.send_to(b"one", own_address(&transport))?;
            peer.send_to(b"two", own_address(&transport))?;
            until(|| journal.peek().contains("two")).await;
            assert!(!transport.is_closing());
            transport.close();
            Ok(())
        });
        let failed = |callback: &str, err: &str| format!("[Exception in callback {callback}: {err}]");
        let expected = [
            "made".to_owned(),
            failed("connection_made", "made"),
            "'one'".to_owned(),
            failed("datagram_received", "one"),
            "'two'".to_owned(),
            failed("datagram_received", "two"),
            "lost".to_owned(),
            failed("connection_lost", "lost"),
        ];
        assert_eq!(journal.said(), expected.join(" "));
    }
}

#[test]
fn after_a_panic_the_protocol_gets_connection_lost_and_nothing_else() {
    for kind in KINDS {
        let journal = Journal::default();
        real(async |nursery| {
            journal.report(&Loop::new(&nursery));
            let script = Script::new(&journal).kind(kind).on_datagram(|transport, _, addr| {
                // What it has put off is not delivered either.
                transport.sendto(&TOO_LONG, Some(addr))?;
                panic!("out of my mind")
            });
            let (socket, peer) = (peer(), peer());
            peer.send_to(b"one", socket.local_addr()?)?;
            peer.send_to(b"two", socket.local_addr()?)?;
            let (transport, ()) = create_datagram_endpoint(&nursery, || script).sock(socket).await?;
            let exc = transport.closed().await.expect("the panic is what ended it");
            assert!(exc.is::<foster_compat::Panicked>());
            transport.sendto(&TOO_LONG, Some(&peer.local_addr()?.into()))?;
            Ok(())
        });
        let said = journal.said();
        let report = "[Exception in callback datagram_received: panicked: out of my mind]";
        let lost = "lost(panicked: out of my mind)";
        let expected = match kind {
            Kind::Shared => format!("made 'one' EMSGSIZE {report} {lost}"),
            Kind::Exclusive => format!("made 'one' {report} {lost}"),
        };
        assert_eq!(said, expected);
    }
}

#[test]
fn a_panic_in_each_callback_ends_the_transport_with_one_connection_lost() {
    for kind in KINDS {
        for (callback, expected) in [
            ("connection_made", "made [Exception in callback connection_made: panicked: help] lost(panicked: help)"),
            (
                "error_received",
                "made EMSGSIZE [Exception in callback error_received: panicked: help] lost(panicked: help)",
            ),
            ("connection_lost", "made EMSGSIZE lost [Exception in callback connection_lost: panicked: help]"),
        ] {
            let journal = Journal::default();
            real(async |nursery| {
                journal.report(&Loop::new(&nursery));
                let act = move |here: &str| {
                    if here == callback {
                        panic!("help");
                    }
                    Ok(())
                };
                let script = Script::new(&journal)
                    .kind(kind)
                    .on_made(move |_| act("connection_made"))
                    .on_error(move |_, _| act("error_received"))
                    .on_lost(move |_| act("connection_lost"));
                let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
                transport.sendto(&TOO_LONG, transport.sockname().as_ref())?;
                transport.close();
                transport.closed().await;
                Ok(())
            });
            assert_eq!(journal.said(), expected);
        }
    }
}

#[test]
fn a_loop_of_failing_sends_in_one_callback_keeps_a_bounded_number_of_errors() {
    let (logged, guard) = logged();
    let n_errors = Rc::new(Cell::new(0));
    real(async |nursery| {
        let counter = n_errors.clone();
        let script = Script::new(&Journal::default())
            .on_made(|transport| {
                let own = transport.sockname();
                (0..1000).try_for_each(|_| transport.sendto(&TOO_LONG, own.as_ref()))
            })
            .on_error(move |_, _| {
                counter.set(counter.get() + 1);
                Ok(())
            });
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
        transport.close();
        Ok(())
    });
    drop(guard);
    assert_eq!(n_errors.get(), 64);
    assert_eq!(logged.lines().len(), 1000 - 64);
    assert!(logged.lines()[0].contains("64 errors wait already"), "{:?}", logged.lines()[0]);
}

#[test]
fn one_bad_endpoint_never_hurts_another() {
    let journal = Journal::default();
    real(async |nursery| {
        journal.report(&Loop::new(&nursery));
        let bad = Script::new(&Journal::default()).on_datagram(|_, _, _| panic!("on purpose"));
        let (bad, ()) = create_datagram_endpoint(&nursery, || bad).local_addr("127.0.0.1", 0).await?;
        let good = Script::new(&journal);
        let (good, ()) = create_datagram_endpoint(&nursery, || good).local_addr("127.0.0.1", 0).await?;
        let peer = peer();
        peer.send_to(b"x", own_address(&bad))?;
        bad.closed().await;
        peer.send_to(b"x", own_address(&good))?;
        until(|| journal.peek().contains("'x'")).await;
        good.close();
        Ok(())
    });
    let report = "[Exception in callback datagram_received: panicked: on purpose]";
    assert_eq!(journal.said(), format!("made {report} 'x' lost"));
}

#[test]
fn a_strict_endpoint_ends_its_nursery_with_the_error() {
    let journal = Journal::default();
    let ended = bounded(false, async {
        open_nursery(async |nursery: Nursery| {
            let script = Script::new(&journal).on_datagram(|_, _, _| Err(Boom.into()));
            let (socket, peer) = (peer(), peer());
            peer.send_to(b"x", socket.local_addr()?)?;
            create_datagram_endpoint(&nursery, || script).sock(socket).strict(true).await?;
            sleep_forever().await;
            Ok(())
        })
        .await?;
        Ok(())
    });
    let err = ended.expect_err("the nursery gives the error");
    assert!(err.to_string().contains("boom"), "{err}");
    assert_eq!(journal.said(), "made 'x' lost");
}

/// Has a port and refuses what comes there, as long as it is connected to somebody else.
fn deaf_peer() -> UdpSocket {
    let peer = peer();
    peer.connect("127.0.0.1:1").expect("a datagram socket connects to anybody");
    peer
}
