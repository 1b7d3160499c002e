//! Clients that end their stream, vanish, or are told to go.

use std::time::Duration;

use bytes::Bytes;
use foster::http::{Response, ResponseBody};
use foster::testing::{Peer, serve_http};
use foster::{Event, Handler, Request, cancel_reason, checkpoint, shield};
use futures::stream;

use crate::stage::{Log, answer, config, get, last_answer, paused, post, reports_of, text, turns};

/// Answers each path by itself: late, in pieces, with its body, or at once. Says why it is cancelled.
fn varied(log: &Log, event: &Event) -> impl Handler + use<> {
    let (log, event) = (log.clone(), event.clone());
    move |mut request: Request| {
        let (log, event) = (log.clone(), event.clone());
        async move {
            let path = request.path().to_owned();
            let _reason = Reason { log: log.clone(), path: path.clone() };
            match &*path {
                "/slow" => event.wait().await,
                "/body" => {
                    let got = request.body_mut().text().await;
                    log.say(format!("{got:?}"));
                    return Response::text(got.unwrap_or_else(|err| err.to_string()));
                }
                "/shielded" => {
                    shield(async {
                        event.wait().await;
                        log.say("done");
                    })
                    .await;
                    checkpoint().await;
                }
                "/shielded-body" => {
                    let got = shield(request.body_mut().text()).await;
                    log.say(format!("{got:?}"));
                }
                _ => {}
            }
            Response::text(path)
        }
    }
}

/// Says why what holds it was cancelled.
struct Reason {
    log: Log,
    path: String,
}

impl Drop for Reason {
    fn drop(&mut self) {
        if let Some(reason) = cancel_reason() {
            self.log.say(format!("{}: {reason}", self.path));
        }
    }
}

/// Pieces without an end.
async fn endless(_: Request) -> Response {
    let chunks = stream::unfold((), async |()| {
        checkpoint().await;
        Some((Ok::<_, foster::Error>(Bytes::from_static(&[b'x'; 1000])), ()))
    });
    Response::bytes(ResponseBody::stream(chunks))
}

async fn read_and_see_it_closed(peer: &Peer) -> String {
    let all = peer.read_to_end().await;
    peer.closed().await;
    assert!(!peer.is_reset());
    text(all)
}

// ---- half-closed

#[test]
fn a_client_that_has_ended_its_stream_gets_its_answers() {
    paused(async |nursery| {
        let event = Event::new();
        let server = serve_http(&nursery, varied(&Log::default(), &event), config());
        let peer = server.connect();
        peer.send([get("/1"), get("/2")].concat());
        peer.close_write();
        assert_eq!(read_and_see_it_closed(&peer).await, [answer("/1"), answer("/2")].concat());

        let peer = server.connect();
        peer.send(get("/slow"));
        peer.close_write();
        turns(5).await;
        assert!(!peer.is_closed());
        event.set();
        assert_eq!(read_and_see_it_closed(&peer).await, last_answer("/slow"));
        Ok(())
    });
}

#[test]
fn a_client_that_has_ended_its_stream_gets_every_answer_behind_a_slow_one() {
    paused(async |nursery| {
        let event = Event::new();
        let peer = serve_http(&nursery, varied(&Log::default(), &event), config()).connect();
        peer.send([get("/1"), get("/slow"), get("/3"), post("/body", "four")].concat());
        peer.close_write();
        turns(5).await;
        event.set();
        let expected = [answer("/1"), answer("/slow"), answer("/3"), answer("four")].concat();
        assert_eq!(read_and_see_it_closed(&peer).await, expected);
        Ok(())
    });
}

#[test]
fn a_body_that_ends_too_early_behind_a_slow_request_is_told_to_its_handler() {
    paused(async |nursery| {
        let (log, event) = (Log::default(), Event::new());
        let peer = serve_http(&nursery, varied(&log, &event), config()).connect();
        let cut = &post("/body", "all of it")[..post("/body", "").len() + 4];
        peer.send([&get("/slow"), cut].concat());
        peer.close_write();
        turns(5).await;
        event.set();
        let start = tokio::time::Instant::now();
        let all = read_and_see_it_closed(&peer).await;
        assert!(all.starts_with(&answer("/slow")), "{all}");
        assert_eq!(log.words(), ["Err(Disconnected)"]);
        assert_eq!(start.elapsed(), Duration::ZERO, "no time-out had to find out");
        Ok(())
    });
}

