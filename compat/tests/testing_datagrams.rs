//! The test kit for datagrams: a transport without a network, held to what sockets do.

#![cfg(feature = "testing")]

mod datagrams;
mod journal;
mod stage;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use datagrams::{KINDS, Script};
use foster_compat::testing::{self, DEFAULT_CAPACITY, DatagramPeer, MAX_DATAGRAM, Trace, Traced};
use foster_compat::{
    Address, DatagramProtocol, DatagramTransportRef, Nursery, Result, ValueError, checkpoint, create_datagram_endpoint,
    sleep,
};
use journal::Journal;
use stage::{paused, real, turns, until};

const HOUR: Duration = Duration::from_secs(3600);

// ---- what sockets do too

/// What the protocol talks over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Net {
    Memory,
    Socket,
}

/// The other end.
enum End {
    Memory(DatagramPeer),
    Socket(UdpSocket),
}

/// Sends back what it gets.
#[derive(Default)]
struct Echo {
    transport: DatagramTransportRef,
}

impl DatagramProtocol for Echo {
    fn connection_made(&mut self, transport: DatagramTransportRef) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn datagram_received(&mut self, data: &[u8], addr: Address) -> Result<()> {
        self.transport.sendto(data, Some(&addr))
    }
}

impl Net {
    /// An endpoint whose `connection_made` was called, and its peer; it may be connected to that.
    async fn open(
        self,
        nursery: &Nursery,
        protocol: Traced<Echo>,
        is_connected: bool,
    ) -> Result<(DatagramTransportRef, End)> {
        if self == Net::Memory {
            let (transport, _, peer) = match is_connected {
                true => testing::connect_datagram(nursery, protocol),
                false => testing::bind_datagram(nursery, protocol),
            };
            checkpoint().await;
            return Ok((transport, End::Memory(peer)));
        }
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        let endpoint = create_datagram_endpoint(nursery, move || protocol).local_addr("127.0.0.1", 0);
        let port = socket.local_addr()?.port();
        let endpoint = if is_connected { endpoint.remote_addr("127.0.0.1", port) } else { endpoint };
        let transport = endpoint.await?.0;
        let own = transport.sockname().and_then(|name| Some(SocketAddr::new(name.ip()?, name.port()?)));
        socket.connect(own.expect("it is bound"))?;
        Ok((transport, End::Socket(socket)))
    }
}

impl End {
    fn address(&self) -> Address {
        match self {
            End::Memory(peer) => peer.address(),
            End::Socket(socket) => socket.local_addr().expect("it is bound").into(),
        }
    }

    fn send(&self, data: &[u8]) {
        match self {
            End::Memory(peer) => peer.send(data),
            End::Socket(socket) => drop(socket.send(data).expect("there is room")),
        }
    }

    async fn read(&self) -> Vec<u8> {
        match self {
            End::Memory(peer) => peer.read().await.expect("the transport lives").0,
            End::Socket(socket) => {
                let mut buffer = vec![0; 1 << 16];
                let mut n = None;
                until(|| {
                    n = socket.recv(&mut buffer).ok();
                    n.is_some()
                })
                .await;
                buffer.truncate(n.unwrap_or_default());
                buffer
            }
        }
    }
}

/// Plays a scenario in memory and over sockets; both have to give these lines, where `*` is the peer.
fn over_both(scenario: impl AsyncFn(Net, Nursery, Trace) -> Result<Address>, wanted: &[&str]) {
    for net in [Net::Memory, Net::Socket] {
        let trace = Trace::new();
        let mut peer = None;
        let play = async |nursery: Nursery| {
            peer = Some(scenario(net, nursery, trace.clone()).await?);
            Ok(())
        };
        if net == Net::Memory {
            paused(play)
        } else {
            real(play)
        }
        let peer = peer.map(|peer| peer.to_string()).expect("the scenario has ended");
        let lines: Vec<String> = trace.lines().iter().map(|line| line.replace(&peer, "*")).collect();
        assert_eq!(lines, wanted, "{net:?}");
        trace.assert_complete();
    }
}

#[test]
fn datagrams_come_whole_with_their_sender_and_answers_go_back() {
    let scenario = async |net: Net, nursery, trace: Trace| {
        let (transport, end) = net.open(&nursery, trace.wrap(Echo::default()), false).await?;
        for data in [&b"one"[..], b"", b"two", &[b'x'; MAX_DATAGRAM]] {
            end.send(data);
            assert!(end.read().await == data);
        }
        transport.close();
        transport.closed().await;
        Ok(end.address())
    };
    over_both(
        scenario,
        &[
            "made",
            "datagram 'one' from *",
            "datagram '' from *",
            "datagram 'two' from *",
            "datagram <65507> from *",
            "lost None",
        ],
    );
}

