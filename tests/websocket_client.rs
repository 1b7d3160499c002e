//! The client's way from a URL to a connection that is a WebSocket.

#![cfg(feature = "websocket")]

mod scripted;
mod served;

use std::pin::pin;
use std::time::Duration;

use foster::http::{HeaderList, HeaderValue, HttpError, Limits, Response, header};
use foster::http1::ClientError;
use foster::websocket::{
    BadUrl, ConnectError, DEFAULT_OPEN_TIMEOUT, Opened, Opening, Origins, Rejection, ServerHandshake, WebSocketError,
    connect,
};
use foster::{
    Config, Handler, Nursery, Protocol, Request, Result, TransportRef, create_server, open_nursery, run_here,
};
use futures::channel::oneshot;
use futures::future::{Either, select};
use scripted::{Peer, bounded, start};
use served::Served;
use tokio::time::Instant;

/// Writes back what comes, in capitals.
struct Shout(TransportRef);

impl Protocol for Shout {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.0 = transport;
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.0.write(&data.to_ascii_uppercase())
    }
}

/// Keeps what comes until there are so many bytes, then closes.
struct Keep {
    transport: TransportRef,
    data: Vec<u8>,
    n_wanted: usize,
}

impl Protocol for Keep {
    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.data.extend_from_slice(data);
        if self.data.len() >= self.n_wanted {
            self.transport.close();
        }
        Ok(())
    }
}

/// Opens for whoever asks as it should, and speaks `shout`.
fn shouting() -> impl Handler {
    |request: Request| async move {
        let origins = Origins::Same;
        let handshake = match ServerHandshake::read(request.head(), Opening::Upgrade, request.is_secure(), &origins) {
            Ok(handshake) => handshake,
            Err(err) => return foster::Ok(Response::from(err)),
        };
        let headers = handshake.response(handshake.choose(["shout"]), None, &HeaderList::new())?;
        let upgraded = request.upgrade(&headers)?;
        upgraded.transport().write(b"hello ")?;
        upgraded.set_protocol(Shout(TransportRef::default()))?;
        Ok(Response::text(""))
    }
}

/// Runs `test` with the URL of a server that does what `script` says.
fn with_url(script: impl FnOnce(&mut Peer) + Send + 'static, test: impl AsyncFnOnce(&Nursery, String) + 'static) {
    let (port, thread) = start(script);
    bounded(async move {
        open_nursery(async |nursery| {
            test(&nursery, format!("ws://127.0.0.1:{port}/chat?room=1")).await;
            Ok(())
        })
        .await?;
        Ok(())
    });
    thread.join().expect("the script of the server");
}

/// Answers a head, and says nothing more.
struct Answer {
    transport: TransportRef,
    head: Vec<u8>,
    answer: &'static [u8],
}

impl Protocol for Answer {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.head.extend_from_slice(data);
        if self.head.ends_with(b"\r\n\r\n") { self.transport.write(self.answer) } else { Ok(()) }
    }
}

/// Runs `test` with the URL of a server that says `answer` and then nothing, and gives how long it took on a clock that
/// jumps while everybody waits. The server is on the same loop, so that what was sent has come before the clock jumps.
async fn paused(answer: &'static [u8], test: impl AsyncFnOnce(&Nursery, String)) -> Duration {
    let mut took = Duration::ZERO;
    let run = run_here(open_nursery(async |nursery| {
        let factory = move || Answer { transport: TransportRef::default(), head: Vec::new(), answer };
        let server = create_server(&nursery, factory, "127.0.0.1", 0).await?;
        let port = server.sockets()[0].getsockname()?.port().expect("it is a TCP server");
        let start = Instant::now();
        test(&nursery, format!("ws://127.0.0.1:{port}/")).await;
        took = start.elapsed();
        nursery.cancel();
        Ok(())
    }));
    run.await.expect("the loop").expect("the test");
    took
}

/// Says something on an open connection, and gives what comes back.
async fn say(opened: Opened, text: &str, n_wanted: usize) -> Vec<u8> {
    let transport = opened.transport;
    let keep = Keep { transport: transport.clone(), data: Vec::new(), n_wanted };
    let keep = transport.set_protocol(keep);
    keep.with(|keep| keep.data_received(&opened.data)).expect("the first bytes");
    transport.write(text.as_bytes()).expect("it is open");
    transport.resume_reading();
    transport.closed().await;
    keep.with(|keep| std::mem::take(&mut keep.data))
}

#[test]
fn a_connection_is_handed_over_with_what_came_behind_the_response() {
    let served = Served::new(shouting, Config::new().bind("127.0.0.1:0"));
    let url = format!("ws://{}/", served.address());
    bounded(async move {
        open_nursery(async |nursery| {
            let opened = connect(&nursery, url).subprotocols(["whisper", "shout"]).open().await?;
            assert_eq!(opened.accepted.subprotocol(), Some("shout"));
            assert_eq!(opened.accepted.head().status(), 101);
            assert_eq!(say(opened, "you there", 15).await, b"hello YOU THERE");
            Ok(())
        })
        .await?;
        Ok(())
    });
    served.stop().expect("it stops");
}

