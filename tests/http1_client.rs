//! The client of HTTP/1.1 against servers that do what a script says.

#![cfg(feature = "http1")]

mod scripted;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use foster::http::{
    BodyError, HeaderList, HeaderName, HeaderValue, HttpError, Limits, Method, ResponseBody, StatusCode, header,
};
use foster::http1::{Client, ClientError};
use foster::{
    Error, Protocol, Result, TransportRef, checkpoint, move_on_after, open_memory_channel, open_nursery, run_here,
};
use futures::{FutureExt, StreamExt, stream};
use scripted::{Peer, bounded, start, with_client};

const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// A stream of so many pieces, which counts those that were asked for.
fn pieces(n: usize, size: usize) -> (Rc<Cell<usize>>, impl futures::Stream<Item = Result<Bytes>>) {
    let n_asked = Rc::new(Cell::new(0));
    let counted = n_asked.clone();
    let piece = Bytes::from(vec![b'x'; size]);
    let pieces = stream::iter(0..n).map(move |_| {
        counted.set(counted.get() + 1);
        Ok(piece.clone())
    });
    (n_asked, pieces)
}

async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        foster::sleep(Duration::from_millis(1)).await;
    }
}

/// The error of who reads a body that the server has sent.
fn of_response(err: BodyError) -> BodyError {
    BodyError::Response(Box::new(err))
}

/// Whether the connection is closed, and the next request refused.
async fn is_refused(client: &Client) -> bool {
    until(|| client.is_closed()).await;
    matches!(client.get("/").await, Err(ClientError::Closed { .. }))
}

#[test]
fn one_connection_serves_one_request_after_the_other() {
    let script = |peer: &mut Peer| {
        let head = peer.answer(HELLO);
        assert!(head.starts_with("GET /a HTTP/1.1\r\nhost: 127.0.0.1:"), "{head}");
        let head =
            peer.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
        assert!(head.starts_with("GET /b HTTP/1.1\r\n"), "{head}");
        peer.answer(b"HTTP/1.1 204 No Content\r\n\r\n");
        peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
        assert!(peer.rest().is_empty());
    };
    with_client(script, async |client| {
        for target in ["/a", "/b"] {
            let mut response = client.get(target).await?;
            assert_eq!((response.status(), response.text().await?.as_str()), (StatusCode::OK, "hello"));
            assert!(client.is_idle());
        }
        assert_eq!(client.request(Method::DELETE, "/c").await?.status(), StatusCode::NO_CONTENT);
        let head = client.request(Method::HEAD, "/d").await?;
        assert_eq!((head.headers().get("content-length"), head.body().is_end()), (Some("7"), true));
        Ok(())
    });
}

#[test]
fn a_response_that_comes_byte_by_byte_is_the_same() {
    let script = |peer: &mut Peer| {
        peer.head();
        for byte in
            b"HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n".chunks(1)
        {
            peer.send(byte);
        }
        peer.rest();
    };
    with_client(script, async |client| {
        let mut response = client.get("/").await?;
        assert_eq!(response.headers().get("a"), Some("b"));
        assert_eq!(response.text().await?, "hello");
        let trailers = response.trailers().expect("trailers");
        assert_eq!(trailers.get(&HeaderName::from_static("x")), Some(&HeaderValue::from_static("y")));
        Ok(())
    });
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 OK\r\n\r\nhello ");
        peer.send(b"world");
    };
    with_client(script, async |client| {
        let mut response = client.get("/").await?;
        assert_eq!(response.body().content_length(), None);
        assert_eq!(response.text().await?, "hello world");
        assert!(is_refused(&client).await);
        Ok(())
    });
}

#[test]
fn a_server_that_says_close_is_left() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello");
        assert!(peer.rest().is_empty());
    };
    with_client(script, async |client| {
        let mut response = client.get("/").await?;
        assert_eq!(response.text().await?, "hello");
        assert!(client.is_closed() && is_refused(&client).await);
        Ok(())
    });
}

