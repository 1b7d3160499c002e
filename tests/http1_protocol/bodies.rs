//! Bodies of requests: pulled, left alone, announced and never sent.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use foster::http::{Body, Limits, Response, StatusCode};
use foster::testing::{Faults, serve_http};
use foster::{Event, Handler, Request, Result, TransportRef};

use crate::stage::{Log, answer, config, get, last_answer, paused, post, refusal, reports_of, text, turns};

async fn echo(request: Request) -> Response {
    Response::text(request.into_body())
}

async fn read(mut request: Request) -> Result<String> {
    Ok(request.body_mut().text().await?)
}

async fn ignore(_: Request) -> Response {
    Response::text("ignored")
}

async fn refuse(_: Request) -> StatusCode {
    StatusCode::FORBIDDEN
}

/// Reads once the event is set; shows its transport.
fn late(event: &Event, transport: &Rc<RefCell<TransportRef>>) -> impl Handler + use<> {
    let (event, transport) = (event.clone(), transport.clone());
    move |mut request: Request| {
        let (event, transport) = (event.clone(), transport.clone());
        async move {
            transport.replace(request.transport());
            event.wait().await;
            let n = request.body_mut().bytes().await?.len();
            foster::Ok(Response::text(n.to_string()))
        }
    }
}

fn upload(n: usize) -> String {
    format!("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: {n}\r\n\r\n")
}

// ---- back-pressure

#[test]
fn a_body_that_nobody_reads_yet_stops_the_client_at_64_kib_and_one_read() {
    paused(async |nursery| {
        let (event, transport) = (Event::new(), Rc::default());
        let peer = serve_http(&nursery, late(&event, &transport), config()).connect();
        peer.inject(Faults::new().split_reads(4096));
        let n = 1024 * 1024;
        peer.send(upload(n));
        peer.send(vec![b'x'; 15 * 4096]);
        turns(50).await;
        let transport = transport.take();
        assert!(transport.is_reading(), "60 KiB are taken");
        peer.send(vec![b'x'; 2 * 4096]);
        turns(50).await;
        assert!(!transport.is_reading(), "68 KiB are not");
        peer.send(vec![b'x'; n - 17 * 4096]);
        turns(500).await;
        assert!(!transport.is_reading());
        event.set();
        assert_eq!(text(peer.read().await), answer(n));
        assert!(transport.is_reading());
        Ok(())
    });
}

#[test]
fn an_echo_that_its_client_does_not_read_stops_the_client() {
    paused(async |nursery| {
        let transport = Rc::new(RefCell::new(TransportRef::default()));
        let handler = {
            let transport = transport.clone();
            move |request: Request| {
                transport.replace(request.transport());
                async { Response::bytes(request.into_body()) }
            }
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        peer.inject(Faults::new().split_reads(16 * 1024));
        peer.set_capacity(0);
        let n = 4 * 1024 * 1024;
        peer.send(upload(n));
        peer.send(vec![b'x'; n]);
        turns(1000).await;
        let transport = transport.take();
        assert!(!transport.is_reading());
        let n_buffered = transport.get_write_buffer_size();
        assert!(n_buffered <= 192 * 1024, "{n_buffered} bytes wait for who reads nothing");
        peer.set_capacity(usize::MAX);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 4194304\r\n\r\n";
        assert_eq!(peer.read_exactly(head.len() + n).await.len(), head.len() + n);
        peer.send(post("/", "again"));
        assert!(text(peer.read().await).ends_with("\r\n\r\nagain"));
        Ok(())
    });
}

#[test]
fn a_small_body_is_there_at_the_first_step_of_its_handler() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, read, config()).connect();
        peer.send([post("/", "one"), post("/", "two"), post("/", "")].concat());
        let expected = [answer("one"), answer("two"), answer("")].concat();
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        assert_eq!(peer.n_writes(), 1);
        Ok(())
    });
}

