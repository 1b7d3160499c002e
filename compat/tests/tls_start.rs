//! `start_tls`: both sides, what is carried over, and one `connection_lost` on every failure.

#![cfg(all(feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod stage;
mod tls;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::{Trace, Traced};
use foster_compat::{
    Error, Loop, Nursery, Result, RuntimeError, SslContext, SslError, TransportRef, TypeError, connect_accepted_socket,
    create_connection, create_server, move_on_after, start_tls,
};
use stage::{Scripted, address, paused, real, turns, until};
use tls::{Authority, contexts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a server does at its command.
type Upgrade = Rc<dyn Fn(&TransportRef, &[u8])>;

/// Echoes in upper case, and upgrades at `STARTTLS`; `behind` are the bytes that came after the command.
fn upgradable(trace: &Trace, upgrade: Upgrade) -> Traced<Scripted> {
    trace.wrap(Scripted::new().on_data(move |transport, data| match data.strip_prefix(b"STARTTLS\n") {
        Some(behind) => {
            upgrade(transport, behind);
            Ok(())
        }
        // After the upgrade the protocol writes to the transport that it was given then.
        None => Ok(()),
    }))
}

/// Upgrades on the side of the server, answers what comes, and keeps the error.
fn serve_tls(context: &SslContext, errors: &Rc<RefCell<Vec<Error>>>, says: &'static [u8]) -> Upgrade {
    let (context, errors) = (context.clone(), errors.clone());
    Rc::new(move |transport, behind| {
        transport.write(b"go\n").expect("it is open");
        let upgrade = start_tls(transport, &context)
            .server_side(true)
            .ssl_handshake_timeout(Duration::from_millis(300))
            .leftover(behind);
        let errors = errors.clone();
        // Not a task of the connection, which would end with it.
        let loop_ = foster_compat::get_running_loop().expect("a loop runs");
        loop_.create_task(async move {
            match upgrade.await {
                Ok(transport) => transport.write(says)?,
                Err(err) => errors.borrow_mut().push(err),
            }
            Ok(())
        });
    })
}

#[derive(Clone, Default)]
struct Seen {
    trace: Trace,
    errors: Rc<RefCell<Vec<Error>>>,
}

async fn serve(nursery: &Nursery, context: &SslContext, seen: &Seen) -> Result<foster_compat::Server> {
    let (trace, upgrade) = (seen.trace.clone(), serve_tls(context, &seen.errors, b"tls hello"));
    create_server(nursery, move || upgradable(&trace, upgrade.clone()), "127.0.0.1", 0).await
}

#[test]
fn both_sides_upgrade_a_connection_that_has_begun_in_plain() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let seen = Seen::default();
        let server = serve(&nursery, &server_context, &seen).await?;
        let (client_trace, received) = (Trace::new(), Rc::new(RefCell::new(Vec::new())));
        let protocol = {
            let received = received.clone();
            client_trace.wrap(Scripted::new().on_data(move |_, data| {
                received.borrow_mut().extend_from_slice(data);
                Ok(())
            }))
        };
        let port = address(&server).port();
        let (plain, _) = create_connection(&nursery, || protocol, "127.0.0.1", port).await?;
        plain.write(b"STARTTLS\n")?;
        until(|| *received.borrow() == b"go\n").await;
        let secure = Loop::new(&nursery).start_tls(&plain, &client_context).server_hostname("localhost").await?;
        assert_ne!(secure, plain);
        assert!(secure.ssl_object().is_some() && plain.ssl_object().is_none());
        until(|| received.borrow().ends_with(b"tls hello")).await;
        secure.write(b"enc")?;
        secure.close();
        assert!(secure.closed().await.is_none());
        until(|| seen.trace.count("lost") == 1).await;
        assert_eq!(seen.trace.lines(), ["made", "data 'STARTTLS\\n'", "data 'enc'", "eof", "lost None"]);
        assert_eq!(client_trace.count("made"), 1, "connection_made is not called again unless asked for");
        assert_eq!(client_trace.count("lost None"), 1);
        server.close();
        Ok(())
    });
}

#[test]
fn connection_made_is_called_again_if_asked_for_before_the_upgrade_returns() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let of_server = Rc::new(RefCell::new(Vec::new()));
        let kept = of_server.clone();
        let protocol = move || {
            Scripted::new().on_made(move |transport| {
                kept.borrow_mut().push(transport.clone());
                Ok(())
            })
        };
        let (plain, _) = connect_accepted_socket(&nursery, protocol, theirs).await?;
        let client = {
            let nursery = nursery.clone();
            nursery.clone().create_task(async move {
                let (plain, _) = create_connection(&nursery, Scripted::new, "", 0).sock(ours).await?;
                start_tls(&plain, &client_context).server_hostname("localhost").await
            })
        };
        let secure = start_tls(&plain, &server_context).server_side(true).call_connection_made(true).await?;
        assert_eq!(*of_server.borrow(), [plain, secure.clone()]);
        client.await??.abort();
        secure.closed().await;
        Ok(())
    });
}