#[test]
fn bodies_are_sent_as_they_are_known() {
    let script = |peer: &mut Peer| {
        let head = peer.head();
        assert!(head.contains("\r\ncontent-length: 4\r\n") && head.contains("\r\nx-a: b\r\n"), "{head}");
        assert_eq!(peer.read(4), b"text");
        peer.send(EMPTY);
        let head = peer.head();
        assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
        let expected = b"3\r\nxxx\r\n3\r\nxxx\r\n0\r\nx-sum: 6\r\n\r\n";
        assert_eq!(peer.read(expected.len()), expected);
        peer.send(EMPTY);
        assert!(peer.head().contains("\r\ncontent-length: 6\r\n"));
        assert_eq!(peer.read(6), b"xxxxxx");
        peer.send(EMPTY);
        assert!(peer.head().contains("\r\ncontent-length: 300000\r\n"));
        assert_eq!(peer.read(300_000), vec![b'y'; 300_000]);
        peer.send(EMPTY);
    };
    with_client(script, async |client| {
        let field = (HeaderName::from_static("x-a"), HeaderValue::from_static("b"));
        client.request(Method::POST, "/").header(field.0, field.1).body("text").await?;
        let trailers = || [(HeaderName::from_static("x-sum"), HeaderValue::from_static("6"))].into_iter().collect();
        let streamed = ResponseBody::stream(pieces(2, 3).1).with_trailers(trailers);
        client.request(Method::POST, "/").body(streamed).await?;
        client.request(Method::PUT, "/").body(ResponseBody::sized_stream(6, pieces(2, 3).1)).await?;
        client.request(Method::PUT, "/").body(vec![b'y'; 300_000]).await?;
        Ok(())
    });
}

#[test]
fn a_body_that_is_ready_goes_out_with_its_head() {
    let script = |peer: &mut Peer| {
        assert!(peer.once().ends_with(b"\r\n\r\ntext"));
        peer.send(EMPTY);
    };
    with_client(script, async |client| {
        client.request(Method::POST, "/").body("text").await?;
        Ok(())
    });
}

#[test]
fn both_bodies_stream_at_once() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for _ in 0..10 {
            let chunk = peer.read(6);
            peer.send(chunk);
        }
        assert_eq!(peer.read(5), b"0\r\n\r\n");
        peer.send(b"0\r\n\r\n");
        peer.answer(EMPTY);
    };
    with_client(script, async |client| {
        let (sender, receiver) = open_memory_channel::<Bytes>(0);
        let question = stream::unfold(receiver, async |receiver| {
            let piece = receiver.receive().await.ok()?;
            Some((foster::Ok(piece), receiver))
        });
        let mut response = client.request(Method::POST, "/").body(ResponseBody::stream(question)).await?;
        for n in 0..10 {
            sender.send(Bytes::from(format!("{n}"))).await?;
            assert_eq!(response.body_mut().chunk().await?, Some(Bytes::from(format!("{n}"))));
        }
        drop(sender);
        assert_eq!(response.body_mut().chunk().await?, None);
        until(|| client.is_idle()).await;
        client.get("/").await?;
        Ok(())
    });
}

#[test]
fn a_response_may_come_before_the_request_was_sent() {
    let script = |peer: &mut Peer| {
        peer.answer(HELLO);
        peer.read(8 * 1024 * 1024);
        peer.answer(EMPTY);
    };
    with_client(script, async |client| {
        let body = ResponseBody::sized_stream(8 * 1024 * 1024, pieces(8 * 1024, 1024).1);
        let mut response = client.request(Method::POST, "/").body(body).await?;
        assert_eq!(response.text().await?, "hello");
        until(|| client.is_idle()).await;
        assert_eq!(client.get("/").await?.status(), StatusCode::OK);
        Ok(())
    });
}

#[test]
fn a_refusal_that_closes_ends_the_sending() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno");
        peer.rest();
    };
    with_client(script, async |client| {
        let (n_asked, body) = pieces(usize::MAX, 1024);
        let mut response = client.request(Method::POST, "/").body(ResponseBody::stream(body)).await?;
        assert_eq!((response.status().as_u16(), response.text().await?.as_str()), (413, "no"));
        assert!(is_refused(&client).await);
        let n = n_asked.get();
        checkpoint().await;
        assert_eq!(n_asked.get(), n);
        Ok(())
    });
}

#[test]
fn whoever_listens_may_close_the_connection() {
    let script = |peer: &mut Peer| {
        peer.answer([b"HTTP/1.1 103 Early Hints\r\n\r\n", HELLO].concat());
        peer.rest();
    };
    with_client(script, async |client| {
        let client = Rc::new(client);
        let closer = client.clone();
        let asked = client.get("/").on_informational(move |_| closer.close()).await;
        // It was in the same read, and lost nothing.
        assert_eq!(asked?.text().await?, "hello");
        assert!(is_refused(&client).await);
        Ok(())
    });
}