#[test]
fn bodies_are_read_however_they_are_cut_and_framed() {
    paused(async |nursery| {
        let chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
            4\r\nbody\r\n8;x=y\r\nin parts\r\n0\r\nTrailer: x\r\n\r\n";
        for n in [1, 2, 3, 5, 64, 1000] {
            for handler in [true, false] {
                let peer = if handler {
                    serve_http(&nursery, read, config()).connect()
                } else {
                    // An echo of known length stays one.
                    serve_http(&nursery, echo, config()).connect()
                };
                peer.inject(Faults::new().split_reads(n));
                peer.send([post("/", "length"), get("/")].concat());
                let expected = [answer("length"), answer("")].concat();
                assert_eq!(text(peer.read_exactly(expected.len()).await), expected, "cut every {n} bytes");
            }
            let peer = serve_http(&nursery, read, config()).connect();
            peer.inject(Faults::new().split_reads(n));
            peer.send(chunked.repeat(2));
            let expected = answer("bodyin parts").repeat(2);
            assert_eq!(text(peer.read_exactly(expected.len()).await), expected, "cut every {n} bytes");
        }
        Ok(())
    });
}

#[test]
fn trailers_are_there_behind_the_body() {
    paused(async |nursery| {
        let trailers = async |mut request: Request| {
            let before = request.body_mut().trailers();
            request.body_mut().bytes().await?;
            let behind = request.body_mut().trailers().unwrap_or_default();
            let behind: Vec<_> = behind.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            foster::Ok(Response::text(format!("{before:?} {behind:?}")))
        };
        let peer = serve_http(&nursery, trailers, config()).connect();
        peer.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        turns(5).await;
        peer.send("1\r\nx\r\n0\r\nDigest: abc\r\nX: y\r\n\r\n");
        assert_eq!(text(peer.read().await), answer(r#"None ["digest=\"abc\"", "x=\"y\""]"#));
        Ok(())
    });
}

// ---- a handler that leaves it alone

#[test]
fn a_body_that_the_handler_ignores_is_skipped_and_the_connection_goes_on() {
    paused(async |nursery| {
        let server = serve_http(&nursery, ignore, config());
        for n in [1, 1000, 256 * 1024] {
            for is_together in [true, false] {
                let peer = server.connect();
                peer.send(upload(n));
                if !is_together {
                    turns(5).await;
                    assert_eq!(text(peer.received()), answer("ignored"), "the answer waits for no body");
                }
                peer.send(vec![b'x'; n]);
                peer.send(get("/"));
                let expected = answer("ignored").repeat(if is_together { 2 } else { 1 });
                assert_eq!(text(peer.read_exactly(expected.len()).await), expected, "behind {n} bytes");
            }
        }
        Ok(())
    });
}

#[test]
fn a_large_body_that_the_handler_ignores_is_not_worth_reading_and_the_answer_arrives() {
    paused(async |nursery| {
        let server = serve_http(&nursery, ignore, config());
        let n = 512 * 1024;
        let peer = server.connect();
        peer.send(upload(n));
        assert_eq!(text(peer.read().await), last_answer("ignored"));
        // Still under way: thrown away, so that no reset takes the answer with it.
        peer.send(vec![b'x'; n]);
        turns(20).await;
        assert!(!peer.is_reset());
        peer.close_write();
        peer.closed().await;
        assert!(!peer.is_reset());
        Ok(())
    });
}

#[test]
fn a_chunked_body_that_the_handler_ignores_is_skipped_up_to_256_kib() {
    paused(async |nursery| {
        let head = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
        let server = serve_http(&nursery, ignore, config());
        let peer = server.connect();
        peer.send([head, &chunk.repeat(16), "0\r\n\r\n", &get("/")].concat());
        let expected = answer("ignored").repeat(2);
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);

        let peer = server.connect();
        peer.send(head);
        peer.inject(Faults::new().split_reads(10_000));
        turns(5).await;
        assert_eq!(text(peer.received()), answer("ignored"));
        peer.send(chunk.repeat(20));
        assert_eq!(text(peer.read_to_end().await), "");
        turns(50).await;
        assert!(!peer.is_reset(), "the answer may still be on its way");
        Ok(())
    });
}

#[test]
fn an_answer_ahead_of_a_body_arrives_also_where_the_connection_closes_after_it() {
    paused(async |nursery| {
        let server = serve_http(&nursery, ignore, config());
        for head in [
            "PUT / HTTP/1.0\r\nContent-Length: 100000\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            let peer = server.connect();
            peer.send(head);
            turns(5).await;
            peer.send(vec![b'1'; 50_000]);
            turns(5).await;
            assert!(!peer.is_reset(), "{head}");
            assert_eq!(text(peer.read_to_end().await), last_answer("ignored"));
            peer.close_write();
            peer.closed().await;
            assert!(!peer.is_reset(), "{head}");
        }
        Ok(())
    });
}

#[test]
fn a_body_that_is_kept_beyond_the_answer_ends_with_the_connection() {
    paused(async |nursery| {
        let kept = Rc::new(RefCell::new(None));
        let handler = {
            let kept = kept.clone();
            move |request: Request| {
                kept.replace(Some(request.into_body()));
                async { Response::text("early") }
            }
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        peer.send(upload(10));
        assert_eq!(text(peer.read().await), answer("early"));
        peer.send("half ");
        let mut body: Body = kept.take().expect("the handler ran");
        assert_eq!(body.chunk().await, Ok(Some("half ".into())));
        peer.send(["whole", &get("/")].concat());
        assert_eq!(body.chunk().await, Ok(Some("whole".into())));
        assert_eq!(body.chunk().await, Ok(None));
        assert_eq!(text(peer.read().await), answer("early"));
        Ok(())
    });
}

// ---- limits

#[test]
fn a_body_beyond_the_limit_is_refused_as_declared_or_as_streamed() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let limits = Limits::default().max_body_size(Some(10));
        let server = serve_http(&nursery, read, config().limits(limits));
        let peer = server.connect();
        peer.send(post("/", "0123456789"));
        assert_eq!(text(peer.read().await), answer("0123456789"));
        peer.send(post("/", "0123456789a"));
        assert_eq!(text(peer.read_to_end().await), refusal("413 Payload Too Large"));

        let peer = server.connect();
        peer.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n");
        turns(5).await;
        peer.send("6\r\n678901\r\n");
        assert_eq!(text(peer.read_to_end().await), refusal("413 Payload Too Large"));
        turns(5).await;
        assert!(!peer.is_reset());
        assert_eq!(reports.words(), [""; 0], "the client's fault is not reported");
        assert_eq!(server.stats().n_failed, 0);
        Ok(())
    });
}

