//! What `create_datagram_endpoint` opens, and what it refuses.

#![cfg(feature = "testing")]

mod datagrams;
mod journal;
mod stage;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use datagrams::{Script, own_address, peer, receive};
use foster_compat::{
    Address, Closed, Error, Family, Loop, Nursery, ValueError, create_datagram_endpoint, move_on_after, open_nursery,
    sleep_forever,
};
use journal::{Boom, Drops, Journal, is_pending, logged, ms};
use stage::{real, turns, until};

fn quiet() -> Script {
    Script::new(&Journal::default())
}

#[test]
fn options_that_make_no_sense_are_refused_in_asyncios_words() {
    real(async |nursery| {
        let nothing = create_datagram_endpoint(&nursery, quiet).await.expect_err("nothing was asked for");
        assert_eq!(refusal(&nothing), "unexpected address family");

        let endpoint = create_datagram_endpoint(&nursery, quiet).sock(peer());
        let both = endpoint.local_addr("127.0.0.1", 0).reuse_port(true).family(Family::Inet).await;
        assert_eq!(
            refusal(&both.expect_err("the socket is bound already")),
            "socket modifier keyword arguments can not be used when sock is specified. \
             (local_addr=('127.0.0.1', 0), family=AF_INET, reuse_port=True)"
        );

        let mixed = create_datagram_endpoint(&nursery, quiet).local_addr("127.0.0.1", 0).remote_addr("::1", 1).await;
        assert_eq!(refusal(&mixed.expect_err("no family has both")), "can not get address information");
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn a_socket_of_another_kind_is_refused() {
    real(async |nursery| {
        let listener = std::os::fd::OwnedFd::from(TcpListener::bind("127.0.0.1:0")?);
        let stream = create_datagram_endpoint(&nursery, quiet).sock(listener).await.expect_err("it is a stream socket");
        assert!(refusal(&stream).starts_with("A UDP Socket was expected, got "), "{stream}");

        let paths = create_datagram_endpoint(&nursery, quiet).local_path("/tmp/x").remote_addr("127.0.0.1", 1).await;
        let paths = paths.expect_err("one or the other");
        assert_eq!(refusal(&paths), "addresses or a family and paths can not be specified at the same time");
        Ok(())
    });
}

#[test]
fn an_address_that_cannot_be_bound_is_named_in_one_error() {
    real(async |nursery| {
        let taken = peer();
        let port = taken.local_addr()?.port();
        let endpoint = create_datagram_endpoint(&nursery, quiet).local_addr("127.0.0.1", port).await;
        let err = endpoint.expect_err("the port is taken");
        let message = format!("error while attempting to bind on address ('127.0.0.1', {port}): ");
        assert!(err.to_string().contains(&message), "{err}");
        assert_eq!(err.downcast_ref::<std::io::Error>().map(std::io::Error::kind), Some(std::io::ErrorKind::AddrInUse));
        Ok(())
    });
}

#[test]
fn when_every_family_fails_one_error_names_each() {
    real(async |nursery| {
        let (four, six) = (peer(), UdpSocket::bind("[::1]:0"));
        let Ok(six) = six else { return Ok(()) };
        let addresses = vec![four.local_addr()?, six.local_addr()?];
        let (ports, loop_) = (addresses.clone(), Loop::new(&nursery));
        loop_.set_resolver(Some(move |_, _| std::future::ready(Ok(addresses.clone()))));
        let err = create_datagram_endpoint(&nursery, quiet).local_addr("here", 0).await.expect_err("both are taken");
        let message = err.to_string();
        for part in ["Multiple exceptions: ", &format!("('127.0.0.1', {})", ports[0].port()), "('::1', "] {
            assert!(message.contains(part), "{message} has no {part}");
        }
        Ok(())
    });
}

#[test]
fn the_first_family_that_can_be_bound_is_taken() {
    real(async |nursery| {
        let taken = peer().local_addr()?;
        let free: SocketAddr = "[::1]:0".parse()?;
        if UdpSocket::bind(free).is_err() {
            return Ok(());
        }
        let holder = UdpSocket::bind(taken)?;
        Loop::new(&nursery).set_resolver(Some(move |_, _| std::future::ready(Ok(vec![taken, free]))));
        let (transport, ()) = create_datagram_endpoint(&nursery, quiet).local_addr("here", 0).await?;
        assert!(own_address(&transport).is_ipv6());
        drop(holder);
        transport.close();
        Ok(())
    });
}

#[test]
fn a_host_that_does_not_resolve_is_an_error_without_a_factory_call() {
    real(async |nursery| {
        Loop::new(&nursery).set_resolver(Some(|_, _| std::future::ready(Err(Boom.into()))));
        let journal = Journal::default();
        let factory = || {
            journal.say("factory");
            quiet()
        };
        let err = create_datagram_endpoint(&nursery, factory).remote_addr("nowhere", 1).await.expect_err("no address");
        assert!(err.is::<Boom>() && journal.said().is_empty());
        Ok(())
    });
}

#[test]
fn a_name_and_no_name_at_all_can_be_bound() {
    real(async |nursery| {
        let (named, ()) = create_datagram_endpoint(&nursery, quiet).local_addr("localhost", 0).await?;
        assert!(own_address(&named).ip().is_loopback());
        let (all, ()) = create_datagram_endpoint(&nursery, quiet).local_addr("", 0).await?;
        assert_eq!(own_address(&all).ip(), Ipv4Addr::UNSPECIFIED);
        let six = create_datagram_endpoint(&nursery, quiet).local_addr("", 0).family(Family::Inet6).await;
        if let Ok((six, ())) = six {
            assert_eq!(own_address(&six).ip(), Ipv6Addr::UNSPECIFIED);
            six.close();
        }
        named.close();
        all.close();
        Ok(())
    });
}

#[test]
fn an_endpoint_without_any_address_is_bound_when_it_sends() {
    real(async |nursery| {
        let peer = peer();
        let (transport, ()) = create_datagram_endpoint(&nursery, quiet).family(Family::Inet).await?;
        assert_eq!(own_address(&transport).port(), 0);
        transport.sendto(b"hello", Some(&peer.local_addr()?.into()))?;
        assert_eq!(receive(&peer), "hello");
        assert_ne!(own_address(&transport).port(), 0);
        transport.close();
        Ok(())
    });
}

#[test]
fn a_given_socket_that_is_connected_has_its_peer_as_remote_address() {
    real(async |nursery| {
        let (socket, peer) = (peer(), peer());
        socket.connect(peer.local_addr()?)?;
        let (transport, ()) = create_datagram_endpoint(&nursery, quiet).sock(socket).await?;
        assert_eq!(transport.peername(), Some(Address::Inet(peer.local_addr()?)));
        transport.sendto(b"hello", None)?;
        assert_eq!(receive(&peer), "hello");
        assert!(transport.sendto(b"x", transport.sockname().as_ref()).is_err());
        transport.close();
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn several_endpoints_share_a_port_if_all_ask_for_it() {
    real(async |nursery| {
        let open = |port| create_datagram_endpoint(&nursery, quiet).local_addr("127.0.0.1", port).reuse_port(true);
        let (first, ()) = open(0).await?;
        let port = own_address(&first).port();
        let (second, ()) = open(port).await?;
        assert_eq!(own_address(&second).port(), port);
        assert!(second.socket().expect("it is open").reuse_port()?);
        let third = create_datagram_endpoint(&nursery, quiet).local_addr("127.0.0.1", port).await;
        assert!(third.is_err(), "it has not asked");
        first.close();
        second.close();
        Ok(())
    });
}

#[test]
fn with_allow_broadcast_the_socket_is_not_connected_and_hears_everybody() {
    let journal = Journal::default();
    real(async |nursery| {
        let (remote, stranger) = (peer(), peer());
        let port = remote.local_addr()?.port();
        let script = Script::new(&journal);
        let endpoint = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0);
        let (transport, ()) = endpoint.remote_addr("127.0.0.1", port).allow_broadcast(true).await?;
        assert!(transport.socket().expect("it is open").broadcast()?);
        assert_eq!(transport.peername(), None);
        transport.sendto(b"to the remote address", None)?;
        assert_eq!(receive(&remote), "to the remote address");
        let err = transport.sendto(b"x", Some(&stranger.local_addr()?.into())).expect_err("there is one receiver");
        assert_eq!(refusal(&err), format!("Invalid address: must be None or ('127.0.0.1', {port})"));
        stranger.send_to(b"heard", own_address(&transport))?;
        until(|| journal.peek().contains("heard")).await;
        transport.close();
        Ok(())
    });
    assert_eq!(journal.said(), "made 'heard' lost");
}

#[test]
fn a_group_is_joined_and_left_through_the_socket() {
    let journal = Journal::default();
    real(async |nursery| {
        let (group, loopback) = (Ipv4Addr::new(239, 255, 70, 83), Ipv4Addr::LOCALHOST);
        let script = Script::new(&journal);
        let (transport, ()) = create_datagram_endpoint(&nursery, || script).local_addr("0.0.0.0", 0).await?;
        let socket = transport.socket().expect("it is open");
        socket.join_multicast_v4(&group, &loopback)?;
        socket.set_multicast_if_v4(&loopback)?;
        socket.set_multicast_loop_v4(true)?;
        socket.set_multicast_ttl_v4(1)?;
        assert!(socket.multicast_loop_v4()? && socket.multicast_ttl_v4()? == 1);
        let address = SocketAddr::from((group, own_address(&transport).port()));
        transport.sendto(b"everybody", Some(&address.into()))?;
        until(|| journal.peek().contains("everybody")).await;
        socket.leave_multicast_v4(&group, &loopback)?;
        assert!(socket.leave_multicast_v4(&group, &loopback).is_err(), "it was left already");
        transport.close();
        Ok(())
    });
    assert_eq!(journal.said(), "made 'everybody' lost");
}

#[test]
fn options_of_ipv6_sockets_are_reached_too() {
    real(async |nursery| {
        let Ok((transport, ())) = create_datagram_endpoint(&nursery, quiet).local_addr("::1", 0).await else {
            return Ok(());
        };
        let socket = transport.socket().expect("it is open");
        socket.set_multicast_loop_v6(false)?;
        socket.set_multicast_hops_v6(3)?;
        socket.set_unicast_hops_v6(7)?;
        assert_eq!((socket.multicast_loop_v6()?, socket.multicast_hops_v6()?), (false, 3));
        assert_eq!(socket.unicast_hops_v6()?, 7);
        transport.close();
        transport.closed().await;
        assert_eq!(socket.set_ttl(1).map_err(|err| err.kind()), Err(std::io::ErrorKind::NotConnected));
        Ok(())
    });
}

#[test]
fn the_error_of_a_factory_is_the_callers_and_the_socket_is_closed() {
    real(async |nursery| {
        let port = peer().local_addr()?.port();
        let endpoint = create_datagram_endpoint(&nursery, quiet).try_factory(|| Err(Boom.into()));
        let err = endpoint.local_addr("127.0.0.1", port).await.expect_err("the factory has failed");
        assert!(err.is::<Boom>());
        UdpSocket::bind(("127.0.0.1", port))?;
        Ok(())
    });
}

#[test]
fn a_nursery_that_has_ended_takes_no_endpoint() {
    real(async |nursery| {
        let ended = open_nursery(async |ended: Nursery| Ok(ended)).await?.expect("it was not cancelled");
        let port = peer().local_addr()?.port();
        let err = create_datagram_endpoint(&ended, quiet).local_addr("127.0.0.1", port).await.expect_err("too late");
        assert!(err.is::<Closed>());
        UdpSocket::bind(("127.0.0.1", port))?;
        drop(nursery);
        Ok(())
    });
}

#[test]
fn whoever_gives_up_while_a_host_is_resolved_leaves_nothing_behind() {
    real(async |nursery| {
        let journal = Journal::default();
        let resolving = journal.clone();
        Loop::new(&nursery).set_resolver(Some(move |_, _| {
            let asked = Drops(resolving.clone(), "resolver dropped");
            async move {
                sleep_forever().await;
                drop(asked);
                Ok(Vec::new())
            }
        }));
        let held = Drops(journal.clone(), "factory dropped");
        let factory = move || {
            held.0.say("factory called");
            quiet()
        };
        let endpoint = create_datagram_endpoint(&nursery, factory).local_addr("slow", 0);
        assert!(move_on_after(ms(10), endpoint.into_future()).await.is_none());
        let said = journal.said();
        assert!(said.contains("resolver dropped") && said.contains("factory dropped"), "{said}");
        assert!(!said.contains("called"), "{said}");
        Ok(())
    });
}

#[test]
fn whoever_gives_up_while_it_is_being_made_closes_it() {
    for (n_turns, expected) in [(0, ""), (1, "made lost"), (2, "made lost")] {
        let journal = Journal::default();
        let port = peer().local_addr().expect("it is bound").port();
        real(async |nursery| {
            let script = Script::new(&journal);
            let endpoint = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", port);
            let mut endpoint = endpoint.into_future();
            assert!(is_pending(&mut endpoint).await);
            turns(n_turns).await;
            drop(endpoint);
            Ok(())
        });
        UdpSocket::bind(("127.0.0.1", port)).expect("the socket is closed");
        assert_eq!(journal.said(), expected, "after {n_turns} turns");
    }
}

#[test]
fn extra_information_is_what_asyncio_has() {
    let (logged, guard) = logged();
    real(async |nursery| {
        let (transport, ()) = create_datagram_endpoint(&nursery, quiet).local_addr("127.0.0.1", 0).await?;
        assert!(matches!(transport.sockname(), Some(Address::Inet(_))));
        assert_eq!(transport.peername(), None);
        assert!(transport.socket().is_some() && transport.get_extra_info("cipher").is_none());
        let shown = format!("{transport:?}");
        assert!(shown.starts_with("datagram transport at 127.0.0.1:") && shown.ends_with("(open)"), "{shown}");
        transport.close();
        transport.closed().await;
        transport.start_soon(async {});
        Ok(())
    });
    drop(guard);
    assert!(logged.lines()[0].contains("a task of a closed datagram endpoint was not started"), "{:?}", logged.lines());
}

/// The message of an error that has to be a [`ValueError`].
fn refusal(err: &Error) -> String {
    assert!(err.is::<ValueError>(), "{err:?}");
    err.to_string()
}
