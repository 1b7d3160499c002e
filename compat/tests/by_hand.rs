//! The scenarios of asyncio's behaviour that do not fit the language of the conformance suite, by their names there. C20,
//! T03 and two cases of E13 are excluded by types: `compiler_messages` holds those.

#![cfg(all(feature = "testing", unix))]

mod stage;

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::Trace;
use foster_compat::{
    Error, Hosts, Loop, Nursery, Result, ValueError, connect_read_pipe, create_connection, create_server, fail_after,
};
use stage::{Scripted, address, real, turns};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

fn value_error<T>(outcome: Result<T>) -> String {
    let Err(err) = outcome else { panic!("it is refused") };
    assert!(err.is::<ValueError>(), "{err}");
    err.to_string()
}

#[test]
fn e13_arguments_of_create_server_are_checked() {
    real(async |nursery| {
        let server = || create_server(&nursery, Scripted::new, "127.0.0.1", 0);
        // (1) differs: no host is all interfaces, as `None` with a port is in asyncio; no hosts at all are an error.
        let none = create_server(&nursery, Scripted::new, Hosts::from(Vec::<String>::new()), 0).await;
        assert!(none.is_err());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let both = server().sock(listener).await;
        assert_eq!(value_error(both), "host/port and sock can not be specified at the same time");
        // (3) A descriptor says nothing of its kind.
        let datagram: OwnedFd = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.into();
        let socket = create_server(&nursery, Scripted::new, "", 0).sock(TcpListener::from(datagram)).await;
        assert!(value_error(socket).starts_with("A Stream Socket was expected, got "));
        #[cfg(feature = "tls")]
        assert_eq!(
            value_error(server().ssl_handshake_timeout(Duration::from_secs(1)).await),
            "ssl_handshake_timeout is only meaningful with ssl"
        );
        Ok(())
    });
}

#[test]
fn e15_a_client_that_connects_while_the_server_closes_reads_the_end() {
    real(async |nursery| {
        for n_turns in 0..6 {
            let trace = Trace::new();
            let inner = trace.clone();
            let server = create_server(&nursery, move || inner.wrap(Scripted::new()), "127.0.0.1", 0).await?;
            let at = address(&server);
            // The kernel connects it while the loop is blocked.
            let client = std::net::TcpStream::connect(at)?;
            turns(n_turns).await;
            let loop_ = Loop::new(&nursery);
            let (soon, closing) = (loop_.clone(), server.clone());
            loop_.call_soon(move || {
                soon.call_soon(move || closing.close());
            });
            client.set_nonblocking(true)?;
            let mut client = TcpStream::from_std(client)?;
            turns(5).await;
            server.close_clients();
            let end = fail_after(Duration::from_secs(10), client.read(&mut [0])).await?;
            match end {
                Ok(n) => assert_eq!(n, 0),
                Err(err) => assert_eq!(err.kind(), ErrorKind::ConnectionReset),
            }
            server.wait_closed().await;
            trace.assert_complete();
        }
        Ok(())
    });
}

/// Nobody listens on the port of this socket, on any address.
fn refusing() -> Result<(socket2::Socket, u16)> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let port = socket.local_addr()?.as_socket().map_or(0, |at| at.port());
    Ok((socket, port))
}

fn resolve_to(nursery: &Nursery, ips: [&'static str; 2]) {
    Loop::new(nursery).set_resolver(Some(move |_: String, port: u16| async move {
        ips.iter().map(|ip| Ok(SocketAddr::new(ip.parse()?, port))).collect()
    }));
}

#[test]
fn f21_all_addresses_refusing_gives_one_error_that_names_each() {
    real(async |nursery| {
        let (_kept, port) = refusing()?;
        resolve_to(&nursery, ["127.0.0.1", "::1"]);
        let n_calls = Rc::new(Cell::new(0));
        let counter = n_calls.clone();
        let factory = move || {
            counter.set(counter.get() + 1);
            Scripted::new()
        };
        let err = create_connection(&nursery, factory, "some.host", port).await.expect_err("both refuse");
        let expected = format!(
            "Multiple exceptions: [Errno 111] Connect call failed ('127.0.0.1', {port}), \
             [Errno 111] Connect call failed ('::1', {port}, 0, 0)"
        );
        assert_eq!((err.to_string(), n_calls.get()), (expected, 0));
        Ok(())
    });
}

#[test]
fn f22_the_address_that_accepts_is_taken() {
    real(async |nursery| {
        let server = create_server(&nursery, Scripted::new, "127.0.0.1", 0).await?;
        resolve_to(&nursery, ["::1", "127.0.0.1"]);
        let trace = Trace::new();
        let client = || trace.wrap(Scripted::new());
        let (transport, _) = create_connection(&nursery, client, "some.host", address(&server).port()).await?;
        transport.abort();
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "lost None"]);
        server.close();
        Ok(())
    });
}

#[test]
fn f23_arguments_of_create_connection_are_checked() {
    real(async |nursery| {
        let nothing = create_connection(&nursery, Scripted::new, "", 0);
        assert_eq!(value_error(nothing.await), "host and port was not specified and no sock specified");
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair()?;
        let both = create_connection(&nursery, Scripted::new, "127.0.0.1", 1).sock(ours);
        assert_eq!(value_error(both.await), "host/port and sock can not be specified at the same time");
        let datagram: OwnedFd = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.into();
        let socket = create_connection(&nursery, Scripted::new, "", 0).sock(datagram);
        assert!(value_error(socket.await).starts_with("A Stream Socket was expected, got "));
        #[cfg(feature = "tls")]
        {
            let connect = || create_connection(&nursery, Scripted::new, "127.0.0.1", 1);
            assert_eq!(
                value_error(connect().server_hostname("x").await),
                "server_hostname is only meaningful with ssl"
            );
            let (ours, _theirs) = std::os::unix::net::UnixStream::pair()?;
            let context = foster_compat::SslContext::client().build()?;
            let nameless = create_connection(&nursery, Scripted::new, "", 0).sock(ours).ssl(&context);
            assert_eq!(value_error(nameless.await), "You must set server_hostname when using ssl without a host");
            assert_eq!(
                value_error(connect().ssl_handshake_timeout(Duration::from_secs(1)).await),
                "ssl_handshake_timeout is only meaningful with ssl"
            );
        }
        Ok(())
    });
}

#[test]
fn j16_a_regular_file_is_no_pipe() {
    real(async |nursery| {
        let file = std::fs::File::open(std::env::current_exe()?)?;
        let is_called = Cell::new(false);
        let factory = || {
            is_called.set(true);
            Scripted::new().on_made(|_| Err(Error::msg("it is not to be called")))
        };
        let err = value_error(connect_read_pipe(&nursery, factory, file).await);
        assert_eq!(err, "Pipe transport is for pipes/sockets only.");
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}