#[test]
fn a_body_waits_until_it_is_asked_for() {
    let script = |peer: &mut Peer| {
        assert!(peer.head().contains("\r\nexpect: 100-continue\r\n"));
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(peer.read(3), b"xxx");
        peer.send(EMPTY);
        assert!(!peer.answer(EMPTY).contains("expect"));
    };
    with_client(script, async |client| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let (n_asked, body) = pieces(1, 3);
        let (said, n) = (seen.clone(), n_asked.clone());
        let request = client.request(Method::POST, "/").body(ResponseBody::sized_stream(3, body)).expect_continue();
        request.on_informational(move |head| said.borrow_mut().push((head.status().as_u16(), n.get()))).await?;
        assert_eq!((&seen.borrow()[..], n_asked.get()), (&[(102, 0), (100, 0)][..], 1));
        client.get("/").expect_continue().await?;
        Ok(())
    });
}

#[test]
fn a_body_that_is_refused_before_it_was_asked_for_is_not_sent() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n");
        assert!(peer.rest().is_empty());
    };
    with_client(script, async |client| {
        let (n_asked, body) = pieces(1, 3);
        let request = client.request(Method::POST, "/").body(ResponseBody::stream(body)).expect_continue();
        assert_eq!(request.await?.status().as_u16(), 417);
        assert!(is_refused(&client).await);
        assert_eq!(n_asked.get(), 0);
        Ok(())
    });
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_asks_for_is_sent_after_a_second() -> Result<()> {
    let (port, thread) = start(|peer| {
        peer.head();
        assert_eq!(peer.read(4), b"text");
        peer.send(EMPTY);
    });
    run_here(async move {
        open_nursery(async |nursery| {
            let client = Client::connect(&nursery, format!("http://127.0.0.1:{port}")).await?;
            let start = tokio::time::Instant::now();
            client.request(Method::POST, "/").body("text").expect_continue().await?;
            assert!(start.elapsed() >= Duration::from_secs(1));
            Ok(())
        })
        .await?;
        foster::Ok(())
    })
    .await?;
    thread.join().expect("the script of the server");
    Ok(())
}

#[test]
fn informational_responses_are_dropped_unless_somebody_listens() {
    let script = |peer: &mut Peer| {
        for _ in 0..2 {
            peer.answer(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    };
    with_client(script, async |client| {
        assert_eq!(client.get("/").await?.status(), StatusCode::OK);
        let link = Rc::new(RefCell::new(None));
        let seen = link.clone();
        let keep = move |head: foster::http::ResponseHead| {
            *seen.borrow_mut() = head.headers().get("link").map(str::to_owned);
        };
        client.get("/").on_informational(keep).await?;
        assert_eq!(link.borrow().as_deref(), Some("</a>"));
        Ok(())
    });
}

#[test]
fn a_second_request_before_the_end_of_the_response_is_refused_and_harms_nothing() {
    let (go, wait) = std::sync::mpsc::channel();
    let script = move |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel");
        wait.recv().expect("the word");
        peer.send(b"lo");
        peer.answer(EMPTY);
    };
    with_client(script, async move |client| {
        let mut response = client.get("/").await?;
        assert_eq!(response.body_mut().chunk().await?.as_deref(), Some(&b"hel"[..]));
        assert!(!client.is_idle() && matches!(client.get("/").await, Err(ClientError::Busy)));
        go.send(()).expect("the server listens");
        assert_eq!(response.bytes().await?, "lo");
        client.get("/").await?;
        Ok(())
    });
}

#[test]
fn a_request_waits_alone() {
    let (port, thread) = start(|peer| {
        peer.head();
        // Only once the second has been refused is the first answered.
        assert_eq!(peer.read(1), b"x");
        peer.send(EMPTY);
    });
    bounded(async move {
        open_nursery(async |nursery| {
            let client = Rc::new(Client::connect(&nursery, format!("http://127.0.0.1:{port}")).await?);
            let first = client.get("/");
            nursery.start_soon(async move { first.await.map(drop).map_err(Error::from) });
            until(|| !client.is_idle()).await;
            assert!(matches!(client.get("/").await, Err(ClientError::Busy)));
            client.transport().write(b"x")
        })
        .await?;
        Ok(())
    });
    thread.join().expect("the script of the server");
}

#[test]
fn a_request_that_cannot_be_sent_harms_nothing() {
    with_client(
        |peer: &mut Peer| drop(peer.answer(EMPTY)),
        async |client| {
            let length = HeaderValue::from_static("7");
            let refused = client.request(Method::POST, "/").header(header::CONTENT_LENGTH, length).body("text").await;
            assert!(matches!(refused, Err(ClientError::Request(HttpError::Framing))));
            let refused = client.get("/a\r\nx: y").await;
            assert!(matches!(refused, Err(ClientError::Request(HttpError::State(_)))));
            client.get("/").await?;
            Ok(())
        },
    );
}

#[test]
fn a_server_that_closes_before_it_answers_is_told_apart() {
    let closes: fn(&mut Peer) = |peer| drop(peer.head());
    with_client(closes, async |client| {
        let gone = client.get("/").await.expect_err("no response");
        assert!(matches!(gone, ClientError::Closed { .. }), "{gone:?}");
        assert!(is_refused(&client).await);
        Ok(())
    });
    with_client(
        |peer: &mut Peer| drop(peer.answer(b"HTTP/1.1 200 OK\r\ncontent-le")),
        async |client| {
            let gone = client.get("/").await.expect_err("half a head");
            assert!(matches!(gone, ClientError::Response(HttpError::Incomplete)), "{gone:?}");
            Ok(())
        },
    );
}

#[test]
fn a_server_that_closes_within_a_body_is_seen_by_its_reader() {
    let bodies = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\n",
    ];
    for body in bodies {
        with_client(
            move |peer: &mut Peer| drop(peer.answer(body)),
            async |client| {
                let mut response = client.get("/").await?;
                assert_eq!(response.body_mut().chunk().await?.as_deref(), Some(&b"hel"[..]));
                assert_eq!(response.body_mut().chunk().await, Err(of_response(BodyError::Disconnected)));
                assert_eq!(response.body_mut().chunk().await, Err(of_response(BodyError::Disconnected)));
                assert!(is_refused(&client).await);
                Ok(())
            },
        );
    }
}