#[test]
fn a_body_beyond_the_limit_of_its_handler_is_an_error_that_stays_one() {
    paused(async |nursery| {
        let log = Log::default();
        let handler = {
            let log = log.clone();
            move |mut request: Request| {
                let log = log.clone();
                async move {
                    request.body_mut().set_limit(Some(5));
                    for _ in 0..4 {
                        match request.body_mut().chunk().await {
                            Ok(chunk) => log.say(format!("{:?}", chunk.map(|chunk| chunk.len()))),
                            Err(err) => log.say(err.to_string()),
                        }
                    }
                    foster::Ok(Response::text(request.body_mut().text().await?))
                }
            }
        };
        let server = serve_http(&nursery, handler, config());
        let peer = server.connect();
        // The chunks grow: whatever is counted must not overflow.
        peer.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n");
        turns(5).await;
        peer.send("2\r\n12\r\n9\r\n123456789\r\n0\r\n\r\n");
        let all = text(peer.read().await);
        assert!(all.starts_with("HTTP/1.1 413 "), "{all}");
        let too_large = "the body is larger than 5 bytes";
        assert_eq!(log.words(), ["Some(4)", too_large, too_large, too_large]);
        assert_eq!(server.stats().n_failed, 0);
        peer.send(post("/", "123456"));
        assert!(text(peer.read().await).starts_with("HTTP/1.1 413 "));
        assert_eq!(log.words()[4..], [too_large; 4]);
        Ok(())
    });
}

#[test]
fn a_body_that_breaks_the_rules_is_answered_400_and_closed_with_or_without_a_reader() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (is_read, is_together) in [(true, true), (true, false), (false, true)] {
            let peer = if is_read {
                serve_http(&nursery, read, config()).connect()
            } else {
                serve_http(&nursery, ignore, config()).connect()
            };
            peer.send(head);
            if !is_together {
                turns(5).await;
            }
            peer.send("no size\r\n");
            assert_eq!(text(peer.read_to_end().await), refusal("400 Bad Request"), "{is_read} {is_together}");
            turns(5).await;
            assert!(!peer.is_reset());
        }
        assert_eq!(reports.words(), [""; 0]);
        Ok(())
    });
}

