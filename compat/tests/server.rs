//! Servers: what bad arguments get, how they stop, and how many connections they take.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::Trace;
use foster_compat::{
    Closed, Error, Family, Hosts, Nursery, Result, RuntimeError, Server, TaskStatus, ValueError, create_server,
    move_on_after, open_nursery, run_here, run_in_thread, run_server, sleep_forever,
};
use stage::{Reports, Scripted, address, real, turns, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn io_kind(err: &Error) -> Option<ErrorKind> {
    err.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

// ---- arguments

#[test]
fn a_port_in_use_is_an_error_that_names_the_address() {
    real(async |nursery| {
        let server = create_server(&nursery, Scripted::new, "127.0.0.1", 0).await?;
        let port = address(&server).port();
        let err = create_server(&nursery, Scripted::new, "127.0.0.1", port).await.expect_err("it is in use");
        assert_eq!(io_kind(&err), Some(ErrorKind::AddrInUse));
        let expected = format!("error while attempting to bind on address 127.0.0.1:{port}: ");
        assert!(err.to_string().starts_with(&expected), "{err}");
        let err = run_server(Scripted::new, "127.0.0.1", port).await.expect_err("it is in use");
        assert_eq!(io_kind(&err), Some(ErrorKind::AddrInUse));
        server.close();
        Ok(())
    });
}

#[test]
fn one_address_in_use_closes_the_sockets_of_the_others() {
    real(async |nursery| {
        let taken = create_server(&nursery, Scripted::new, "127.0.0.2", 0).await?;
        let port = address(&taken).port();
        let err = create_server(&nursery, Scripted::new, ["127.0.0.1", "127.0.0.2"], port).await;
        assert_eq!(io_kind(&err.expect_err("one is in use")), Some(ErrorKind::AddrInUse));
        let other = create_server(&nursery, Scripted::new, "127.0.0.1", port).await?;
        assert_eq!(nursery.n_children(), 2, "what could not be set up is no child of the nursery");
        other.close();
        taken.close();
        Ok(())
    });
}

#[test]
fn a_host_that_does_not_resolve_is_an_error_that_names_it() {
    real(async |nursery| {
        // Names that no resolver needs to ask about: an empty label, one that is too long, and no name at all.
        for host in ["a..b".to_owned(), "x".repeat(64), "nul\0byte".to_owned()] {
            let err = create_server(&nursery, Scripted::new, &host, 0).await.expect_err("there is no such host");
            assert!(err.to_string().starts_with(&format!("cannot resolve host {host:?}: ")), "{err}");
        }
        let err = create_server(&nursery, Scripted::new, "::1", 0).family(Family::Inet).await;
        assert!(err.expect_err("no such family").to_string().contains("returned empty list"));
        Ok(())
    });
}

#[test]
fn an_address_that_this_machine_does_not_have_is_an_error_unless_another_can_be_bound() {
    real(async |nursery| {
        // From the block for documentation (RFC 5737): nobody has it.
        let err = create_server(&nursery, Scripted::new, "192.0.2.1", 0).await.expect_err("nobody has it");
        assert_eq!(io_kind(&err), Some(ErrorKind::AddrNotAvailable));
        let server = create_server(&nursery, Scripted::new, ["192.0.2.1", "127.0.0.1"], 0).await?;
        assert_eq!(server.sockets().len(), 1);
        server.close();
        Ok(())
    });
}

#[test]
fn options_that_make_no_sense_are_value_errors() {
    real(async |nursery| {
        let make = || create_server(&nursery, Scripted::new, "127.0.0.1", 0);
        let refused = [
            (make().backlog(0).await, "backlog must be at least 1, not 0"),
            (make().max_connections(0).await, "max_connections must be at least 1, not 0"),
            (make().write_buffer_limits(Some(100), Some(200)).await, "high (100) must be >= low (200) must be >= 0"),
        ];
        for (result, message) in refused {
            let err = result.expect_err(message);
            assert!(err.is::<ValueError>());
            assert_eq!(err.to_string(), message);
        }
        assert!(run_server(Scripted::new, "127.0.0.1", 0).backlog(0).await.expect_err("as above").is::<ValueError>());
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}

#[test]
fn an_empty_list_of_hosts_is_an_error_that_says_so() {
    real(async |nursery| {
        let err = create_server(&nursery, Scripted::new, Vec::<String>::new(), 0).await.expect_err("no host");
        assert!(!err.is::<ValueError>());
        assert_eq!(err.to_string(), "getaddrinfo([]) returned empty list");
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}

#[test]
fn an_address_and_a_socket_are_not_given_at_the_same_time() {
    real(async |nursery| {
        for (host, port) in [("127.0.0.1", 0), ("", 8888)] {
            let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
            let err = create_server(&nursery, Scripted::new, host, port).sock(socket).await.expect_err("both");
            assert!(err.is::<ValueError>());
            assert_eq!(err.to_string(), "host/port and sock can not be specified at the same time");
        }
        let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
        let bound = socket.local_addr()?;
        let server = create_server(&nursery, Scripted::echo, "", 0).sock(socket).await?;
        assert_eq!(address(&server), bound);
        let mut client = TcpStream::connect(bound).await?;
        client.write_all(b"x").await?;
        client.read_exact(&mut [0]).await?;
        server.close();
        server.close_clients();
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn a_datagram_socket_is_no_socket_for_a_stream_server() {
    real(async |nursery| {
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0")?;
        let socket = std::net::TcpListener::from(std::os::fd::OwnedFd::from(datagrams));
        let err = create_server(&nursery, Scripted::new, "", 0).sock(socket).await.expect_err("not a stream");
        assert!(err.is::<ValueError>(), "{err}");
        assert!(err.to_string().starts_with("A Stream Socket was expected, got "), "{err}");
        Ok(())
    });
}

#[test]
fn hosts_are_names_addresses_or_lists_of_them_and_each_counts_once() {
    real(async |nursery| {
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        for hosts in [
            Hosts::from("127.0.0.1"),
            Hosts::from(localhost),
            Hosts::from(["127.0.0.1", "127.0.0.1"]),
            Hosts::from(vec![localhost]),
            Hosts::from(String::from("127.0.0.1")),
        ] {
            let server = create_server(&nursery, Scripted::new, hosts, 0).await?;
            assert_eq!((server.sockets().len(), address(&server).ip()), (1, localhost));
            server.close();
        }
        Ok(())
    });
}

#[test]
fn a_server_in_a_nursery_that_has_ended_is_refused() {
    real(async |_| {
        let kept = Rc::new(RefCell::new(None));
        open_nursery(async |nursery: Nursery| {
            kept.replace(Some(nursery));
            Ok(())
        })
        .await?;
        let closed = kept.take().expect("it was kept");
        let err = create_server(&closed, Scripted::new, "127.0.0.1", 0).await.expect_err("it has ended");
        assert!(err.is::<Closed>());
        Ok(())
    });
}

// ---- start_serving and serve_forever

#[test]
fn a_server_that_does_not_serve_yet_refuses_connections_until_start_serving() {
    real(async |nursery| {
        let server = create_server(&nursery, Scripted::echo, "127.0.0.1", 0).start_serving(false).await?;
        assert!(!server.is_serving());
        let refused = TcpStream::connect(address(&server)).await.expect_err("it does not listen");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        server.start_serving()?;
        server.start_serving()?;
        assert!(server.is_serving());
        let mut client = TcpStream::connect(address(&server)).await?;
        client.write_all(b"x").await?;
        client.read_exact(&mut [0]).await?;
        server.close();
        server.close();
        assert!(server.start_serving().expect_err("it is closed").is::<RuntimeError>());
        server.close_clients();
        Ok(())
    });
}

#[test]
fn serve_forever_is_for_one_task_and_not_for_a_closed_server() {
    real(async |nursery| {
        let server = create_server(&nursery, Scripted::new, "127.0.0.1", 0).start_serving(false).await?;
        let serving = server.clone();
        let first = nursery.create_task(async move { serving.serve_forever().await });
        until(|| server.is_serving()).await;
        let err = server.serve_forever().await.expect_err("another task is in it");
        assert!(err.is::<RuntimeError>() && err.to_string().ends_with("is already being awaited on serve_forever()"));
        server.close();
        first.await??;
        let err = server.serve_forever().await.expect_err("it is closed");
        assert!(err.is::<RuntimeError>() && err.to_string().ends_with("is closed"), "{err}");
        assert!(server.sockets().is_empty());
        server.wait_closed().await;
        Ok(())
    });
}

#[test]
fn a_socket_taken_by_another_meanwhile_is_an_error_of_start_serving() {
    real(async |nursery| {
        let make =
            |port| create_server(&nursery, Scripted::new, "127.0.0.1", port).reuse_port(true).start_serving(false);
        let server = make(0).await?;
        assert!(!server.is_serving());
        let other = make(address(&server).port()).await?;
        server.start_serving()?;
        other.start_serving()?;
        assert!(server.is_serving() && other.is_serving(), "both may with reuse_port");
        server.close();
        other.close();
        Ok(())
    });
}

// ---- stopping

/// A server with one client that has said something, and what it says is echoed.
async fn server_with_client(nursery: &Nursery, trace: &Trace) -> Result<(Server, TcpStream)> {
    let trace = trace.clone();
    let server = create_server(nursery, move || trace.wrap(Scripted::echo()), "127.0.0.1", 0).await?;
    let mut client = TcpStream::connect(address(&server)).await?;
    client.write_all(b"x").await?;
    client.read_exact(&mut [0]).await?;
    Ok((server, client))
}

#[test]
fn close_stops_listening_and_leaves_the_connections() {
    real(async |nursery| {
        let trace = Trace::new();
        let (server, mut client) = server_with_client(&nursery, &trace).await?;
        let address = address(&server);
        server.close();
        assert!(!server.is_serving() && server.sockets().is_empty());
        assert!(TcpStream::connect(address).await.is_err());
        client.write_all(b"still").await?;
        client.read_exact(&mut [0; 5]).await?;
        assert!(move_on_after(Duration::from_millis(20), server.wait_closed()).await.is_none(), "a client lives");
        assert_eq!(server.n_connections(), 1);
        client.shutdown().await?;
        server.wait_closed().await;
        assert_eq!(server.n_connections(), 0);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn close_clients_sends_what_is_written_and_abort_clients_does_not() {
    real(async |nursery| {
        const SIZE: usize = 8 * 1024 * 1024;
        for is_abort in [false, true] {
            let trace = Trace::new();
            let inner = trace.clone();
            let protocol = || Scripted::new().on_made(|transport| transport.write(&vec![0; SIZE]));
            let server = create_server(&nursery, move || inner.wrap(protocol()), "127.0.0.1", 0).await?;
            let mut client = TcpStream::connect(address(&server)).await?;
            until(|| trace.count("pause_writing") == 1).await;
            server.close();
            if is_abort {
                server.abort_clients()
            } else {
                server.close_clients()
            }
            let mut data = Vec::new();
            client.read_to_end(&mut data).await?;
            assert_eq!(data.len() == SIZE, !is_abort);
            server.wait_closed().await;
            assert_eq!((trace.count("lost None"), trace.count("resume_writing")), (1, usize::from(!is_abort)));
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn shutdown_is_bounded_by_its_grace_when_a_peer_never_reads() {
    real(async |nursery| {
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = || Scripted::new().on_made(|transport| transport.write(&vec![0; 8 * 1024 * 1024]));
        let server = create_server(&nursery, move || inner.wrap(protocol()), "127.0.0.1", 0).await?;
        let client = TcpStream::connect(address(&server)).await?;
        until(|| trace.count("pause_writing") == 1).await;
        let grace = Duration::from_millis(100);
        let started = tokio::time::Instant::now();
        server.shutdown(grace).await;
        assert!(started.elapsed() >= grace);
        assert_eq!(server.n_connections(), 0);
        assert_eq!(trace.lines(), ["made", "pause_writing", "lost None"]);
        drop(client);
        Ok(())
    });
}

#[test]
fn shutdown_takes_no_longer_than_the_clients_do() {
    real(async |nursery| {
        let trace = Trace::new();
        let (server, mut client) = server_with_client(&nursery, &trace).await?;
        server.shutdown(Duration::from_secs(3600)).await;
        assert_eq!(client.read(&mut [0]).await?, 0);
        trace.assert_complete();
        server.shutdown(Duration::ZERO).await;
        Ok(())
    });
}

// ---- limits and fairness

#[test]
fn max_connections_holds_clients_back_and_takes_the_next_when_one_goes() {
    real(async |nursery| {
        let trace = Trace::new();
        let inner = trace.clone();
        let server =
            create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).max_connections(2).await?;
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = TcpStream::connect(address(&server)).await?;
            client.write_all(b"x").await?;
            clients.push(client);
        }
        for n_served in 1..=5 {
            // The kernel hands connections over in their order.
            clients[0].read_exact(&mut [0]).await?;
            turns(20).await;
            assert_eq!(server.n_connections(), 2.min(6 - n_served));
            assert_eq!(trace.count("made"), 5.min(n_served + 1));
            clients.remove(0);
            until(|| trace.count("lost") == n_served).await;
        }
        server.close();
        server.wait_closed().await;
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_flood_of_one_client_does_not_starve_another() {
    real(async |nursery| {
        let flooded = Rc::new(Cell::new(0));
        let (seen, most) = (flooded.clone(), Rc::new(Cell::new(0)));
        let largest = most.clone();
        let protocol = move || {
            let (seen, largest) = (seen.clone(), largest.clone());
            Scripted::new().on_data(move |transport, data| {
                if data.starts_with(b"ping") {
                    largest.set(largest.get().max(seen.take()));
                    return transport.write(b"pong");
                }
                seen.set(seen.get() + 1);
                Ok(())
            })
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).await?;
        let address = address(&server);
        let flood = std::thread::spawn(move || {
            let mut flood = std::net::TcpStream::connect(address)?;
            let data = vec![b'f'; 1024 * 1024];
            // Until the server closes the connection.
            while flood.write_all(&data).is_ok() {}
            std::io::Result::Ok(())
        });
        until(|| flooded.get() > 0).await;
        // The polite client is a thread of its own, so that every answer waits for a turn of the server only.
        let polite = std::thread::spawn(move || {
            let mut polite = std::net::TcpStream::connect(address)?;
            for _ in 0..100 {
                polite.write_all(b"ping")?;
                polite.read_exact(&mut [0; 4])?;
            }
            std::io::Result::Ok(())
        });
        until(|| polite.is_finished()).await;
        polite.join().expect("no panic")?;
        server.close();
        server.abort_clients();
        server.wait_closed().await;
        flood.join().expect("no panic")?;
        assert!(most.get() > 0, "the flood went on meanwhile");
        Ok(())
    });
}

#[test]
fn a_backlog_that_is_full_is_accepted_whole() {
    real(async |nursery| {
        let trace = Trace::new();
        let inner = trace.clone();
        let server = create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).backlog(4).await?;
        for n_round in 1..=10 {
            // The kernel holds one more than asked for; the loop is blocked while they connect.
            let connect = |_| std::net::TcpStream::connect(address(&server));
            let clients = (0..5).map(connect).collect::<std::io::Result<Vec<_>>>()?;
            until(|| trace.count("made") == 5 * n_round).await;
            drop(clients);
        }
        server.close();
        server.wait_closed().await;
        assert_eq!((trace.count("made"), trace.count("lost None")), (50, 50));
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn in_a_burst_every_factory_runs_before_the_first_connection_made() {
    real(async |nursery| {
        let trace = Trace::new();
        let inner = trace.clone();
        let factory = move || {
            inner.mark("factory");
            inner.recorder()
        };
        let server = create_server(&nursery, factory, "127.0.0.1", 0).start_serving(false).await?;
        server.start_serving()?;
        // The loop is blocked while they connect.
        let clients: Vec<_> =
            (0..3).map(|_| std::net::TcpStream::connect(address(&server))).collect::<std::io::Result<_>>()?;
        until(|| trace.count("made") == 3).await;
        assert_eq!(trace.lines(), ["factory", "factory", "factory", "made", "made", "made"]);
        drop(clients);
        server.close();
        server.wait_closed().await;
        trace.assert_complete();
        Ok(())
    });
}

// ---- run_server and other hosts of a loop

#[test]
fn run_server_is_started_by_a_nursery_that_waits_until_it_serves() {
    real(async |nursery| {
        let server: Server = nursery
            .start(async |task_status: TaskStatus<Server>| {
                run_server(Scripted::echo, "127.0.0.1", 0).on_serving(|server| task_status.started(server)).await
            })
            .await?;
        assert!(server.is_serving());
        let mut client = TcpStream::connect(address(&server)).await?;
        client.write_all(b"x").await?;
        client.read_exact(&mut [0]).await?;
        server.close();
        drop(client);
        Ok(())
    });
}

#[test]
fn an_error_before_it_serves_comes_back_from_start() {
    real(async |nursery| {
        let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = taken.local_addr()?.port();
        let err = nursery
            .start(async move |task_status: TaskStatus<Server>| {
                run_server(Scripted::new, "127.0.0.1", port).on_serving(|server| task_status.started(server)).await
            })
            .await
            .expect_err("the port is taken");
        assert_eq!(io_kind(&err), Some(ErrorKind::AddrInUse));
        Ok(())
    });
}

#[test]
fn run_server_returns_when_its_server_is_closed_and_its_connections_have_ended() {
    real(async |nursery| {
        let trace = Trace::new();
        let (inner, told) = (trace.clone(), Rc::new(RefCell::new(None)));
        let server = told.clone();
        let serving = nursery.create_task(async move {
            run_server(move || inner.wrap(Scripted::echo()), "127.0.0.1", 0)
                .on_serving(move |server| drop(told.replace(Some(server))))
                .await
        });
        until(|| server.borrow().is_some()).await;
        let server = server.take().expect("it serves");
        let client = TcpStream::connect(address(&server)).await?;
        until(|| trace.count("made") == 1).await;
        server.close();
        turns(10).await;
        assert!(!serving.is_finished(), "its client is still there");
        drop(client);
        serving.await??;
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_loop_at_the_root_of_a_multi_threaded_runtime_serves() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let trace = runtime.block_on(async {
        let trace = Trace::new();
        let inner = trace.clone();
        let served = run_here(open_nursery(async |nursery: Nursery| {
            let server = create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).await?;
            let address = address(&server);
            let client = tokio::runtime::Handle::current().spawn(async move {
                for _ in 0..50 {
                    let mut client = TcpStream::connect(address).await?;
                    client.write_all(b"hello").await?;
                    client.read_exact(&mut [0; 5]).await?;
                }
                std::io::Result::Ok(())
            });
            client.await??;
            server.shutdown(Duration::from_secs(10)).await;
            Ok(())
        }));
        tokio::time::timeout(Duration::from_secs(60), served).await.expect("in time").expect("it serves");
        trace
    });
    assert_eq!((trace.count("made"), trace.count("data 'hello'"), trace.count("lost")), (50, 50, 50));
    trace.assert_complete();
}

#[test]
fn a_server_in_a_thread_of_its_own_serves_until_it_is_cancelled() {
    let (told, address_of) = std::sync::mpsc::channel();
    let thread = run_in_thread(move || async move {
        run_server(Scripted::echo, "127.0.0.1", 0)
            .on_serving(move |server| told.send(address(&server)).expect("the test waits"))
            .await
    })
    .expect("a thread");
    let address = address_of.recv_timeout(Duration::from_secs(60)).expect("it serves");
    let mut client = std::net::TcpStream::connect(address).expect("it listens");
    client.write_all(b"hello").expect("it reads");
    let mut answer = [0; 5];
    client.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"hello");
    thread.cancel();
    assert_eq!(client.read(&mut answer).expect("it closes"), 0);
    let err = thread.join().expect_err("it was cancelled");
    assert!(err.is::<foster_compat::Cancelled>());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_factory_that_closes_its_server_still_gets_its_connection() {
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let trace = Trace::new();
        let slot: Rc<RefCell<Option<Server>>> = Rc::default();
        let (closing, inner) = (slot.clone(), trace.clone());
        let factory = move || {
            if let Some(server) = closing.borrow_mut().take() {
                server.close();
            }
            inner.wrap(Scripted::echo())
        };
        let server = create_server(&nursery, factory, "127.0.0.1", 0).await?;
        slot.replace(Some(server.clone()));
        let mut client = TcpStream::connect(address(&server)).await?;
        client.write_all(b"x").await?;
        client.read_exact(&mut [0]).await?;
        drop(client);
        server.wait_closed().await;
        assert_eq!(trace.lines(), ["made", "data 'x'", "eof", "lost None"]);
        assert_eq!(reports.take(), [""; 0]);
        Ok(())
    });
}

#[test]
fn cancelling_the_nursery_inside_on_serving_ends_run_server() {
    real(async |_| {
        let cancelled = open_nursery(async |nursery: Nursery| {
            let scope = nursery.cancel_scope();
            run_server(Scripted::new, "127.0.0.1", 0).on_serving(move |_| scope.cancel()).await?;
            sleep_forever().await;
            Ok(())
        })
        .await?;
        assert!(cancelled.is_none());
        Ok(())
    });
}
