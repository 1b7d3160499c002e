//! Connections over TLS: what the protocol sees, and how they end.

#![cfg(all(feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod stage;
mod tls;

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::Trace;
use foster_compat::{
    Buffered, BufferedProtocol, Error, Nursery, Result, Server, SslContext, SslError, TimeoutError, TlsVersion,
    TransportRef, ValueError, VerifyMode, connect_accepted_socket, create_connection, create_server, open_nursery,
};
use stage::{Reports, Scripted, address, bounded, real, turns, until};
use tls::{Authority, Identity, contexts, self_signed_authority, self_signed_until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A protocol that says what happens, and where it writes to.
#[derive(Clone, Default)]
struct Client {
    trace: Trace,
    received: Rc<RefCell<Vec<u8>>>,
    lost: Rc<RefCell<Option<Option<Error>>>>,
}

impl Client {
    fn protocol(&self) -> foster_compat::testing::Traced<Scripted> {
        let (received, lost) = (self.received.clone(), self.lost.clone());
        let protocol = Scripted::new()
            .on_data(move |_, data| {
                received.borrow_mut().extend_from_slice(data);
                Ok(())
            })
            .on_lost(move |_, exc| {
                lost.replace(Some(exc));
                Ok(())
            });
        self.trace.wrap(protocol)
    }

    async fn connect(&self, nursery: &Nursery, server: &Server, context: &SslContext) -> Result<TransportRef> {
        let port = address(server).port();
        let (transport, _) = create_connection(nursery, || self.protocol(), "localhost", port).ssl(context).await?;
        Ok(transport)
    }
}

async fn echo_server(nursery: &Nursery, context: &SslContext) -> Result<Server> {
    create_server(nursery, Scripted::echo, "127.0.0.1", 0).ssl(context).await
}

#[test]
fn bytes_go_both_ways_and_a_close_is_answered() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let trace = Trace::new();
        let inner = trace.clone();
        let server =
            create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).ssl(&server_context).await?;
        let client = Client::default();
        let transport = client.connect(&nursery, &server, &client_context).await?;
        assert_eq!(client.trace.lines(), ["made"]);
        transport.write(b"hello")?;
        until(|| *client.received.borrow() == b"hello").await;
        transport.close();
        assert!(transport.is_closing());
        assert!(transport.closed().await.is_none());
        assert_eq!(client.trace.lines(), ["made", "data 'hello'", "eof", "lost None"]);
        server.close();
        server.wait_closed().await;
        assert_eq!(trace.lines(), ["made", "data 'hello'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn megabytes_go_through_whatever_their_size() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let server = echo_server(&nursery, &server_context).await?;
        for size in [1, 16_383, 16_384, 16_385, 300_000, 5_000_000] {
            let client = Client::default();
            let transport = client.connect(&nursery, &server, &client_context).await?;
            let data: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            transport.write(&data)?;
            until(|| client.received.borrow().len() == size).await;
            assert!(*client.received.borrow() == data, "size {size}");
            transport.close();
            transport.closed().await;
        }
        server.close();
        Ok(())
    });
}

#[test]
fn the_facts_of_the_connection_are_told() {
    real(async |nursery| {
        let authority = Authority::new();
        let server_context = authority.server().set_alpn_protocols(["h2", "http/1.1"]).build()?;
        let client_context = authority.client().set_alpn_protocols(["http/1.1"]).build()?;
        let seen = Rc::new(RefCell::new(None));
        let told = seen.clone();
        let protocol = move || {
            let told = told.clone();
            Scripted::new().on_made(move |transport| {
                told.replace(transport.ssl_object());
                Ok(())
            })
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&server_context).await?;
        let client = Client::default();
        let transport = client.connect(&nursery, &server, &client_context).await?;
        let object = transport.ssl_object().expect("the handshake is done");
        assert_eq!(object.version(), Some(TlsVersion::TlsV1_3));
        assert_eq!(object.selected_alpn_protocol(), Some("http/1.1"));
        assert_eq!(object.server_hostname(), Some("localhost"));
        assert!(!object.server_side() && object.context().ptr_eq(&client_context));
        assert!(!transport.peercert().expect("servers have one").der().is_empty());
        let cipher = transport.cipher().expect("the handshake is done");
        assert!(cipher.name().starts_with("TLS_") && cipher.secret_bits() >= 128, "{cipher:?}");
        assert!(transport.sslcontext().is_some_and(|context| context.ptr_eq(&client_context)));
        assert_eq!(transport.peername().and_then(|peer| peer.port()), Some(address(&server).port()));
        assert_eq!(transport.get_write_buffer_limits(), (128 * 1024, 512 * 1024));
        assert!(!transport.can_write_eof() && transport.write_eof().is_err());
        until(|| seen.borrow().is_some()).await;
        let of_server = seen.take().expect("it was seen");
        assert!(of_server.server_side());
        assert_eq!(of_server.server_hostname(), Some("localhost"));
        assert!(of_server.getpeercert().is_none());
        transport.abort();
        transport.closed().await;
        assert!(transport.peername().is_none() && transport.ssl_object().is_some());
        server.close();
        Ok(())
    });
}