#[test]
fn a_datagram_that_is_too_long_is_an_error_and_the_next_is_sent() {
    let scenario = async |net: Net, nursery, trace: Trace| {
        let (transport, end) = net.open(&nursery, trace.wrap(Echo::default()), false).await?;
        transport.sendto(&[0; MAX_DATAGRAM + 1], Some(&end.address()))?;
        transport.sendto(b"short", Some(&end.address()))?;
        assert_eq!(end.read().await, b"short");
        transport.abort();
        transport.closed().await;
        Ok(end.address())
    };
    over_both(scenario, &["made", &format!("error {:?}", too_long().kind()), "lost None"]);
}

#[test]
fn a_connected_endpoint_talks_with_its_peer_alone() {
    let scenario = async |net: Net, nursery, trace: Trace| {
        let (transport, end) = net.open(&nursery, trace.wrap(Echo::default()), true).await?;
        assert_eq!(transport.peername(), Some(end.address()));
        let other: SocketAddr = "127.0.0.1:9".parse()?;
        let err = transport.sendto(b"astray", Some(&other.into())).expect_err("it is not the peer");
        assert!(err.is::<ValueError>(), "{err}");
        match &end {
            End::Memory(peer) => {
                peer.send_from("unheard", other);
                assert_eq!(peer.n_dropped(), 1);
            }
            End::Socket(_) => {
                let own = transport.sockname().and_then(|name| name.port()).expect("it is bound");
                UdpSocket::bind("127.0.0.1:0")?.send_to(b"unheard", ("127.0.0.1", own))?;
            }
        }
        transport.sendto(b"hello", None)?;
        assert_eq!(end.read().await, b"hello");
        end.send(b"heard");
        assert_eq!(end.read().await, b"heard");
        transport.close();
        transport.closed().await;
        Ok(end.address())
    };
    over_both(scenario, &["made", "datagram 'heard' from *", "lost None"]);
}

#[test]
fn where_nobody_listens_the_protocol_is_told_and_lives_on() {
    let scenario = async |net: Net, nursery, trace: Trace| {
        let (transport, end) = net.open(&nursery, trace.wrap(Echo::default()), true).await?;
        let address = end.address();
        let end = match end {
            End::Memory(peer) => {
                peer.fail(io::ErrorKind::ConnectionRefused.into());
                Some(peer)
            }
            End::Socket(socket) => {
                drop(socket);
                transport.sendto(b"hello", None)?;
                None
            }
        };
        until(|| trace.count("error") == 1).await;
        if let Some(peer) = end {
            // The other time that an error is told: the datagram is lost, as in a kernel.
            peer.fail(io::ErrorKind::ConnectionRefused.into());
            transport.sendto(b"lost", None)?;
            transport.sendto(b"sent", None)?;
            assert_eq!(peer.read().await, Some((b"sent".to_vec(), peer.address())));
        } else {
            transport.sendto(b"hello again", None)?;
            until(|| trace.count("error") == 2).await;
        }
        transport.close();
        transport.closed().await;
        Ok(address)
    };
    over_both(scenario, &["made", "error ConnectionRefused", "error ConnectionRefused", "lost None"]);
}

#[test]
fn a_cancelled_nursery_ends_it_with_one_connection_lost() {
    let scenario = async |net: Net, nursery: Nursery, trace: Trace| {
        let (_, end) = net.open(&nursery, trace.wrap(Echo::default()), false).await?;
        let address = end.address();
        nursery.cancel_scope().cancel();
        Ok(address)
    };
    over_both(scenario, &["made", "lost None"]);
}

// ---- what a test decides

#[test]
fn anybody_may_send_and_the_answer_says_to_whom() {
    paused(async |nursery| {
        let (_transport, _, peer) = testing::bind_datagram(&nursery, Echo::default());
        let (ada, bob): (SocketAddr, SocketAddr) = ("192.0.2.7:7".parse()?, "[2001:db8::1]:8".parse()?);
        peer.send_from("from ada", ada);
        peer.send_from("from bob", bob);
        turns(5).await;
        assert_eq!(peer.n_unread(), 2);
        assert_eq!(peer.read().await, Some((b"from ada".to_vec(), ada.into())));
        assert_eq!(peer.received(), [(b"from bob".to_vec(), bob.into())]);
        nursery.cancel_scope().cancel();
        Ok(())
    });
}

#[test]
fn what_comes_before_the_protocol_is_told_of_the_transport_waits() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::bind_datagram(&nursery, trace.recorder());
        peer.send("early");
        assert!(trace.lines().is_empty());
        turns(3).await;
        assert_eq!(trace.lines(), ["made", "datagram 'early' from 192.0.2.2:50000"]);
        transport.close();
        Ok(())
    });
}

#[test]
fn a_transport_that_is_closed_at_once_calls_nothing() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::bind_datagram(&nursery, trace.recorder());
        transport.abort();
        peer.send("never");
        assert_eq!(peer.read().await, None);
        assert!(trace.lines().is_empty() && peer.is_closed());
        assert_eq!(peer.n_dropped(), 1);
        Ok(())
    });
}