#[test]
fn a_body_that_ends_too_early_is_told_to_its_handler_who_can_still_answer() {
    paused(async |nursery| {
        let log = Log::default();
        let peer = serve_http(&nursery, varied(&log, &Event::new()), config()).connect();
        peer.send("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
        peer.close_write();
        let all = read_and_see_it_closed(&peer).await;
        assert_eq!(all, last_answer("the peer went away before the end of the body"));
        assert_eq!(log.words(), ["Err(Disconnected)"]);
        Ok(())
    });
}

#[test]
fn an_end_of_stream_within_a_head_or_between_requests_closes() {
    paused(async |nursery| {
        let server = serve_http(&nursery, varied(&Log::default(), &Event::new()), config());
        for begun in ["", "G", "GET / HTTP/1.1\r\nHost: x\r\n"] {
            let peer = server.connect();
            peer.send(begun);
            peer.close_write();
            assert_eq!(read_and_see_it_closed(&peer).await, "");
            let peer = server.connect();
            peer.send([&get("/"), begun].concat());
            peer.close_write();
            assert_eq!(read_and_see_it_closed(&peer).await, answer("/"));
        }
        Ok(())
    });
}

// ---- vanished

#[test]
fn a_client_that_vanishes_cancels_its_handler_with_a_reason() {
    paused(async |nursery| {
        let (log, reports) = (Log::default(), reports_of(&nursery));
        let server = serve_http(&nursery, varied(&log, &Event::new()), config());
        let peer = server.connect();
        peer.send(get("/slow"));
        turns(5).await;
        peer.reset();
        turns(5).await;
        assert_eq!(log.words(), ["/slow: the connection was lost"]);
        let stats = server.stats();
        assert_eq!((stats.n_connections, stats.n_requests, stats.n_cancelled, stats.n_failed), (0, 0, 1, 0));
        assert_eq!(reports.words(), [""; 0]);
        Ok(())
    });
}

#[test]
fn a_client_that_vanishes_cancels_the_handler_that_waits_for_its_body() {
    paused(async |nursery| {
        let log = Log::default();
        let server = serve_http(&nursery, varied(&log, &Event::new()), config());
        let peer = server.connect();
        peer.send("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
        turns(5).await;
        peer.reset();
        turns(5).await;
        assert_eq!(log.words(), ["/body: the connection was lost"]);
        assert_eq!(server.stats().n_cancelled, 1);
        Ok(())
    });
}

#[test]
fn a_client_that_vanishes_ends_the_stream_that_it_was_sent() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        for capacity in [0, 100_000, usize::MAX] {
            let server = serve_http(&nursery, endless, config());
            let peer = server.connect();
            peer.set_capacity(capacity);
            peer.send(get("/"));
            turns(20).await;
            peer.reset();
            turns(5).await;
            let stats = server.stats();
            let counted = (stats.n_connections, stats.n_requests, stats.n_cancelled, stats.n_failed);
            assert_eq!(counted, (0, 0, 1, 0), "with room for {capacity} bytes");
        }
        assert_eq!(reports.words(), [""; 0], "nobody's fault");
        Ok(())
    });
}

#[test]
fn a_shield_lets_a_handler_finish_although_its_client_is_gone() {
    paused(async |nursery| {
        let (log, event) = (Log::default(), Event::new());
        let server = serve_http(&nursery, varied(&log, &event), config());
        let peer = server.connect();
        peer.send(get("/shielded"));
        turns(5).await;
        peer.reset();
        turns(5).await;
        assert_eq!((log.len(), server.stats().n_requests), (0, 1));
        event.set();
        turns(5).await;
        assert_eq!(log.words(), ["done", "/shielded: the connection was lost"]);
        assert_eq!(server.stats().n_requests, 0);
        Ok(())
    });
}

#[test]
fn a_body_is_cut_off_for_who_is_shielded_from_the_loss_of_the_client() {
    paused(async |nursery| {
        let log = Log::default();
        let peer = serve_http(&nursery, varied(&log, &Event::new()), config()).connect();
        peer.send("POST /shielded-body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
        turns(5).await;
        peer.reset();
        turns(5).await;
        assert_eq!(log.words()[0], "Err(Disconnected)");
        Ok(())
    });
}

#[test]
fn a_client_that_vanishes_leaves_nothing_behind_at_any_byte() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let server = serve_http(&nursery, varied(&Log::default(), &Event::new()), config());
        let all = [post("/body", "some text"), get("/1"), get("/slow"), get("/2")].concat();
        for n in 0..=all.len() {
            for is_reset in [true, false] {
                let peer = server.connect();
                peer.send(&all[..n]);
                turns(n % 5).await;
                if is_reset {
                    peer.reset()
                } else {
                    peer.close()
                }
                turns(8).await;
            }
        }
        let stats = server.stats();
        assert_eq!((stats.n_connections, stats.n_requests), (0, 0));
        assert_eq!(reports.words(), [""; 0]);
        Ok(())
    });
}

// ---- told to go

#[test]
fn at_shutdown_what_is_idle_is_closed_and_what_is_busy_says_so_and_finishes() {
    paused(async |nursery| {
        let (log, event) = (Log::default(), Event::new());
        let server = serve_http(&nursery, varied(&log, &event), config());
        let (silent, idle, begun, busy) = (server.connect(), server.connect(), server.connect(), server.connect());
        idle.send(get("/"));
        assert_eq!(text(idle.read().await), answer("/"));
        begun.send("GET / HT");
        busy.send([get("/slow"), get("/never")].concat());
        turns(5).await;
        server.shutdown();
        for peer in [&silent, &idle, &begun] {
            assert_eq!(read_and_see_it_closed(peer).await, "");
        }
        turns(5).await;
        assert!(!busy.is_closed());
        event.set();
        assert_eq!(read_and_see_it_closed(&busy).await, last_answer("/slow"));
        let late = server.connect();
        assert_eq!(read_and_see_it_closed(&late).await, "");
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}

#[test]
fn a_handler_is_told_of_the_shutdown_and_ends_its_stream() {
    paused(async |nursery| {
        let events = |request: Request| async move {
            let chunks = stream::unfold(0, move |n| {
                let shutdown = request.shutdown();
                async move {
                    if n > 0 {
                        shutdown.wait().await;
                    }
                    (n < 2).then(|| (Ok::<_, foster::Error>(Bytes::from(format!("event {n}\n"))), n + 1))
                }
            });
            Response::text(ResponseBody::stream(chunks))
        };
        let server = serve_http(&nursery, events, config());
        let peer = server.connect();
        peer.send(get("/"));
        turns(5).await;
        assert!(text(peer.received()).ends_with("\r\n\r\n8\r\nevent 0\n\r\n"));
        server.shutdown();
        assert_eq!(read_and_see_it_closed(&peer).await, "8\r\nevent 1\n\r\n0\r\n\r\n");
        Ok(())
    });
}