#[test]
fn a_client_certificate_is_asked_for_and_seen() {
    real(async |nursery| {
        let authority = Authority::new();
        let Identity { cert, key } = authority.sign(&["client"]);
        let server_context =
            authority.server().verify_mode(VerifyMode::Required).load_verify_pem(authority.pem()).build()?;
        let with = authority.client().load_cert_chain_pem(&cert, &key).build()?;
        let shown = Rc::new(RefCell::new(Vec::new()));
        let seen = shown.clone();
        let protocol = move || {
            let seen = seen.clone();
            Scripted::echo().on_made(move |transport| {
                seen.borrow_mut().push(transport.peercert().map(|cert| cert.der().to_vec()));
                Ok(())
            })
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&server_context).await?;
        let client = Client::default();
        let transport = client.connect(&nursery, &server, &with).await?;
        transport.write(b"x")?;
        until(|| *client.received.borrow() == b"x").await;
        assert_eq!(shown.borrow().len(), 1);
        assert!(shown.borrow()[0].as_ref().is_some_and(|der| !der.is_empty()));
        transport.abort();
        // Over TLS 1.3 a client hears of the refusal after its own handshake.
        let without = authority.client().build()?;
        let client = Client::default();
        let transport = client.connect(&nursery, &server, &without).await?;
        let exc = transport.closed().await.expect("it is refused");
        assert!(exc.is::<SslError>() || exc.is_os_error(), "{exc}");
        assert_eq!(shown.borrow().len(), 1, "no protocol hears of it");
        server.close();
        Ok(())
    });
}

#[test]
fn an_sni_callback_chooses_the_context() {
    real(async |nursery| {
        let authority = Authority::new();
        let Identity { cert, key } = authority.sign(&["localhost"]);
        let chosen = SslContext::server().load_cert_chain_pem(cert, key).build()?;
        let other = authority.sign(&["other.example"]);
        let server_context = SslContext::server()
            .load_cert_chain_pem(other.cert, other.key)
            .sni_callback(move |hello| match hello.server_name() {
                Some("localhost") => Ok(Some(chosen.clone())),
                Some("other.example") => Ok(None),
                name => Err(Error::msg(format!("nobody here is called {name:?}"))),
            })
            .build()?;
        let server = echo_server(&nursery, &server_context).await?;
        let port = address(&server).port();
        let client_context = authority.client().build()?;
        for name in ["localhost", "other.example"] {
            let client = Client::default();
            let (transport, _) = create_connection(&nursery, || client.protocol(), "127.0.0.1", port)
                .ssl(&client_context)
                .server_hostname(name)
                .await?;
            transport.write(b"x")?;
            until(|| *client.received.borrow() == b"x").await;
            transport.abort();
        }
        let refused = create_connection(&nursery, Scripted::new, "127.0.0.1", port)
            .ssl(&client_context)
            .server_hostname("third.example")
            .await
            .expect_err("the callback refuses it");
        assert!(refused.is::<SslError>(), "{refused}");
        server.close();
        Ok(())
    });
}

#[test]
fn a_certificate_is_verified_as_the_context_says() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let server = echo_server(&nursery, &server_context).await?;
        let port = address(&server).port();
        let connect = async |context: &SslContext, name: &str| {
            let client = Client::default();
            let connected = create_connection(&nursery, || client.protocol(), "127.0.0.1", port)
                .ssl(context)
                .server_hostname(name)
                .await;
            match connected {
                Ok((transport, _)) => {
                    transport.abort();
                    transport.closed().await;
                    assert_eq!(client.trace.lines(), ["made", "lost None"]);
                    Ok(())
                }
                Err(err) => {
                    turns(3).await;
                    assert_eq!(client.trace.lines(), [] as [&str; 0], "the protocol hears nothing");
                    Err(err)
                }
            }
        };
        connect(&client_context, "localhost").await?;
        let is_refused = |outcome: Result<()>| {
            let err = outcome.expect_err("it is not accepted");
            err.downcast_ref::<SslError>().is_some_and(SslError::is_certificate_verification)
        };
        assert!(is_refused(connect(&client_context, "elsewhere").await), "the name is checked");
        let stranger = Authority::new();
        assert!(is_refused(connect(&stranger.client().build()?, "localhost").await), "so is who has signed");
        let any_name = SslContext::client().load_verify_pem(stranger.pem()).check_hostname(false).build()?;
        assert!(is_refused(connect(&any_name, "localhost").await), "without a name the rest is checked");
        let anything = SslContext::client().verify_mode(VerifyMode::None).check_hostname(false).build()?;
        connect(&anything, "elsewhere").await?;
        connect(&anything, "").await?;
        server.close();
        Ok(())
    });
}

#[test]
fn a_certificate_that_signs_itself_is_trusted_where_it_was_given() {
    real(async |nursery| {
        let Identity { cert, key } = self_signed_authority("localhost");
        let server_context = SslContext::server().load_cert_chain_pem(&cert, key).build()?;
        let server = echo_server(&nursery, &server_context).await?;
        let port = address(&server).port();
        let trusting = SslContext::client().load_verify_pem(&cert).build()?;
        let connect = |name: &str, context: &SslContext| {
            create_connection(&nursery, Scripted::new, "127.0.0.1", port).ssl(context).server_hostname(name)
        };
        connect("localhost", &trusting).await?.0.abort();
        let err = connect("elsewhere", &trusting).await.expect_err("another name");
        assert!(err.downcast_ref::<SslError>().is_some_and(SslError::is_certificate_verification), "{err}");
        let twin = self_signed_authority("localhost");
        let err = connect("localhost", &SslContext::client().load_verify_pem(twin.cert).build()?).await;
        assert!(err.is_err(), "another certificate");
        server.close();
        Ok(())
    });
}