#[test]
fn bytes_behind_the_command_are_handed_over_at_every_split() {
    real(async |nursery| {
        let authority = Authority::new();
        let server_context = authority.server().build()?;
        // The client's first flight, made ahead of time.
        let hello = {
            let (ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
            let context = authority.client().build()?;
            let attempt = create_connection(&nursery, Scripted::new, "", 0).sock(ours).ssl(&context);
            let attempt = attempt.server_hostname("localhost").into_future();
            assert!(move_on_after(Duration::from_millis(50), attempt).await.is_none());
            let mut hello = vec![0; 4096];
            let n = std::io::Read::read(&mut theirs, &mut hello)?;
            hello.truncate(n);
            hello
        };
        for cut in [0, 1, 5, hello.len() / 2, hello.len()] {
            let seen = Seen::default();
            let server = serve(&nursery, &server_context, &seen).await?;
            let mut client = TcpStream::connect(address(&server)).await?;
            let mut first = b"STARTTLS\n".to_vec();
            first.extend_from_slice(&hello[..cut]);
            client.write_all(&first).await?;
            let mut answer = [0; 3];
            client.read_exact(&mut answer).await?;
            assert_eq!(&answer, b"go\n");
            client.write_all(&hello[cut..]).await?;
            // The server answers the hello with a handshake record.
            let mut record = [0; 1];
            client.read_exact(&mut record).await?;
            assert_eq!(record, [22], "cut at {cut}");
            drop(client);
            until(|| seen.trace.count("lost") == 1).await;
            seen.trace.assert_complete();
            server.close();
        }
        Ok(())
    });
}

#[test]
fn what_was_written_before_goes_out_first_in_plain() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let big = vec![b'x'; 3_000_000];
        let n_plain = Rc::new(RefCell::new(0));
        let counted = n_plain.clone();
        let protocol = move || {
            Scripted::new().on_data(move |_, data| {
                *counted.borrow_mut() += data.len();
                Ok(())
            })
        };
        let (reader, _) = create_connection(&nursery, protocol, "", 0).sock(ours).await?;
        let trace = Trace::new();
        let (writer, _) = connect_accepted_socket(&nursery, || trace.wrap(Scripted::new()), theirs).await?;
        writer.write(&big)?;
        assert!(writer.is_writing_paused());
        let upgrade = start_tls(&writer, &server_context).server_side(true);
        let server = nursery.create_task(async move { upgrade.await });
        until(|| *n_plain.borrow() == 3_000_000).await;
        let secure = start_tls(&reader, &client_context).server_hostname("localhost").await?;
        let other = server.await??;
        assert!(!other.is_writing_paused());
        assert_eq!((trace.count("pause_writing"), trace.count("resume_writing")), (1, 1));
        other.write(b"secret")?;
        until(|| *n_plain.borrow() == 3_000_006).await;
        secure.abort();
        other.closed().await;
        Ok(())
    });
}

// ---- failures

#[test]
fn a_handshake_that_times_out_gives_one_connection_lost_and_the_error() {
    real(async |nursery| {
        let (server_context, _) = contexts()?;
        let seen = Seen::default();
        let server = serve(&nursery, &server_context, &seen).await?;
        let mut client = TcpStream::connect(address(&server)).await?;
        // What is behind the command is not TLS, and too little of it to be sure.
        client.write_all(b"STARTTLS\n\x16").await?;
        until(|| seen.trace.count("lost") == 1 && !seen.errors.borrow().is_empty()).await;
        assert_eq!(seen.trace.lines(), ["made", "data 'STARTTLS\\n\\x16'", "lost ConnectionAborted"]);
        let errors = seen.errors.borrow();
        assert_eq!(io_kind(&errors[0]), Some(ErrorKind::ConnectionAborted));
        assert_eq!(errors.len(), 1);
        server.close();
        Ok(())
    });
}

#[test]
fn a_reset_in_the_handshake_gives_one_connection_lost_and_the_error() {
    real(async |nursery| {
        let (server_context, _) = contexts()?;
        let seen = Seen::default();
        let server = serve(&nursery, &server_context, &seen).await?;
        let mut client = TcpStream::connect(address(&server)).await?;
        client.write_all(b"STARTTLS\n").await?;
        client.read_exact(&mut [0; 3]).await?;
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        drop(client);
        until(|| seen.trace.count("lost") == 1 && !seen.errors.borrow().is_empty()).await;
        assert_eq!(seen.trace.lines(), ["made", "data 'STARTTLS\\n'", "lost ConnectionReset"]);
        assert_eq!(io_kind(&seen.errors.borrow()[0]), Some(ErrorKind::ConnectionReset));
        server.close();
        Ok(())
    });
}