#[test]
fn a_body_that_breaks_the_rules_behind_its_answer_closes() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, ignore, config()).connect();
        peer.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(text(peer.read().await), answer("ignored"));
        peer.send(["no size\r\n", &get("/")].concat());
        assert_eq!(text(peer.read_to_end().await), "");
        Ok(())
    });
}

// ---- 100 Continue

const EXPECTING: &str = "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

#[test]
fn the_client_is_told_to_continue_when_the_handler_reads() {
    paused(async |nursery| {
        let (event, transport) = (Event::new(), Rc::default());
        let peer = serve_http(&nursery, late(&event, &transport), config()).connect();
        peer.send(EXPECTING);
        turns(10).await;
        assert_eq!(text(peer.received()), "", "the handler does not read yet");
        event.set();
        assert_eq!(text(peer.read().await), CONTINUE);
        peer.send("body");
        assert_eq!(text(peer.read().await), answer(4));
        assert_eq!(peer.n_writes(), 2);
        peer.send(EXPECTING);
        assert_eq!(text(peer.read().await), CONTINUE);
        peer.send(["body", &get("/")].concat());
        assert_eq!(text(peer.read().await), [answer(4), answer(0)].concat());
        Ok(())
    });
}

#[test]
fn the_client_is_told_to_continue_ahead_of_an_echo() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, echo, config()).connect();
        peer.send(EXPECTING);
        let head = answer("body");
        let head = &head[..head.len() - 4];
        let expected = [CONTINUE, head].concat();
        assert_eq!(text(peer.read().await), expected);
        peer.send("body");
        assert_eq!(text(peer.read().await), "body");
        Ok(())
    });
}

#[test]
fn a_client_whose_body_has_come_is_not_told_to_continue() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, read, config()).connect();
        peer.send([EXPECTING, "body"].concat());
        assert_eq!(text(peer.read().await), answer("body"));
        Ok(())
    });
}

#[test]
fn a_client_that_is_refused_is_not_told_to_continue_and_keeps_its_answer() {
    paused(async |nursery| {
        let server = serve_http(&nursery, refuse, config());
        let peer = server.connect();
        peer.send(EXPECTING);
        let refused = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        turns(5).await;
        // It was told nothing, and may have begun to send all the same.
        peer.send("body");
        turns(5).await;
        assert!(!peer.is_reset());
        assert_eq!(text(peer.read_to_end().await), refused);
        peer.close_write();
        peer.closed().await;
        assert!(!peer.is_reset());
        Ok(())
    });
}

#[test]
fn an_expectation_of_http_1_0_is_ignored() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, read, config()).connect();
        peer.send("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
        turns(5).await;
        assert_eq!(text(peer.received()), "");
        peer.send("body");
        assert_eq!(text(peer.read_to_end().await), last_answer("body"));
        Ok(())
    });
}

#[test]
fn a_body_in_chunks_of_one_byte_is_handed_over_in_few_pieces() {
    paused(async |nursery| {
        let n_pieces = Rc::new(Cell::new(0));
        let handler = {
            let n_pieces = n_pieces.clone();
            move |mut request: Request| {
                let n_pieces = n_pieces.clone();
                async move {
                    let mut all = Vec::new();
                    while let Some(piece) = request.body_mut().chunk().await? {
                        n_pieces.set(n_pieces.get() + 1);
                        all.extend_from_slice(&piece);
                    }
                    foster::Ok(Response::text(all))
                }
            }
        };
        let server = serve_http(&nursery, handler, config());
        let peer = server.connect();
        let body: String = ('a'..='z').cycle().take(1000).map(|letter| format!("1\r\n{letter}\r\n")).collect();
        peer.send(format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}0\r\n\r\n"));
        let all = text(peer.read().await);
        assert!(all.ends_with(&('a'..='z').cycle().take(1000).collect::<String>()), "{all}");
        assert!(n_pieces.get() <= 2, "{} pieces", n_pieces.get());
        Ok(())
    });
}