#[test]
fn a_certificate_given_as_trusted_still_has_to_be_in_its_time() {
    real(async |nursery| {
        let Identity { cert, key } = self_signed_until("localhost", 2020);
        let server_context = SslContext::server().load_cert_chain_pem(&cert, &key).build()?;
        let server = echo_server(&nursery, &server_context).await?;
        let trusting = SslContext::client().load_verify_pem(&cert).check_hostname(false).build()?;
        let err = Client::default().connect(&nursery, &server, &trusting).await.expect_err("it has expired");
        assert!(err.to_string().contains("expired"), "{err}");
        server.close();
        Ok(())
    });
}

#[test]
fn a_client_certificate_that_signs_itself_is_trusted_where_it_was_given() {
    real(async |nursery| {
        let authority = Authority::new();
        let known = self_signed_authority("known");
        for mode in [VerifyMode::Required, VerifyMode::Optional] {
            let server_context = authority.server().load_verify_pem(&known.cert).verify_mode(mode).build()?;
            let server = echo_server(&nursery, &server_context).await?;
            let context = authority.client().load_cert_chain_pem(&known.cert, &known.key).build()?;
            let client = Client::default();
            let transport = client.connect(&nursery, &server, &context).await?;
            transport.write(b"x")?;
            until(|| *client.received.borrow() == b"x").await;
            transport.close();
            transport.closed().await;
            let expired = self_signed_until("expired", 2020);
            for stranger in [self_signed_authority("known"), expired] {
                let context = authority.client().load_cert_chain_pem(stranger.cert, stranger.key).build()?;
                let transport = Client::default().connect(&nursery, &server, &context).await?;
                let exc = transport.closed().await.expect("it is refused");
                assert!(exc.is::<SslError>() || exc.is_os_error(), "{exc}");
            }
            server.close();
        }
        Ok(())
    });
}

#[test]
fn tls_1_2_is_spoken_unless_the_minimum_is_higher() {
    real(async |nursery| {
        let authority = Authority::new();
        let server = echo_server(&nursery, &authority.server().build()?).await?;
        let old = authority.client().maximum_version(TlsVersion::TlsV1_2).build()?;
        let client = Client::default();
        let transport = client.connect(&nursery, &server, &old).await?;
        assert_eq!(transport.ssl_object().and_then(|object| object.version()), Some(TlsVersion::TlsV1_2));
        transport.write(b"x")?;
        until(|| *client.received.borrow() == b"x").await;
        transport.close();
        assert!(transport.closed().await.is_none());
        let strict = authority.server().minimum_version(TlsVersion::TlsV1_3).build()?;
        let server = echo_server(&nursery, &strict).await?;
        let err = Client::default().connect(&nursery, &server, &old).await.expect_err("too old");
        assert!(err.is::<SslError>(), "{err}");
        nursery.cancel();
        Ok(())
    });
}

// ---- bad peers

#[test]
fn a_plain_text_client_on_a_tls_port_ends_at_once_and_nobody_hears_of_it() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let trace = Trace::new();
        let inner = trace.clone();
        let reports = Reports::of(&nursery);
        let server =
            create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).ssl(&server_context).await?;
        let mut plain = TcpStream::connect(address(&server)).await?;
        plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
        let mut answer = Vec::new();
        // An alert, then the end, which may be a reset.
        let _ = plain.read_to_end(&mut answer).await;
        assert_eq!(answer.first(), Some(&21), "an alert says why: {answer:?}");
        until(|| server.n_connections() == 0).await;
        assert_eq!(trace.lines(), [] as [&str; 0]);
        assert_eq!(reports.take(), [] as [&str; 0]);
        // Others are served.
        Client::default().connect(&nursery, &server, &client_context).await?.abort();
        server.close();
        Ok(())
    });
}

#[test]
fn a_handshake_that_takes_too_long_is_cut() {
    real(async |nursery| {
        let (server_context, _) = contexts()?;
        let server = create_server(&nursery, Scripted::echo, "127.0.0.1", 0)
            .ssl(&server_context)
            .ssl_handshake_timeout(Duration::from_millis(50))
            .await?;
        let mut silent = TcpStream::connect(address(&server)).await?;
        assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
        until(|| server.n_connections() == 0).await;
        server.close();
        Ok(())
    });
}