#[test]
fn a_connection_that_the_server_has_closed_is_noticed() {
    with_client(
        |peer: &mut Peer| drop(peer.answer(HELLO)),
        async |client| {
            assert_eq!(client.get("/").await?.text().await?, "hello");
            let err = match client.get("/").await {
                Err(err) => Error::from(err),
                Ok(response) => panic!("{response:?}"),
            };
            assert!(format!("{err}").starts_with("the connection was closed"), "{err:#}");
            Ok(())
        },
    );
}

#[test]
fn an_answer_that_is_no_http_is_an_error() {
    let cases: [(&[u8], HttpError); 4] = [
        (b"SSH-2.0-OpenSSH_9.6\r\n", HttpError::Version),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", HttpError::ContentLength),
        (b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n", HttpError::HeaderName),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", HttpError::Unexpected),
    ];
    for (response, expected) in cases {
        let script = move |peer: &mut Peer| {
            peer.answer(response);
            assert!(peer.rest().is_empty());
        };
        with_client(script, async move |client| {
            match client.get("/").await {
                Err(ClientError::Response(err)) => assert_eq!(err, expected),
                other => panic!("{other:?}"),
            }
            assert!(is_refused(&client).await);
            Ok(())
        });
    }
}

#[test]
fn a_body_that_breaks_off_badly_is_an_error_of_its_reader() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhelXX");
        peer.rest();
    };
    with_client(script, async |client| {
        let mut response = client.get("/").await?;
        assert_eq!(response.bytes().await, Err(of_response(BodyError::Malformed(HttpError::ChunkEnd))));
        assert!(is_refused(&client).await);
        Ok(())
    });
}