#[test]
fn a_system_that_takes_no_more_pauses_either_kind_of_protocol_and_resumes_it() {
    for kind in KINDS {
        paused(async |nursery| {
            let journal = Journal::default();
            let (transport, (), peer) = testing::bind_datagram(&nursery, Script::new(&journal).kind(kind));
            checkpoint().await;
            peer.set_capacity(0);
            let data = [b'x'; 1000];
            let mut n_sent = 0;
            while !transport.is_writing_paused() {
                transport.sendto(&data, Some(&peer.address()))?;
                n_sent += 1;
            }
            assert_eq!(transport.get_write_buffer_size(), n_sent * 1008);
            assert_eq!(journal.said(), "made pause", "{kind:?}");
            // Time jumps only where nobody is busy.
            sleep(HOUR).await;
            peer.set_capacity(1500);
            for n_read in 1..=n_sent {
                assert_eq!(peer.n_unread(), usize::from(n_read > 1), "{kind:?}");
                let next = peer.read().await.expect("the transport lives");
                assert!(next.0 == data);
                turns(3).await;
            }
            assert_eq!(journal.said(), "resume", "{kind:?}");
            transport.close();
            Ok(())
        });
    }
}

#[test]
fn close_sends_what_waits_and_abort_drops_it() {
    for is_aborted in [false, true] {
        paused(async |nursery| {
            let trace = Trace::new();
            let (transport, _, peer) = testing::bind_datagram(&nursery, trace.recorder());
            checkpoint().await;
            peer.set_capacity(0);
            for data in [b"one", b"two"] {
                transport.sendto(data, Some(&peer.address()))?;
            }
            transport.close();
            turns(3).await;
            assert_eq!(trace.lines(), ["made"]);
            if is_aborted {
                transport.abort();
            } else {
                peer.set_capacity(DEFAULT_CAPACITY);
            }
            transport.closed().await;
            let data: Vec<_> = peer.received().into_iter().map(|(data, _)| data).collect();
            assert_eq!(data, if is_aborted { vec![] } else { vec![b"one".to_vec(), b"two".to_vec()] });
            assert_eq!(trace.lines(), ["made", "lost None"]);
            Ok(())
        });
    }
}

#[test]
fn what_a_paused_protocol_has_no_room_for_is_dropped() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::bind_datagram(&nursery, trace.recorder());
        checkpoint().await;
        transport.pause_reading();
        let n_kept = DEFAULT_CAPACITY / 1008;
        for _ in 0..n_kept + 5 {
            peer.send([b'x'; 1000]);
        }
        assert_eq!(peer.n_dropped(), 5);
        turns(3).await;
        assert_eq!(trace.count("datagram"), 0);
        transport.resume_reading();
        until(|| trace.count("datagram") == n_kept).await;
        peer.send("there is room again");
        until(|| trace.count("datagram") == n_kept + 1).await;
        transport.close();
        Ok(())
    });
}

#[test]
fn a_peer_that_is_gone_costs_nothing() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect_datagram(&nursery, trace.recorder());
        checkpoint().await;
        peer.set_capacity(0);
        transport.sendto(b"waits", None)?;
        drop(peer);
        turns(3).await;
        for _ in 0..1000 {
            transport.sendto(&[0; 1000], None)?;
        }
        assert_eq!(transport.get_write_buffer_size(), 0);
        transport.close();
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

#[test]
#[should_panic(expected = "a datagram has at most 65507 bytes, this has 65508")]
fn a_datagram_that_no_peer_could_send_is_refused() {
    paused(async |nursery| {
        let (_transport, _, peer) = testing::bind_datagram(&nursery, Echo::default());
        nursery.cancel_scope().cancel();
        peer.send([0; MAX_DATAGRAM + 1]);
        Ok(())
    });
}

#[test]
fn a_panic_of_the_protocol_ends_its_transport_alone() {
    paused(async |nursery| {
        let reports = stage::Reports::of(&nursery);
        let journal = Journal::default();
        let panics = Script::new(&journal).on_datagram(|_, _, _| panic!("as the test wants"));
        let (_, (), bad) = testing::bind_datagram(&nursery, panics);
        let (fine, _, good) = testing::bind_datagram(&nursery, Echo::default());
        bad.send("x");
        assert_eq!(bad.read().await, None);
        good.send("y");
        assert_eq!(good.read().await.map(|(data, _)| data), Some(b"y".to_vec()));
        assert_eq!(reports.take().len(), 1);
        fine.close();
        Ok(())
    });
}

/// What the system says of a datagram that is too long.
fn too_long() -> io::Error {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    socket.send_to(&[0; MAX_DATAGRAM + 1], "127.0.0.1:9").expect_err("it is too long")
}