#[test]
fn a_server_that_never_answers_the_handshake_is_an_error_within_the_time_out() {
    real(async |nursery| {
        let (_, client_context) = contexts()?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let client = Client::default();
        let err = create_connection(&nursery, || client.protocol(), "localhost", port)
            .ssl(&client_context)
            .ssl_handshake_timeout(Duration::from_millis(50))
            .await
            .expect_err("nobody answers");
        assert_eq!(err.downcast_ref::<std::io::Error>().map(std::io::Error::kind), Some(ErrorKind::ConnectionAborted));
        assert_eq!(err.to_string(), "SSL handshake is taking longer than 0.05 seconds: aborting the connection");
        until(|| nursery.n_children() == 0).await;
        assert_eq!(client.trace.lines(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn a_server_that_leaves_in_the_handshake_is_an_error() {
    real(async |nursery| {
        let (_, client_context) = contexts()?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        nursery.start_soon(async move {
            let (mut stream, _) = listener.accept().await?;
            stream.read_exact(&mut [0; 5]).await?;
            Ok(())
        });
        let err = create_connection(&nursery, Scripted::new, "localhost", port).ssl(&client_context).await;
        let err = err.expect_err("it has left");
        assert_eq!(err.downcast_ref::<std::io::Error>().map(std::io::Error::kind), Some(ErrorKind::ConnectionReset));
        Ok(())
    });
}

/// Does the client's side of the handshake by hand, on a plain socket.
struct RawClient {
    stream: std::net::TcpStream,
    tls: rustls::ClientConnection,
}

impl RawClient {
    async fn connect(server: &Server, authority: &Authority) -> Result<Self> {
        RawClient::connect_and_send(server, authority, b"").await
    }

    /// Connects, and sends plain bytes together with the end of the handshake.
    async fn connect_and_send(server: &Server, authority: &Authority, data: &'static [u8]) -> Result<Self> {
        let (at, pem) = (address(server), authority.pem());
        Ok(foster_compat::to_thread::run_sync(move || RawClient::handshake(at, &pem, data)).await?)
    }

    fn handshake(at: std::net::SocketAddr, pem: &str, data: &[u8]) -> std::io::Result<Self> {
        use rustls::pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        let cert = rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        roots.add(cert).expect("an authority");
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "localhost".try_into().expect("a name");
        let mut tls = rustls::ClientConnection::new(std::sync::Arc::new(config), name).expect("a connection");
        std::io::Write::write_all(&mut tls.writer(), data)?;
        let mut stream = std::net::TcpStream::connect(at)?;
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut stream)?;
        }
        Ok(RawClient { stream, tls })
    }

    fn send(&mut self, data: &[u8]) -> Result<()> {
        use std::io::Write;
        self.tls.writer().write_all(data)?;
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }
}

#[test]
fn a_peer_that_never_answers_close_notify_is_cut_after_the_shutdown_time_out() {
    real(async |nursery| {
        let authority = Authority::new();
        let trace = Trace::new();
        let inner = trace.clone();
        let lost = Rc::new(RefCell::new(None));
        let seen = lost.clone();
        let protocol = move || {
            let seen = seen.clone();
            inner.wrap(
                Scripted::new()
                    .on_data(|transport, _| {
                        transport.close();
                        Ok(())
                    })
                    .on_lost(move |_, exc| {
                        seen.replace(exc);
                        Ok(())
                    }),
            )
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0)
            .ssl(&authority.server().build()?)
            .ssl_shutdown_timeout(Duration::from_millis(50))
            .await?;
        let mut client = RawClient::connect(&server, &authority).await?;
        client.send(b"abc")?;
        until(|| trace.count("lost") == 1).await;
        let exc = lost.take().expect("the time-out");
        assert!(exc.is::<TimeoutError>());
        assert_eq!(exc.to_string(), "SSL shutdown timed out");
        assert_eq!(trace.lines()[..2], ["made", "data 'abc'"]);
        server.close();
        Ok(())
    });
}

#[test]
fn a_peer_that_never_reads_cannot_hold_a_closing_connection() {
    real(async |nursery| {
        let authority = Authority::new();
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = move || {
            inner.wrap(Scripted::new().on_data(|transport, _| {
                transport.write(&vec![0; 20_000_000])?;
                transport.close();
                Ok(())
            }))
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0)
            .ssl(&authority.server().build()?)
            .ssl_shutdown_timeout(Duration::from_millis(100))
            .await?;
        let mut client = RawClient::connect(&server, &authority).await?;
        client.send(b"abc")?;
        // It even closes its own side in good order, and still reads nothing.
        client.tls.send_close_notify();
        client.send(b"")?;
        until(|| trace.count("lost") == 1).await;
        server.close();
        Ok(())
    });
}

#[test]
fn a_broken_record_ends_the_connection_after_the_data_before_it() {
    real(async |nursery| {
        use std::io::Write;
        let authority = Authority::new();
        let trace = Trace::new();
        let inner = trace.clone();
        let reports = Reports::of(&nursery);
        let server = create_server(&nursery, move || inner.wrap(Scripted::new()), "127.0.0.1", 0)
            .ssl(&authority.server().build()?)
            .await?;
        let mut client = RawClient::connect(&server, &authority).await?;
        client.tls.writer().write_all(b"good")?;
        let mut bytes = Vec::new();
        client.tls.write_tls(&mut bytes)?;
        bytes.extend([23, 3, 3, 0, 32]);
        bytes.extend([0; 32]);
        client.stream.write_all(&bytes)?;
        until(|| trace.count("lost") == 1).await;
        let lines = trace.lines();
        assert_eq!(lines[..2], ["made", "data 'good'"]);
        assert!(lines[2].starts_with("lost cannot decrypt"), "{lines:?}");
        assert_eq!(reports.take(), [] as [&str; 0], "it is an error of the peer's");
        server.close();
        Ok(())
    });
}

#[test]
fn tls_bytes_may_come_one_by_one_and_two_records_at_once() {
    real(async |nursery| {
        use std::io::Write;
        let authority = Authority::new();
        let received = Rc::new(RefCell::new(Vec::new()));
        let seen = received.clone();
        let protocol = move || {
            let seen = seen.clone();
            Scripted::new().on_data(move |_, data| {
                seen.borrow_mut().push(data.to_vec());
                Ok(())
            })
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&authority.server().build()?).await?;
        let mut client = RawClient::connect(&server, &authority).await?;
        client.stream.set_nodelay(true)?;
        let record = |client: &mut RawClient, data: &[u8]| -> Result<Vec<u8>> {
            client.tls.writer().write_all(data)?;
            let mut bytes = Vec::new();
            while client.tls.wants_write() {
                client.tls.write_tls(&mut bytes)?;
            }
            Ok(bytes)
        };
        for byte in record(&mut client, b"one by one")? {
            client.stream.write_all(&[byte])?;
            turns(2).await;
        }
        until(|| !received.borrow().is_empty()).await;
        let mut both = record(&mut client, b"first ")?;
        both.extend(record(&mut client, b"second")?);
        client.stream.write_all(&both)?;
        until(|| received.borrow().len() > 1).await;
        assert_eq!(*received.borrow(), [b"one by one".to_vec(), b"first second".to_vec()], "a turn's bytes are joined");
        server.close();
        nursery.cancel();
        Ok(())
    });
}

#[test]
fn the_end_of_tcp_without_close_notify_counts_as_the_end_and_the_answer_still_goes_out() {
    real(async |nursery| {
        use std::io::Read;
        let authority = Authority::new();
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = move || {
            inner.wrap(Scripted::new().on_eof(|transport| {
                transport.write(b"goodbye")?;
                Ok(false)
            }))
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&authority.server().build()?).await?;
        let mut client = RawClient::connect(&server, &authority).await?;
        client.send(b"abc")?;
        client.stream.shutdown(std::net::Shutdown::Write)?;
        until(|| trace.count("lost") == 1).await;
        assert_eq!(trace.lines(), ["made", "data 'abc'", "eof", "lost None"]);
        let mut bytes = Vec::new();
        client.stream.read_to_end(&mut bytes)?;
        let mut bytes = &bytes[..];
        while client.tls.read_tls(&mut bytes)? > 0 {
            client.tls.process_new_packets()?;
        }
        let mut answer = [0; 7];
        client.tls.reader().read_exact(&mut answer)?;
        assert_eq!(&answer, b"goodbye");
        server.close();
        Ok(())
    });
}

// ---- callbacks that fail

#[test]
fn an_error_in_a_callback_ends_the_connection_in_asyncios_words() {
    let boom = || Err(Error::msg("boom"));
    let on_made = move || Scripted::new().on_made(move |_| boom());
    let on_data = move || Scripted::new().on_data(move |_, _| boom());
    let on_eof = move || Scripted::new().on_eof(move |_| Err(Error::msg("boom")));
    type Make = Box<dyn Fn() -> Scripted>;
    let cases: [(Make, &str); 3] = [
        (Box::new(on_made), "Fatal error: protocol.buffer_updated() call failed.: boom"),
        (Box::new(on_data), "Fatal error on SSL protocol: boom"),
        (Box::new(on_eof), "Error calling eof_received(): boom"),
    ];
    for (make, report) in cases {
        real(async |nursery| {
            let authority = Authority::new();
            let reports = Reports::of(&nursery);
            let trace = Trace::new();
            let inner = trace.clone();
            let make = Rc::new(make);
            let server = create_server(&nursery, move || inner.wrap(make()), "127.0.0.1", 0)
                .ssl(&authority.server().build()?)
                .await?;
            let mut client = RawClient::connect(&server, &authority).await?;
            // The server may have gone after the handshake.
            let _ = client.send(b"abc");
            let _ = client.stream.shutdown(std::net::Shutdown::Write);
            until(|| trace.count("lost") == 1).await;
            assert_eq!(trace.count("lost boom"), 1);
            assert_eq!(reports.take(), [report]);
            server.close();
            Ok(())
        });
    }
}

#[test]
fn after_a_panic_the_protocol_gets_connection_lost_and_nothing_else_over_tls() {
    real(async |nursery| {
        let authority = Authority::new();
        let reports = Reports::of(&nursery);
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = move || inner.wrap(Scripted::new().on_data(|_, _| panic!("out of my depth")));
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&authority.server().build()?).await?;
        let mut client = RawClient::connect(&server, &authority).await?;
        client.send(b"abc")?;
        until(|| trace.count("lost") == 1).await;
        assert_eq!(trace.lines()[..2], ["made", "data 'abc'"]);
        assert_eq!(trace.lines().len(), 3);
        assert_eq!(reports.take().len(), 1);
        server.close();
        Ok(())
    });
}

// ---- flow control

#[test]
fn a_slow_reader_pauses_the_protocol_and_resumes_it() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let n_sent = Rc::new(Cell::new(0));
        let counter = n_sent.clone();
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = move || {
            let counter = counter.clone();
            inner.wrap(Scripted::new().on_made(move |transport| {
                let (transport, counter) = (transport.clone(), counter.clone());
                transport.clone().start_soon(async move {
                    for _ in 0..400 {
                        transport.write(&[7; 50_000])?;
                        counter.set(counter.get() + 50_000);
                        transport.drained().await?;
                    }
                    transport.close();
                    Ok(())
                });
                Ok(())
            }))
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&server_context).await?;
        let client = Client::default();
        let transport = client.connect(&nursery, &server, &client_context).await?;
        transport.pause_reading();
        until(|| trace.count("pause_writing") == 1).await;
        turns(20).await;
        let held = n_sent.get();
        turns(50).await;
        assert_eq!(n_sent.get(), held, "nothing is written while it is paused");
        assert!(held < 20_000_000);
        transport.resume_reading();
        transport.closed().await;
        assert_eq!(client.received.borrow().len(), 20_000_000);
        assert_eq!(trace.count("pause_writing"), trace.count("resume_writing"));
        server.close();
        Ok(())
    });
}