#[test]
fn data_that_was_not_asked_for_closes_the_connection() {
    let script = |peer: &mut Peer| {
        peer.answer([HELLO, b"HTTP/1.1 200 OK\r\n\r\nsmuggled"].concat());
        peer.rest();
    };
    with_client(script, async |client| {
        assert_eq!(client.get("/").await?.text().await?, "hello");
        until(|| client.is_closed()).await;
        match client.get("/").await {
            Err(ClientError::Closed { source: Some(err) }) => {
                assert_eq!(err.downcast_ref(), Some(&HttpError::Unexpected));
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    });
}

#[test]
fn a_response_may_go_beyond_no_limit() {
    let (port, thread) = start(|peer| {
        peer.answer(HELLO);
        peer.rest();
    });
    bounded(async move {
        open_nursery(async |nursery| {
            let limits = Limits::default().max_body_size(Some(4));
            let client = Client::connect(&nursery, format!("http://127.0.0.1:{port}")).limits(limits).await?;
            let refused = client.get("/").await;
            assert!(matches!(refused, Err(ClientError::Response(HttpError::BodyTooLarge { limit: 4 }))));
            Ok(())
        })
        .await?;
        Ok(())
    });
    thread.join().expect("the script of the server");
}

#[test]
fn a_response_that_is_dropped_half_read_closes_the_connection() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nhello");
        peer.rest();
    };
    with_client(script, async |client| {
        let mut response = client.get("/").await?;
        assert!(response.body_mut().chunk().await?.is_some());
        drop(response);
        assert!(is_refused(&client).await);
        Ok(())
    });
}

#[test]
fn a_response_that_is_dropped_unread_but_complete_keeps_the_connection() {
    let script = |peer: &mut Peer| {
        peer.answer(HELLO);
        peer.answer(HELLO);
    };
    with_client(script, async |client| {
        let response = client.get("/").await?;
        until(|| client.is_idle()).await;
        drop(response);
        assert_eq!(client.get("/").await?.text().await?, "hello");
        Ok(())
    });
}

#[test]
fn a_request_that_is_cancelled_closes_the_connection() {
    let script = |peer: &mut Peer| {
        peer.head();
        assert!(peer.rest().is_empty());
    };
    with_client(script, async |client| {
        assert!(move_on_after(Duration::from_millis(20), client.get("/").send()).await.is_none());
        assert!(is_refused(&client).await);
        Ok(())
    });
}

#[test]
fn a_client_that_is_dropped_lets_its_response_come_to_its_end() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel");
        peer.send(b"lo");
        assert!(peer.rest().is_empty());
    };
    with_client(script, async |client| {
        let mut response = client.get("/").await?;
        let (late, transport) = (client.get("/"), client.transport());
        drop(client);
        assert!(matches!(late.await, Err(ClientError::Closed { .. })));
        assert_eq!(response.text().await?, "hello");
        assert!(transport.closed().await.is_none());
        Ok(())
    });
}

#[test]
fn closing_ends_the_body_that_is_read() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel");
        peer.rest();
    };
    with_client(script, async |client| {
        let mut response = client.get("/").await?;
        client.close();
        assert_eq!(response.bytes().await, Err(of_response(BodyError::Disconnected)));
        Ok(())
    });
}

#[test]
fn a_body_of_the_request_that_fails_is_the_error_of_the_request() {
    let script = |peer: &mut Peer| {
        peer.head();
        assert_eq!(peer.read(6), b"1\r\nx\r\n");
        assert!(peer.rest().is_empty());
    };
    with_client(script, async |client| {
        let body = stream::iter([Ok(Bytes::from_static(b"x")), Err(Error::msg("no more"))]);
        match client.request(Method::POST, "/").body(ResponseBody::stream(body)).await {
            Err(ClientError::Body(err)) => assert_eq!(err.to_string(), "no more"),
            other => panic!("{other:?}"),
        }
        assert!(is_refused(&client).await);
        Ok(())
    });
}

#[test]
fn a_body_of_another_length_than_it_was_said_to_have_is_an_error() {
    for (length, expected) in [(7, HttpError::TooLittleBody), (5, HttpError::TooMuchBody)] {
        let script = |peer: &mut Peer| {
            peer.head();
            peer.rest();
        };
        with_client(script, async move |client| {
            let body = ResponseBody::sized_stream(length, pieces(2, 3).1);
            match client.request(Method::POST, "/").body(body).await {
                Err(ClientError::Request(err)) => assert_eq!(err, expected),
                other => panic!("{other:?}"),
            }
            Ok(())
        });
    }
}

#[test]
fn a_body_that_panics_ends_its_connection_only() {
    let (port, thread) = start(|peer| assert!(peer.rest().is_empty()));
    bounded(async move {
        open_nursery(async |nursery| {
            let client = Client::connect(&nursery, format!("http://127.0.0.1:{port}")).await?;
            let body = stream::poll_fn(|_| -> std::task::Poll<Option<Result<Bytes>>> { panic!("a bad stream") });
            let gone = client.request(Method::POST, "/").body(ResponseBody::stream(body)).await;
            assert!(matches!(gone, Err(ClientError::Closed { source: Some(_) })), "{gone:?}");
            Ok(())
        })
        .await?;
        Ok(())
    });
    thread.join().expect("the script of the server");
}

