//! Clients: what connecting gives, in which order, and what is left when it fails or is cancelled.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::Trace;
use foster_compat::{
    Closed, Error, Family, Loop, Nursery, NurseryError, ValueError, connect_accepted_socket, create_connection,
    create_server, move_on_after, open_nursery, run_here,
};
use stage::{Reports, Scripted, address, bounded, real, turns, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn io_kind(err: &Error) -> Option<ErrorKind> {
    err.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

fn v4(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A port that nobody listens on, kept so until the socket is dropped.
fn refusing() -> (socket2::Socket, u16) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&v4(0).into()).expect("a free port");
    let port = socket.local_addr().expect("bound").as_socket().expect("internet").port();
    (socket, port)
}

/// The resolver gives these addresses, whatever it is asked for.
fn resolve_to(nursery: &Nursery, addresses: Vec<SocketAddr>) {
    Loop::new(nursery).set_resolver(Some(move |_: String, port: u16| {
        let addresses =
            addresses.iter().map(|at| SocketAddr::new(at.ip(), if at.port() == 0 { port } else { at.port() }));
        let addresses: Vec<_> = addresses.collect();
        async move { Ok(addresses) }
    }));
}

// ---- the order

#[test]
fn it_returns_after_connection_made_and_before_the_first_data() {
    real(async |nursery| {
        let listener = TcpListener::bind(v4(0)).await?;
        let port = listener.local_addr()?.port();
        let trace = Trace::new();
        nursery.start_soon(async move {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(b"hi").await?;
            Ok(())
        });
        let (transport, _handle) =
            create_connection(&nursery, || trace.wrap(Scripted::new()), "127.0.0.1", port).await?;
        assert_eq!(trace.lines(), ["made"]);
        assert_eq!(transport.peername().and_then(|peer| peer.port()), Some(port));
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "data 'hi'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_close_in_connection_made_ends_it_before_it_returns() {
    real(async |nursery| {
        let listener = TcpListener::bind(v4(0)).await?;
        let port = listener.local_addr()?.port();
        let trace = Trace::new();
        let close = || {
            trace.wrap(Scripted::new().on_made(|transport| {
                transport.close();
                Ok(())
            }))
        };
        create_connection(&nursery, close, "127.0.0.1", port).await?;
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

#[test]
fn the_handle_is_the_programs_way_to_its_protocol() {
    real(async |nursery| {
        let server = create_server(&nursery, Scripted::echo, "127.0.0.1", 0).await?;
        let received = Rc::new(RefCell::new(Vec::new()));
        let protocol = {
            let received = received.clone();
            move || {
                Scripted::new().on_data(move |_, data| {
                    received.borrow_mut().extend_from_slice(data);
                    Ok(())
                })
            }
        };
        let (transport, handle) = create_connection(&nursery, protocol, "localhost", address(&server).port()).await?;
        handle.with(|protocol| protocol.transport.write(b"ping"))?;
        until(|| *received.borrow() == b"ping").await;
        transport.abort();
        server.close();
        Ok(())
    });
}

// ---- addresses

#[test]
fn one_address_that_refuses_gives_its_own_error_and_no_factory_is_called() {
    real(async |nursery| {
        let (_kept, port) = refusing();
        let is_called = Cell::new(false);
        let factory = || {
            is_called.set(true);
            Scripted::new()
        };
        let err = create_connection(&nursery, factory, "127.0.0.1", port).await.expect_err("nobody listens");
        assert_eq!(io_kind(&err), Some(ErrorKind::ConnectionRefused));
        assert_eq!(err.to_string(), format!("[Errno 111] Connect call failed ('127.0.0.1', {port})"));
        assert!(!is_called.get());
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}

#[test]
fn all_addresses_failing_gives_one_error_that_names_each() {
    real(async |nursery| {
        let (_kept, port) = refusing();
        resolve_to(&nursery, vec![v4(0), "[::1]:0".parse()?]);
        let connect = || create_connection(&nursery, || -> Scripted { panic!("not connected") }, "some.host", port);
        for happy in [None, Some(Duration::from_millis(250))] {
            let attempt = happy.into_iter().fold(connect(), |attempt, delay| attempt.happy_eyeballs_delay(delay));
            let err = attempt.await.expect_err("both refuse");
            let expected = format!(
                "Multiple exceptions: [Errno 111] Connect call failed ('127.0.0.1', {port}), \
                 [Errno 111] Connect call failed ('::1', {port}, 0, 0)"
            );
            assert_eq!(err.to_string(), expected);
            assert_eq!(io_kind(&err), Some(ErrorKind::ConnectionRefused));
        }
        let err = connect().all_errors(true).await.expect_err("both refuse");
        assert_eq!(err.downcast_ref::<NurseryError>().map(|group| group.errors().len()), Some(2));
        Ok(())
    });
}

#[test]
fn the_next_address_is_tried_after_one_that_refuses() {
    real(async |nursery| {
        let server = create_server(&nursery, Scripted::echo, "127.0.0.1", 0).await?;
        let port = address(&server).port();
        resolve_to(&nursery, vec!["[::1]:0".parse()?, v4(0)]);
        let trace = Trace::new();
        let (transport, _) = create_connection(&nursery, || trace.wrap(Scripted::new()), "some.host", port).await?;
        assert_eq!(transport.peername().and_then(|peer| peer.ip()), Some(Ipv4Addr::LOCALHOST.into()));
        transport.abort();
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "lost None"]);
        server.close();
        Ok(())
    });
}

/// A listening socket whose queue is full: connecting to it hangs.
fn black_hole() -> (Vec<socket2::Socket>, u16) {
    let new = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let listener = new();
    listener.bind(&v4(0).into()).expect("a free port");
    listener.listen(0).expect("it listens");
    let at = listener.local_addr().expect("bound");
    let port = at.as_socket().expect("internet").port();
    let mut kept = vec![listener];
    for _ in 0..3 {
        let filler = new();
        filler.set_nonblocking(true).expect("an option");
        drop(filler.connect(&at));
        kept.push(filler);
    }
    (kept, port)
}

#[test]
fn with_happy_eyeballs_an_address_that_hangs_holds_up_the_next_for_the_delay_only() {
    real(async |nursery| {
        let server = create_server(&nursery, Scripted::echo, "127.0.0.1", 0).await?;
        let good = address(&server);
        let (_kept, hanging) = black_hole();
        resolve_to(&nursery, vec![v4(hanging), good]);
        let hung = create_connection(&nursery, Scripted::new, "some.host", 1);
        assert!(move_on_after(Duration::from_millis(100), hung.into_future()).await.is_none(), "no racing unless set");
        let (transport, _) = create_connection(&nursery, Scripted::new, "some.host", 1)
            .happy_eyeballs_delay(Duration::from_millis(20))
            .await?;
        assert_eq!(transport.peername().and_then(|peer| peer.port()), Some(good.port()));
        transport.abort();
        server.close();
        Ok(())
    });
}

#[test]
fn a_connect_that_is_cancelled_calls_no_factory_and_leaves_nothing() {
    real(async |nursery| {
        let (_kept, hanging) = black_hole();
        let before = count_descriptors();
        let attempt = create_connection(&nursery, || -> Scripted { panic!("not connected") }, "127.0.0.1", hanging)
            .happy_eyeballs_delay(Duration::from_millis(1));
        assert!(move_on_after(Duration::from_millis(50), attempt.into_future()).await.is_none());
        turns(2).await;
        assert_eq!(nursery.n_children(), 0);
        // Other tests of this process open descriptors at the same time; the one that leaks would stay.
        until(|| count_descriptors() <= before).await;
        Ok(())
    });
}

#[test]
fn a_connect_that_is_cancelled_at_any_turn_pairs_made_and_lost() {
    for n_turns in 0..6 {
        let trace = Trace::new();
        real(async |nursery| {
            let server = create_server(&nursery, Scripted::echo, "127.0.0.1", 0).await?;
            let port = address(&server).port();
            open_nursery(async |inner: Nursery| {
                let (clients, wrapped) = (inner.clone(), trace.clone());
                inner.start_soon(async move {
                    create_connection(&clients, || wrapped.wrap(Scripted::new()), "127.0.0.1", port).await?;
                    Ok(())
                });
                turns(n_turns).await;
                inner.cancel();
                Ok(())
            })
            .await?;
            server.close();
            Ok(())
        });
        trace.assert_complete();
    }
}

#[test]
fn dropping_the_connect_between_made_and_return_closes_the_connection() {
    real(async |nursery| {
        let server = create_server(&nursery, Scripted::echo, "127.0.0.1", 0).await?;
        let trace = Trace::new();
        let was_made = Rc::new(Cell::new(false));
        let seen = was_made.clone();
        let protocol = || {
            trace.wrap(Scripted::new().on_made(move |_| {
                seen.set(true);
                Ok(())
            }))
        };
        let attempt = create_connection(&nursery, protocol, "127.0.0.1", address(&server).port()).into_future();
        tokio::select! {
            biased;
            _ = std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if was_made.get() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            }) => {}
            _ = attempt => panic!("it returned before the poll that saw connection_made"),
        }
        until(|| trace.count("lost") == 1).await;
        assert_eq!(trace.lines(), ["made", "lost None"]);
        server.close();
        Ok(())
    });
}

#[test]
fn a_local_address_is_what_the_peer_sees() {
    real(async |nursery| {
        let listener = TcpListener::bind(v4(0)).await?;
        let port = listener.local_addr()?.port();
        let (transport, _) =
            create_connection(&nursery, Scripted::new, "127.0.0.1", port).local_addr("127.0.0.3", 0).await?;
        let (_stream, peer) = listener.accept().await?;
        assert_eq!(peer.ip().to_string(), "127.0.0.3");
        assert_eq!(transport.sockname().and_then(|own| own.port()), Some(peer.port()));
        transport.abort();
        Ok(())
    });
}

#[test]
fn a_local_address_that_cannot_be_bound_is_an_error_that_names_it() {
    real(async |nursery| {
        let listener = TcpListener::bind(v4(0)).await?;
        let port = listener.local_addr()?.port();
        let connect = || create_connection(&nursery, Scripted::new, "127.0.0.1", port);
        let err = connect().local_addr("192.0.2.1", 0).await.expect_err("nobody has it");
        assert!(err.to_string().contains("error while attempting to bind on address ('192.0.2.1', 0)"), "{err}");
        let err = connect().local_addr("::1", 0).await.expect_err("another family");
        assert_eq!(err.to_string(), "no matching local address with family=AF_INET found");
        Ok(())
    });
}

#[test]
fn a_family_that_the_host_does_not_have_is_an_error() {
    real(async |nursery| {
        let err = create_connection(&nursery, Scripted::new, "127.0.0.1", 1).family(Family::Inet6).await;
        assert!(err.expect_err("no such address").to_string().contains("returned empty list"));
        Ok(())
    });
}

// ---- arguments

#[test]
fn arguments_that_make_no_sense_are_value_errors_in_asyncios_words() {
    real(async |nursery| {
        let said = async |attempt: foster_compat::CreateConnection<'_, Scripted>| {
            let err = attempt.await.expect_err("it makes no sense");
            assert!(err.is::<ValueError>(), "{err}");
            err.to_string()
        };
        let listener = StdListener::bind(v4(0))?;
        let at = listener.local_addr()?;
        let stream = || std::net::TcpStream::connect(at);
        assert_eq!(
            said(create_connection(&nursery, Scripted::new, "", 0)).await,
            "host and port was not specified and no sock specified"
        );
        assert_eq!(
            said(create_connection(&nursery, Scripted::new, "127.0.0.1", 1).sock(stream()?)).await,
            "host/port and sock can not be specified at the same time"
        );
        let datagram: std::os::fd::OwnedFd = std::net::UdpSocket::bind(v4(0))?.into();
        let shown = said(create_connection(&nursery, Scripted::new, "", 0).sock(datagram)).await;
        assert!(shown.starts_with("A Stream Socket was expected, got "), "{shown}");
        let limits = create_connection(&nursery, Scripted::new, "127.0.0.1", 1).write_buffer_limits(Some(1), Some(2));
        assert_eq!(said(limits).await, "high (1) must be >= low (2) must be >= 0");
        Ok(())
    });
}

#[test]
fn a_factory_that_fails_closes_the_socket_and_gives_its_error() {
    real(async |nursery| {
        let listener = TcpListener::bind(v4(0)).await?;
        let port = listener.local_addr()?.port();
        let err = create_connection(&nursery, Scripted::new, "127.0.0.1", port)
            .try_factory(|| Err(Error::msg("no protocol today")))
            .await
            .expect_err("the factory fails");
        assert_eq!(err.to_string(), "no protocol today");
        let (mut stream, _) = listener.accept().await?;
        assert_eq!(stream.read(&mut [0]).await?, 0);
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}

#[test]
fn a_closed_nursery_takes_no_connection() {
    bounded(false, async {
        let listener = TcpListener::bind(v4(0)).await?;
        let port = listener.local_addr()?.port();
        let mut kept = None;
        open_nursery(async |nursery: Nursery| {
            kept = Some(nursery);
            Ok(())
        })
        .await?;
        let nursery = kept.expect("it was kept");
        let err = create_connection(&nursery, Scripted::new, "127.0.0.1", port).await.expect_err("it has ended");
        assert!(err.is::<Closed>(), "{err}");
        Ok(())
    })
    .expect("the test ends in time");
}

// ---- sockets of the program's own

#[test]
fn a_connected_socket_is_taken_and_may_be_a_unix_one() {
    real(async |nursery| {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
        let (transport, _) = create_connection(&nursery, Scripted::echo, "", 0).sock(ours).await?;
        theirs.write_all(b"hello")?;
        theirs.set_nonblocking(true)?;
        let mut got = [0; 5];
        until(|| theirs.read_exact(&mut got).is_ok()).await;
        assert_eq!(&got, b"hello");
        transport.close();
        Ok(())
    });
}

#[test]
fn an_accepted_socket_gets_its_protocol() {
    real(async |nursery| {
        let listener = StdListener::bind(v4(0))?;
        let mut client = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (accepted, _) = listener.accept()?;
        let trace = Trace::new();
        let (transport, _) = connect_accepted_socket(&nursery, || trace.wrap(Scripted::echo()), accepted).await?;
        client.write_all(b"hi")?;
        drop(client);
        transport.closed().await;
        assert_eq!(trace.lines()[..2], ["made", "data 'hi'"]);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_unix_client_talks_to_a_unix_server() {
    use foster_compat::{create_unix_connection, create_unix_server};
    real(async |nursery| {
        let path = std::env::temp_dir().join(format!("foster-client-{}.sock", std::process::id()));
        let server = create_unix_server(&nursery, Scripted::echo, &path).await?;
        let trace = Trace::new();
        let (transport, _) = create_unix_connection(&nursery, || trace.wrap(Scripted::new()), &path).await?;
        transport.write(b"hi")?;
        until(|| trace.count("data") == 1).await;
        transport.close();
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "data 'hi'", "lost None"]);
        server.close();
        server.wait_closed().await;
        let err = create_unix_connection(&nursery, Scripted::new, &path).await.expect_err("the file is gone");
        assert_eq!(io_kind(&err), Some(ErrorKind::NotFound));
        let err = create_unix_connection(&nursery, Scripted::new, "").await.expect_err("nothing to connect to");
        assert_eq!(err.to_string(), "no path and sock were specified");
        Ok(())
    });
}

// ---- the nursery

#[test]
fn a_connection_is_a_child_of_its_nursery_and_ends_with_it() {
    bounded(false, async {
        let listener = TcpListener::bind(v4(0)).await?;
        let port = listener.local_addr()?.port();
        let trace = Trace::new();
        open_nursery(async |nursery: Nursery| {
            create_connection(&nursery, || trace.wrap(Scripted::new()), "127.0.0.1", port).await?;
            assert_eq!(nursery.n_children(), 1);
            nursery.cancel();
            Ok(())
        })
        .await?;
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    })
    .expect("the test ends in time");
}

#[test]
fn a_strict_connection_fails_its_nursery() {
    let outcome = bounded(false, async {
        let listener = TcpListener::bind(v4(0)).await?;
        let port = listener.local_addr()?.port();
        open_nursery(async |nursery: Nursery| {
            let _reports = Reports::of(&nursery);
            let fails = || Scripted::new().on_made(|_| Err(Error::msg("boom")));
            create_connection(&nursery, fails, "127.0.0.1", port).strict(true).await?;
            foster_compat::sleep_forever().await;
            Ok(())
        })
        .await?;
        Ok(())
    });
    assert!(format!("{:#}", outcome.expect_err("it is strict")).contains("boom"));
}

#[test]
fn the_resolver_that_a_program_sets_is_asked_and_its_error_comes_back() {
    real(async |nursery| {
        let loop_ = Loop::new(&nursery);
        loop_.set_resolver(Some(async |host: String, _| Err(Error::msg(format!("no {host} here")))));
        let err = loop_.create_connection(Scripted::new, "some.host", 1).await.expect_err("it fails");
        assert_eq!(err.to_string(), "no some.host here");
        // An address is not asked for.
        let err = loop_.create_connection(Scripted::new, "127.0.0.1", refusing().1).await.expect_err("nobody listens");
        assert_eq!(io_kind(&err), Some(ErrorKind::ConnectionRefused));
        Ok(())
    });
}

#[test]
fn many_clients_at_once_are_all_made_and_lost_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let trace = Trace::new();
    runtime
        .block_on(run_here(open_nursery(async |nursery: Nursery| {
            let server = create_server(&nursery, Scripted::echo, "127.0.0.1", 0).backlog(512).await?;
            let port = address(&server).port();
            let attempts = (0..200).map(|_| {
                let (nursery, trace) = (nursery.clone(), trace.clone());
                async move {
                    let say = || trace.wrap(Scripted::new().on_made(|transport| transport.write(b"x")));
                    let (transport, _) = create_connection(&nursery, say, "127.0.0.1", port).await?;
                    transport.close();
                    transport.closed().await;
                    Ok(())
                }
            });
            foster_compat::gather(attempts).await?;
            server.close();
            Ok(())
        })))
        .expect("all connect");
    assert_eq!((trace.count("made"), trace.count("lost None")), (200, 200));
    trace.assert_complete();
}

fn count_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