#[test]
fn a_paused_protocol_gets_data_once_it_resumes_and_memory_is_bounded() {
    real(async |nursery| {
        let authority = Authority::new();
        let kept = Rc::new(RefCell::new(TransportRef::default()));
        let transport = kept.clone();
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = move || {
            let kept = kept.clone();
            inner.wrap(Scripted::new().on_made(move |transport| {
                transport.pause_reading();
                kept.replace(transport.clone());
                Ok(())
            }))
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&authority.server().build()?).await?;
        let mut client = RawClient::connect(&server, &authority).await?;
        let n_sent = foster_compat::to_thread::run_sync(move || {
            client.stream.set_write_timeout(Some(Duration::from_millis(200)))?;
            let mut n_sent = 0;
            while client.send(&[1; 16_000]).is_ok() && n_sent < 100_000_000 {
                n_sent += 16_000;
            }
            foster_compat::Ok(n_sent)
        })
        .await?;
        assert!(n_sent < 100_000_000, "the peer was held up");
        let transport = transport.borrow().clone();
        assert_eq!(trace.count("data"), 0);
        assert!(transport.get_read_buffer_size() <= 2 * 256 * 1024, "{}", transport.get_read_buffer_size());
        transport.resume_reading();
        until(|| trace.count("lost") == 1).await;
        // The client has left in the middle of a record, and with bytes of its own unread.
        assert!(trace.count("data") > 0);
        server.close();
        Ok(())
    });
}