/// More than all buffers between two sockets hold.
const LARGE: usize = 64 * 1024 * 1024;

#[test]
fn a_slow_reader_holds_the_server_up() {
    let script = |peer: &mut Peer| {
        peer.answer(format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n"));
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..LARGE / piece.len() {
            peer.send(&piece);
        }
        peer.rest();
    };
    with_client(script, async |client| {
        let mut response = client.get("/").await?;
        let transport = client.transport();
        until(|| !transport.is_reading()).await;
        for _ in 0..20 {
            foster::sleep(Duration::from_millis(1)).await;
            assert!(!transport.is_reading());
        }
        let mut n = 0;
        while let Some(chunk) = response.body_mut().chunk().await? {
            let mut n_held = chunk.len();
            while let Some(Some(chunk)) = response.body_mut().chunk().now_or_never().transpose()? {
                n_held += chunk.len();
            }
            // The high-water mark and one read, no more.
            assert!(n_held <= 64 * 1024 + 256 * 1024, "{n_held}");
            n += n_held;
        }
        assert_eq!(n, LARGE);
        assert!(client.is_idle() && transport.is_reading());
        Ok(())
    });
}

#[test]
fn a_slow_server_holds_the_body_up() {
    let (go, wait) = std::sync::mpsc::channel();
    let script = move |peer: &mut Peer| {
        peer.head();
        wait.recv().expect("the word");
        peer.read(LARGE);
        peer.send(EMPTY);
    };
    with_client(script, async move |client| {
        let transport = client.transport();
        let (n_asked, body) = pieces(LARGE / 65536, 65536);
        let request = client.request(Method::POST, "/").body(ResponseBody::sized_stream(LARGE as u64, body));
        let watch = async {
            until(|| transport.is_writing_paused()).await;
            assert!(n_asked.get() < LARGE / 65536);
            assert!(transport.get_write_buffer_size() <= 3 * 64 * 1024);
            go.send(()).expect("the server listens");
        };
        let (response, ()) = futures::future::join(request.send(), watch).await;
        assert_eq!((response?.status(), n_asked.get()), (StatusCode::OK, LARGE / 65536));
        Ok(())
    });
}

#[test]
fn chunks_of_one_byte_cost_little() {
    const N: usize = 100_000;
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        peer.send(b"1\r\nx\r\n".repeat(N));
        peer.send(b"0\r\n\r\n");
        peer.rest();
    };
    with_client(script, async |client| {
        let mut response = client.get("/").await?;
        let (mut n, mut n_chunks) = (0, 0);
        while let Some(chunk) = response.body_mut().chunk().await? {
            n += chunk.len();
            n_chunks += 1;
        }
        assert_eq!(n, N);
        // A read gives one piece, and takes much more than one chunk unless the sender is very slow.
        assert!(n_chunks < N / 2, "{n_chunks}");
        Ok(())
    });
}

#[test]
fn one_response_can_be_the_next_request() {
    let (port, upstream) = start(|peer| {
        assert!(peer.head().contains("\r\ntransfer-encoding: chunked\r\n"));
        assert_eq!(peer.read(15), b"5\r\nhello\r\n0\r\n\r\n");
        peer.send(EMPTY);
    });
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    };
    with_client(script, async move |client| {
        let body = client.get("/").await?.into_body();
        open_nursery(async |nursery| {
            let other = Client::connect(&nursery, format!("http://127.0.0.1:{port}")).await?;
            other.request(Method::POST, "/").body(body).await?;
            Ok(())
        })
        .await?;
        Ok(())
    });
    upstream.join().expect("the script of the other server");
}

/// Sends back what it gets, in capitals, and keeps it.
#[derive(Default)]
struct Shout {
    transport: TransportRef,
    heard: Rc<RefCell<Vec<u8>>>,
}

impl Protocol for Shout {
    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.heard.borrow_mut().extend_from_slice(data);
        self.transport.write(&data.to_ascii_uppercase())
    }
}