#[test]
fn a_peer_that_speaks_no_tls_or_leaves_gives_one_connection_lost_and_the_error() {
    real(async |nursery| {
        let (server_context, _) = contexts()?;
        for says in [&b"this is no handshake at all\n"[..], b""] {
            let seen = Seen::default();
            let server = serve(&nursery, &server_context, &seen).await?;
            let mut client = TcpStream::connect(address(&server)).await?;
            client.write_all(b"STARTTLS\n").await?;
            client.read_exact(&mut [0; 3]).await?;
            client.write_all(says).await?;
            client.shutdown().await?;
            until(|| seen.trace.count("lost") == 1 && !seen.errors.borrow().is_empty()).await;
            seen.trace.assert_complete();
            assert_eq!(seen.trace.count("lost None"), 0, "it is told why");
            let err = seen.errors.borrow()[0].clone();
            assert!(err.is::<SslError>() || io_kind(&err) == Some(ErrorKind::ConnectionReset), "{err}");
            server.close();
        }
        Ok(())
    });
}

#[test]
fn an_upgrade_that_is_cancelled_aborts_the_connection() {
    real(async |nursery| {
        let (_, client_context) = contexts()?;
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair()?;
        let trace = Trace::new();
        let (plain, _) = create_connection(&nursery, || trace.wrap(Scripted::new()), "", 0).sock(ours).await?;
        let upgrade = start_tls(&plain, &client_context).server_hostname("localhost").into_future();
        assert!(move_on_after(Duration::from_millis(20), upgrade).await.is_none());
        until(|| trace.count("lost") == 1).await;
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

#[test]
fn an_upgrade_in_a_task_of_the_connection_that_fails_is_not_reported() {
    real(async |nursery| {
        let (server_context, _) = contexts()?;
        let reports = stage::Reports::of(&nursery);
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = move || {
            let context = server_context.clone();
            inner.wrap(Scripted::new().on_made(move |transport| {
                let upgrade = start_tls(transport, &context).server_side(true);
                transport.start_soon(async move {
                    upgrade.await?;
                    Ok(())
                });
                Ok(())
            }))
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).await?;
        let mut client = TcpStream::connect(address(&server)).await?;
        client.write_all(b"this is no handshake at all\n").await?;
        until(|| trace.count("lost") == 1 && server.n_connections() == 0).await;
        trace.assert_complete();
        assert_eq!(reports.take(), [] as [&str; 0], "an error of the peer's is connection_lost's alone");
        server.close();
        Ok(())
    });
}

#[test]
fn a_connection_that_is_closing_or_lost_cannot_be_upgraded() {
    paused(async |nursery| {
        let (_, client_context) = contexts()?;
        let (transport, _, _peer) = foster_compat::testing::connect(&nursery, Scripted::new());
        turns(2).await;
        transport.close();
        let err = start_tls(&transport, &client_context).server_hostname("localhost").await.expect_err("it is closing");
        assert!(err.is::<RuntimeError>(), "{err}");
        transport.closed().await;
        let err = start_tls(&transport, &client_context).server_hostname("localhost").await.expect_err("it is lost");
        assert!(err.is::<RuntimeError>(), "{err}");
        Ok(())
    });
}

#[test]
fn a_transport_that_cannot_be_upgraded_is_a_type_error() {
    paused(async |_| {
        let (_, client_context) = contexts()?;
        let err = start_tls(&TransportRef::default(), &client_context).await.expect_err("there is no connection");
        assert!(err.is::<TypeError>());
        assert!(err.to_string().ends_with(" is not supported by start_tls()"), "{err}");
        Ok(())
    });
}

#[test]
fn an_upgrade_without_a_name_to_check_is_refused() {
    paused(async |nursery| {
        let (_, client_context) = contexts()?;
        let (transport, _, _peer) = foster_compat::testing::connect(&nursery, Scripted::new());
        turns(2).await;
        let err = start_tls(&transport, &client_context).await.expect_err("the name is to be checked");
        assert_eq!(err.to_string(), "check_hostname requires server_hostname");
        assert!(!transport.is_closing(), "the connection lives on in plain");
        transport.abort();
        Ok(())
    });
}

fn io_kind(err: &Error) -> Option<ErrorKind> {
    err.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}