#[derive(Default)]
struct Small {
    buffer: [u8; 4],
    received: Rc<RefCell<Vec<u8>>>,
    /// How much had come when the end did.
    n_at_end: Rc<Cell<Option<usize>>>,
}

impl BufferedProtocol for Small {
    fn get_buffer(&mut self, _sizehint: Option<usize>) -> Result<&mut [u8]> {
        Ok(&mut self.buffer)
    }

    fn buffer_updated(&mut self, nbytes: usize) -> Result<()> {
        self.received.borrow_mut().extend_from_slice(&self.buffer[..nbytes]);
        Ok(())
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.n_at_end.set(Some(self.received.borrow().len()));
        Ok(false)
    }
}

#[test]
fn a_buffered_protocol_gets_everything_through_its_small_buffer() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let received = Rc::new(RefCell::new(Vec::new()));
        let seen = received.clone();
        let factory = move || Buffered(Small { received: seen.clone(), ..Small::default() });
        let server = create_server(&nursery, factory, "127.0.0.1", 0).ssl(&server_context).await?;
        let transport = Client::default().connect(&nursery, &server, &client_context).await?;
        let data: Vec<u8> = (0..100_000u32).map(|n| (n % 253) as u8).collect();
        transport.write(&data)?;
        transport.close();
        transport.closed().await;
        until(|| received.borrow().len() == data.len()).await;
        assert!(*received.borrow() == data);
        server.close();
        Ok(())
    });
}

#[test]
fn bytes_that_come_while_a_buffered_protocol_is_still_being_served_are_not_forgotten() {
    real(async |nursery| {
        let authority = Authority::new();
        let received = Rc::new(RefCell::new(Vec::new()));
        let seen = received.clone();
        let factory = move || Buffered(Small { received: seen.clone(), ..Small::default() });
        let server = create_server(&nursery, factory, "127.0.0.1", 0).ssl(&authority.server().build()?).await?;
        let mut client = RawClient::connect(&server, &authority).await?;
        // Both are no multiple of what the buffer holds, and the second comes before the first is through.
        client.send(&[1; 20_001])?;
        until(|| !received.borrow().is_empty()).await;
        client.send(&[2; 20_001])?;
        until(|| received.borrow().len() == 40_002).await;
        assert!(received.borrow()[..20_001] == [1; 20_001] && received.borrow()[20_001..] == [2; 20_001]);
        server.close();
        nursery.cancel();
        Ok(())
    });
}

#[test]
fn a_buffered_protocol_gets_everything_before_the_end_however_the_peer_leaves() {
    for says_goodbye in [true, false] {
        real(async |nursery| {
            let authority = Authority::new();
            let received = Rc::new(RefCell::new(Vec::new()));
            let n_at_end = Rc::new(Cell::new(None));
            let (seen, counted) = (received.clone(), n_at_end.clone());
            let factory =
                move || Buffered(Small { received: seen.clone(), n_at_end: counted.clone(), ..Small::default() });
            let server = create_server(&nursery, factory, "127.0.0.1", 0).ssl(&authority.server().build()?).await?;
            let mut client = RawClient::connect(&server, &authority).await?;
            let data: Vec<u8> = (0..10_000u32).map(|n| (n % 253) as u8).collect();
            client.send(&data)?;
            if says_goodbye {
                client.tls.send_close_notify();
                client.send(b"")?;
            }
            client.stream.shutdown(std::net::Shutdown::Write)?;
            until(|| server.n_connections() == 0 && n_at_end.get().is_some()).await;
            assert!(*received.borrow() == data, "{} bytes, goodbye {says_goodbye}", received.borrow().len());
            assert_eq!(n_at_end.get(), Some(data.len()), "the end comes last");
            server.close();
            Ok(())
        });
    }
}