#[test]
fn another_protocol_takes_the_connection_with_what_came_for_it() {
    let script = |peer: &mut Peer| {
        let head =
            peer.answer(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\nfirst ");
        assert!(head.contains("\r\nupgrade: shout\r\nconnection: upgrade\r\n"), "{head}");
        peer.send(b"second");
        assert_eq!(peer.read(12), b"FIRST SECOND");
    };
    with_client(script, async |client| {
        let response = client.get("/").header(header::UPGRADE, HeaderValue::from_static("shout")).await?;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let upgraded = response.upgrade().expect("a connection");
        drop(client);
        let heard = Rc::default();
        let shout = Shout { transport: upgraded.transport.clone(), heard: Rc::clone(&heard) };
        let shout = upgraded.transport.set_protocol(shout);
        shout.with(|shout| shout.data_received(&upgraded.data))?;
        upgraded.transport.resume_reading();
        until(|| heard.borrow().len() >= 12).await;
        assert_eq!(*heard.borrow(), b"first second");
        upgraded.transport.closed().await;
        Ok(())
    });
}

#[test]
fn a_tunnel_is_the_callers() {
    let script = |peer: &mut Peer| {
        let head = peer.answer(b"HTTP/1.1 200 Connected\r\n\r\n");
        assert_eq!(head, "CONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\n\r\n");
        assert_eq!(peer.read(3), b"raw");
    };
    with_client(script, async |client| {
        let response = client.request(Method::CONNECT, "example.org:443").await?;
        let upgraded = response.upgrade().expect("a connection");
        upgraded.transport.write(b"raw")?;
        upgraded.transport.close();
        Ok(())
    });
}

#[test]
fn a_tunnel_that_nobody_takes_is_closed() {
    let script = |peer: &mut Peer| {
        peer.answer(b"HTTP/1.1 200 Connected\r\n\r\n");
        while peer.try_send(b"data") {}
    };
    with_client(script, async |client| {
        drop(client.request(Method::CONNECT, "example.org:443").await?);
        assert!(client.is_closed());
        Ok(())
    });
}

#[test]
fn a_response_that_switches_nothing_has_no_connection() {
    with_client(
        |peer: &mut Peer| drop(peer.answer(EMPTY)),
        async |client| {
            let request = client.get("/").header(header::UPGRADE, HeaderValue::from_static("shout"));
            assert!(request.await?.upgrade().is_none());
            assert!(client.is_idle());
            Ok(())
        },
    );
}

#[test]
fn a_url_that_leads_nowhere_is_refused() {
    bounded(async {
        open_nursery(async |nursery| {
            for url in
                ["", "/", "127.0.0.1:80", "ftp://a", "http://", "http://a/b", "http://a?b", "http://a:b", "http://u@a"]
            {
                let refused = Client::connect(&nursery, url).await;
                assert!(matches!(refused, Err(ClientError::Url(_))), "{url}");
            }
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            let port = listener.local_addr()?.port();
            drop(listener);
            let refused = Client::connect(&nursery, format!("http://127.0.0.1:{port}")).await;
            assert!(matches!(refused, Err(ClientError::Connect(err)) if err.is_os_error()));
            Ok(())
        })
        .await?;
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_asked_as_localhost() {
    use std::io::{Read, Write};

    let path = std::env::temp_dir().join(format!("foster-client-{}", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a path");
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut head = [0; 36];
        stream.read_exact(&mut head).expect("a request");
        stream.write_all(HELLO).expect("the client is there");
        assert_eq!(String::from_utf8_lossy(&head), "GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n");
    });
    let to = path.clone();
    bounded(async move {
        open_nursery(async |nursery| {
            let client = Client::connect_unix(&nursery, to).await?;
            assert_eq!(client.get("/x").await?.text().await?, "hello");
            Ok(())
        })
        .await?;
        Ok(())
    });
    std::fs::remove_file(&path).expect("the path is there");
    thread.join().expect("the script of the server");
}

#[test]
fn headers_can_be_given_as_a_list() {
    with_client(
        |peer: &mut Peer| {
            let head = peer.answer(EMPTY);
            assert_eq!(head, "GET / HTTP/1.1\r\nhost: a.test\r\naccept: */*\r\n\r\n");
        },
        async |client| {
            let mut headers = HeaderList::new();
            headers.append(header::HOST, HeaderValue::from_static("a.test"));
            headers.append(header::ACCEPT, HeaderValue::from_static("*/*"));
            client.get("/").headers(headers).await?;
            Ok(())
        },
    );
}