#[cfg(feature = "tls")]
#[test]
fn wss_verifies_the_server_and_is_of_an_https_origin() {
    use foster::SslContext;

    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let pem = certified.cert.pem();
    let context = SslContext::server()
        .load_cert_chain_pem(pem.clone(), certified.signing_key.serialize_pem())
        .set_alpn_protocols(["http/1.1"])
        .build()
        .expect("a context");
    let served = Served::new(shouting, Config::new().bind("127.0.0.1:0").ssl(&context));
    let port = served.address().port();
    bounded(async move {
        open_nursery(async |nursery| {
            let err = connect(&nursery, format!("wss://127.0.0.1:{port}/")).open().await.expect_err("who is that");
            assert!(matches!(err, ConnectError::Http(ClientError::Connect(_))), "{err:?}");

            let context = SslContext::client().load_verify_pem(pem).set_alpn_protocols(["http/1.1"]).build()?;
            let origin = HeaderValue::try_from(format!("https://127.0.0.1:{port}"))?;
            let connecting = connect(&nursery, format!("wss://127.0.0.1:{port}/")).ssl(&context);
            let opened = connecting.server_hostname("localhost").header(header::ORIGIN, origin).open().await?;
            assert!(opened.transport.get_extra_info("ssl_object").is_some());
            assert_eq!(opened.accepted.subprotocol(), None);
            assert_eq!(say(opened, "you there", 15).await, b"hello YOU THERE");

            let origin = HeaderValue::try_from(format!("http://127.0.0.1:{port}"))?;
            let connecting = connect(&nursery, format!("wss://127.0.0.1:{port}/")).ssl(&context);
            let err = connecting.server_hostname("localhost").header(header::ORIGIN, origin).open().await;
            match err.expect_err("a page of http") {
                ConnectError::Rejected { rejected, body } => {
                    assert_eq!(rejected.status(), 403);
                    let text = String::from_utf8_lossy(&body).into_owned();
                    assert!(text.starts_with("a page from the origin \"http://127.0.0.1:"), "{text}");
                }
                err => panic!("{err:?}"),
            }
            Ok(())
        })
        .await?;
        Ok(())
    });
    served.stop().expect("it stops");
}

#[test]
fn the_request_has_target_host_and_credentials_of_the_url() {
    let script = |peer: &mut Peer| {
        let head = peer.answer(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\nhost: 127.0.0.1:"), "{head}");
        for field in ["upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13", "x-a: b"] {
            assert!(head.contains(&format!("\r\n{field}\r\n")), "{head}");
        }
        assert!(head.contains("\r\nauthorization: Basic bWU6c2VjcmV0\r\n"), "{head}");
        assert!(peer.rest().is_empty());
    };
    with_url(script, async |nursery, url| {
        let url = url.replace("ws://", "ws://me:secret@");
        let connecting = connect(nursery, url).header("x-a".parse().expect("a name"), HeaderValue::from_static("b"));
        assert!(!format!("{connecting:?}").contains("secret"));
        let err = connecting.open().await.expect_err("there is nothing");
        assert_eq!(err.to_string(), "the server has refused the WebSocket with 404 Not Found");
    });
}

#[test]
fn fields_of_the_caller_replace_host_and_credentials_of_the_url() {
    let script = |peer: &mut Peer| {
        let head = peer.answer(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        assert!(head.contains("\r\nhost: example.org\r\n") && head.matches("host:").count() == 1, "{head}");
        let n = head.matches("authorization:").count();
        assert!(head.contains("\r\nauthorization: Bearer x\r\n") && n == 1, "{head}");
    };
    with_url(script, async |nursery, url| {
        let connecting = connect(nursery, url.replace("ws://", "ws://me:secret@"))
            .header(header::HOST, HeaderValue::from_static("example.org"))
            .header(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        connecting.open().await.expect_err("there is nothing");
    });
}

#[test]
fn a_server_that_refuses_shows_its_head_and_its_body() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic\r\ncontent-length: 9\r\n\r\nwho is it");
        assert!(peer.rest().is_empty());
    };
    with_url(script, async |nursery, url| match connect(nursery, url).open().await.expect_err("it refuses") {
        ConnectError::Rejected { rejected, body } => {
            assert_eq!((rejected.reason(), rejected.status().as_u16()), (Rejection::Status, 401));
            assert_eq!(rejected.headers().get("WWW-Authenticate"), Some("Basic"));
            assert_eq!(&body[..], b"who is it");
        }
        err => panic!("{err:?}"),
    });
}

#[test]
fn a_refusal_that_is_too_long_is_cut_off() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 99999999999\r\n\r\n");
        while peer.try_send(&[b'x'; 16 * 1024]) {}
    };
    with_url(script, async |nursery, url| match connect(nursery, url).open().await.expect_err("it refuses") {
        ConnectError::Rejected { rejected, body } => {
            assert_eq!((rejected.status().as_u16(), body.len()), (500, 64 * 1024));
        }
        err => panic!("{err:?}"),
    });
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_stalls_is_waited_for_as_long_as_opening_may_take() {
    let took =
        paused(
            b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\nbusy",
            async |nursery, url| match connect(nursery, url).open().await.expect_err("it refuses") {
                ConnectError::Rejected { rejected, body } => {
                    assert_eq!((rejected.status().as_u16(), &body[..]), (503, &b"busy"[..]));
                }
                err => panic!("{err:?}"),
            },
        );
    assert_eq!(took.await, DEFAULT_OPEN_TIMEOUT);
}