#[test]
fn a_protocol_that_pauses_in_connection_made_gets_what_came_with_and_behind_the_handshake() {
    real(async |nursery| {
        let authority = Authority::new();
        let kept = Rc::new(RefCell::new(TransportRef::default()));
        let received = Rc::new(RefCell::new(Vec::new()));
        let (transport, seen) = (kept.clone(), received.clone());
        let protocol = move || {
            let (kept, seen) = (kept.clone(), seen.clone());
            Scripted::new()
                .on_made(move |transport| {
                    transport.pause_reading();
                    kept.replace(transport.clone());
                    Ok(())
                })
                .on_data(move |_, data| {
                    seen.borrow_mut().extend_from_slice(data);
                    Ok(())
                })
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&authority.server().build()?).await?;
        let mut client = RawClient::connect_and_send(&server, &authority, b"with ").await?;
        until(|| transport.borrow().get_read_buffer_size() > 0).await;
        let size = transport.borrow().get_read_buffer_size();
        client.send(b"behind")?;
        until(|| transport.borrow().get_read_buffer_size() > size).await;
        transport.borrow().resume_reading();
        until(|| *received.borrow() == b"with behind").await;
        server.close();
        nursery.cancel();
        Ok(())
    });
}

#[test]
fn a_paused_protocol_that_closes_ends_in_good_order_whatever_it_has_not_read() {
    real(async |nursery| {
        let authority = Authority::new();
        let kept = Rc::new(RefCell::new(TransportRef::default()));
        let transport = kept.clone();
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = move || {
            let kept = kept.clone();
            inner.wrap(Scripted::new().on_made(move |transport| {
                transport.pause_reading();
                kept.replace(transport.clone());
                Ok(())
            }))
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0)
            .ssl(&authority.server().build()?)
            .ssl_shutdown_timeout(Duration::from_secs(3600))
            .await?;
        let mut client = RawClient::connect(&server, &authority).await?;
        let sending = nursery.create_task(async move {
            foster_compat::to_thread::run_sync(move || {
                for _ in 0..400 {
                    client.send(&[1; 16_000])?;
                }
                client.tls.send_close_notify();
                client.send(b"")?;
                std::io::Read::read_to_end(&mut client.stream, &mut Vec::new())?;
                foster_compat::Ok(())
            })
            .await
        });
        until(|| transport.borrow().get_read_buffer_size() >= 256 * 1024).await;
        let transport = transport.borrow().clone();
        transport.close();
        assert!(transport.closed().await.is_none());
        sending.await??;
        assert_eq!(trace.lines(), ["made", "eof", "lost None"]);
        server.close();
        Ok(())
    });
}

// ---- the nursery

#[test]
fn cancelling_the_nursery_gives_connection_lost_before_it_ends() {
    let traces = [Trace::new(), Trace::new()];
    bounded(false, async {
        let (server_context, client_context) = contexts()?;
        open_nursery(async |nursery: Nursery| {
            let inner = traces[0].clone();
            let server = create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0)
                .ssl(&server_context)
                .await?;
            let client = Client { trace: traces[1].clone(), ..Client::default() };
            let transport = client.connect(&nursery, &server, &client_context).await?;
            transport.write(b"x")?;
            until(|| *client.received.borrow() == b"x").await;
            nursery.cancel();
            Ok(())
        })
        .await?;
        Ok(())
    })
    .expect("the test ends in time");
    for trace in &traces {
        assert_eq!(trace.count("lost None"), 1);
        trace.assert_complete();
    }
}

#[test]
fn a_loop_that_is_dropped_gives_connection_lost_over_tls() {
    let trace = Trace::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let inner = trace.clone();
    runtime.block_on(async {
        let running = foster_compat::run_here(open_nursery(async |nursery: Nursery| {
            let (server_context, client_context) = contexts()?;
            let wrapped = inner.clone();
            let server = create_server(&nursery, move || wrapped.wrap(Scripted::echo()), "127.0.0.1", 0)
                .ssl(&server_context)
                .await?;
            let client = Client::default();
            let _transport = client.connect(&nursery, &server, &client_context).await?;
            until(|| inner.count("made") == 1).await;
            foster_compat::sleep(Duration::from_secs(3600)).await;
            Ok(())
        }));
        tokio::select! {
            _ = running => panic!("it sleeps"),
            () = async { while trace.count("made") == 0 { tokio::time::sleep(Duration::from_millis(1)).await } } => {}
        }
    });
    assert_eq!(trace.lines(), ["made", "lost None"]);
}

#[test]
fn a_server_shuts_down_its_tls_clients_in_good_order() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let trace = Trace::new();
        let inner = trace.clone();
        let server =
            create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).ssl(&server_context).await?;
        let client = Client::default();
        let _transport = client.connect(&nursery, &server, &client_context).await?;
        // Over TLS 1.3 a client is done before its server.
        until(|| trace.count("made") == 1).await;
        server.shutdown(Duration::from_secs(30)).await;
        until(|| client.trace.count("lost") == 1).await;
        assert_eq!(client.trace.lines(), ["made", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn tls_runs_over_tls() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let trace = Trace::new();
        let (inner, context) = (trace.clone(), server_context.clone());
        let protocol = move || {
            let context = context.clone();
            inner.wrap(Scripted::echo().on_made(move |transport| {
                let upgrade = foster_compat::start_tls(transport, &context).server_side(true);
                transport.start_soon(async move {
                    upgrade.await?;
                    Ok(())
                });
                Ok(())
            }))
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&server_context).await?;
        let client = Client::default();
        let outer = client.connect(&nursery, &server, &client_context).await?;
        let inner = foster_compat::start_tls(&outer, &client_context).server_hostname("localhost").await?;
        assert_ne!(inner, outer);
        inner.write(b"deep")?;
        nursery.cancel();
        Ok(())
    });
}