#[test]
fn an_answer_to_another_key_closes_the_connection() {
    let script = |peer: &mut Peer| {
        peer.answer(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nframes",
        );
        assert!(peer.rest().is_empty());
    };
    with_url(script, async |nursery, url| match connect(nursery, url).open().await.expect_err("it is no answer") {
        ConnectError::Rejected { rejected, body } => {
            assert_eq!((rejected.reason(), body.len()), (Rejection::Accept, 0));
        }
        err => panic!("{err:?}"),
    });
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let took = paused(b"", async |nursery, url| {
        let err = connect(nursery, url).open().await.expect_err("nobody answers");
        assert!(matches!(err, ConnectError::TimedOut(DEFAULT_OPEN_TIMEOUT)), "{err:?}");
    });
    assert_eq!(took.await, DEFAULT_OPEN_TIMEOUT);
    let took = paused(b"", async |nursery, url| {
        let timeout = Some(Duration::from_secs(3));
        let err = connect(nursery, url).open_timeout(timeout).open().await.expect_err("nobody answers");
        assert_eq!(err.to_string(), "there is no WebSocket after 3s: see open_timeout");
    });
    assert_eq!(took.await, Duration::from_secs(3));
}

#[test]
fn a_cancelled_attempt_closes_the_connection() {
    let (on_asked, asked) = oneshot::channel();
    let script = |peer: &mut Peer| {
        peer.head();
        on_asked.send(()).expect("the client waits for it");
        assert!(peer.rest().is_empty());
    };
    with_url(script, async |nursery, url| {
        let opening = pin!(connect(nursery, url).open_timeout(None).open());
        assert!(matches!(select(opening, asked).await, Either::Right((Ok(()), _))));
    });
}

#[test]
fn a_server_that_goes_away_or_speaks_no_http_is_an_error_of_http() {
    let script = |peer: &mut Peer| drop(peer.head());
    with_url(script, async |nursery, url| {
        let err = connect(nursery, url).open().await.expect_err("it is gone");
        assert!(matches!(err, ConnectError::Http(ClientError::Closed { .. })), "{err:?}");
    });
    let script = |peer: &mut Peer| drop(peer.answer(b"\x81\x05hello"));
    with_url(script, async |nursery, url| {
        let err = connect(nursery, url).open().await.expect_err("it is no HTTP");
        assert!(matches!(err, ConnectError::Http(ClientError::Response(_))), "{err:?}");
    });
}

#[test]
fn a_response_is_limited() {
    let script = |peer: &mut Peer| {
        let head = format!("HTTP/1.1 101 Switching Protocols\r\nx: {}\r\n\r\n", "x".repeat(2000));
        peer.answer(head);
    };
    with_url(script, async |nursery, url| {
        let limits = Limits::default().max_head_size(1000);
        let err = connect(nursery, url).limits(limits).open().await.expect_err("it is too large");
        let is_limit =
            matches!(err, ConnectError::Http(ClientError::Response(HttpError::HeadTooLarge { limit: 1000 })));
        assert!(is_limit, "{err:?}");
    });
}

#[test]
fn what_cannot_be_asked_for_connects_to_nobody() {
    bounded(async {
        open_nursery(async |nursery| {
            let url = "ws://127.0.0.1:1/";
            let err = connect(&nursery, "http://127.0.0.1:1/").open().await.expect_err("it is HTTP");
            assert!(matches!(err, ConnectError::Url(BadUrl::Scheme)), "{err:?}");
            let err = connect(&nursery, url).subprotocols(["a b"]).open().await.expect_err("it is no token");
            assert!(matches!(err, ConnectError::Request(WebSocketError::State(_))), "{err:?}");
            let connecting = connect(&nursery, url).header(header::UPGRADE, HeaderValue::from_static("h2c"));
            let err = connecting.open().await.expect_err("it is not the caller's");
            assert!(matches!(err, ConnectError::Request(WebSocketError::State(_))), "{err:?}");
            let err = connect(&nursery, url).open().await.expect_err("nobody listens");
            assert!(matches!(err, ConnectError::Http(ClientError::Connect(_))), "{err:?}");
            Ok(())
        })
        .await?;
        Ok(())
    });
}