#[test]
fn accepted_and_unix_sockets_speak_tls_too() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let client = Client::default();
        nursery.start_soon({
            let nursery = nursery.clone();
            async move {
                connect_accepted_socket(&nursery, Scripted::echo, theirs).ssl(&server_context).await?;
                Ok(())
            }
        });
        let (transport, _) = foster_compat::create_unix_connection(&nursery, || client.protocol(), "")
            .sock(ours)
            .ssl(&client_context)
            .server_hostname("localhost")
            .await?;
        transport.write(b"x")?;
        until(|| *client.received.borrow() == b"x").await;
        transport.close();
        assert!(transport.closed().await.is_none());
        Ok(())
    });
}

// ---- arguments

#[test]
fn arguments_that_make_no_sense_are_refused_in_asyncios_words() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let port = 1;
        let connect = || create_connection(&nursery, Scripted::new, "127.0.0.1", port);
        let said = |err: Error| {
            assert!(err.is::<ValueError>() || err.is::<SslError>(), "{err}");
            err.to_string()
        };
        let failed = async |attempt: foster_compat::CreateConnection<'_, Scripted>| {
            said(attempt.await.expect_err("it makes no sense"))
        };
        assert_eq!(failed(connect().server_hostname("x")).await, "server_hostname is only meaningful with ssl");
        let timeout = Duration::from_secs(1);
        assert_eq!(
            failed(connect().ssl_handshake_timeout(timeout)).await,
            "ssl_handshake_timeout is only meaningful with ssl"
        );
        assert_eq!(
            failed(connect().ssl_shutdown_timeout(timeout)).await,
            "ssl_shutdown_timeout is only meaningful with ssl"
        );
        assert_eq!(
            failed(connect().ssl(&client_context).ssl_handshake_timeout(Duration::ZERO)).await,
            "ssl_handshake_timeout should be a positive number, got 0"
        );
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair()?;
        assert_eq!(
            failed(create_connection(&nursery, Scripted::new, "", 0).sock(ours).ssl(&client_context)).await,
            "You must set server_hostname when using ssl without a host"
        );
        assert_eq!(
            failed(connect().ssl(&client_context).server_hostname("")).await,
            "check_hostname requires server_hostname"
        );
        assert!(failed(connect().ssl(&server_context)).await.contains("the other side"));
        let name = "not a name".to_owned() + &"x".repeat(300);
        assert!(failed(connect().ssl(&client_context).server_hostname(name)).await.contains("cannot be a name"));
        let err = create_server(&nursery, Scripted::new, "127.0.0.1", 0).ssl(&client_context).await;
        assert!(said(err.expect_err("a client's context")).contains("the other side"));
        let err = create_server(&nursery, Scripted::new, "127.0.0.1", 0).ssl_handshake_timeout(timeout).await;
        assert_eq!(said(err.expect_err("no ssl")), "ssl_handshake_timeout is only meaningful with ssl");
        Ok(())
    });
}

#[test]
fn a_context_says_what_cannot_be_used() {
    let said = |builder: foster_compat::SslContextBuilder| builder.build().expect_err("it cannot be used").to_string();
    assert_eq!(said(SslContext::server()), "a server needs a certificate and its key: load_cert_chain");
    assert!(said(SslContext::server().load_cert_chain("/no/such", "/no/such")).starts_with("cannot read /no/such: "));
    let empty = SslContext::server().load_cert_chain_pem("", "");
    assert_eq!(said(empty), "there is no certificate in the PEM text");
    let authority = Authority::new();
    let (one, other) = (authority.sign(&["a"]), authority.sign(&["b"]));
    let no_key = SslContext::server().load_cert_chain_pem(&one.cert, "nothing");
    assert!(said(no_key).starts_with("no usable private key"));
    said(SslContext::server().load_cert_chain_pem(&one.cert, &other.key));
    said(SslContext::client().load_verify_pem("nothing"));
    let versions = authority.client().minimum_version(TlsVersion::TlsV1_3).maximum_version(TlsVersion::TlsV1_2);
    assert_eq!(said(versions), "minimum_version TlsV1_3 is above maximum_version TlsV1_2");
    assert_eq!(said(authority.client().set_alpn_protocols([""])), "an ALPN protocol has 1 to 255 bytes, not 0");
    let unchecked = authority.client().verify_mode(VerifyMode::None);
    assert_eq!(said(unchecked), "cannot set verify_mode to CERT_NONE when check_hostname is enabled");
    let nobody = authority.server().verify_mode(VerifyMode::Required);
    assert!(said(nobody).starts_with("no certificate authority to verify clients with"));
}

#[cfg(all(feature = "tls", feature = "tls-aws-lc"))]
#[test]
fn each_provider_speaks_with_the_other_and_ring_is_the_default() {
    use foster_compat::SslProvider;
    real(async |nursery| {
        let authority = Authority::new();
        assert_eq!(authority.client().build()?.provider(), SslProvider::Ring);
        for (of_server, of_client) in [(SslProvider::Ring, SslProvider::AwsLc), (SslProvider::AwsLc, SslProvider::Ring)]
        {
            let server = echo_server(&nursery, &authority.server().provider(of_server).build()?).await?;
            let context = authority.client().provider(of_client).build()?;
            assert_eq!(context.provider(), of_client);
            let client = Client::default();
            let transport = client.connect(&nursery, &server, &context).await?;
            transport.write(b"x")?;
            until(|| *client.received.borrow() == b"x").await;
            transport.abort();
            server.close();
        }
        Ok(())
    });
}
