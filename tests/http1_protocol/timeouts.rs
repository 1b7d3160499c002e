//! Every time-out, in paused time: when it passes, what the client is told, and what puts it off.

use std::time::Duration;

use bytes::Bytes;
use foster::http::{Response, ResponseBody};
use foster::testing::{Peer, serve_http};
use foster::{Config, Event, Handler, Request, move_on_after, sleep};
use futures::stream;
use tokio::time::Instant;

use crate::stage::{Log, answer, config, get, last_answer, paused, post, refusal, text, turns};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Each time-out a different one.
fn timed() -> Config {
    config().head_timeout(secs(10)).keep_alive_timeout(secs(5)).body_timeout(secs(20)).write_timeout(secs(30))
}

/// Waits for `/wait`, reads bodies, and sends a large answer for `/large`.
fn handler(event: &Event) -> impl Handler + use<> {
    let event = event.clone();
    move |mut request: Request| {
        let event = event.clone();
        async move {
            match request.path() {
                "/wait" => event.wait().await,
                "/slow" => sleep(secs(100)).await,
                "/ignore" => return foster::Ok(Response::text("ignored")),
                "/large" => return Ok(Response::text("x".repeat(1_000_000))),
                _ => {}
            }
            Ok(Response::text(request.body_mut().text().await?))
        }
    }
}

/// How long it takes until the stream ends, and all that came.
async fn to_end(peer: &Peer) -> (Duration, String) {
    let start = Instant::now();
    let all = text(peer.read_to_end().await);
    (start.elapsed(), all)
}

// ---- heads

#[test]
fn a_client_that_connects_and_says_nothing_is_closed_after_the_head_time_out_without_a_word() {
    paused(async |nursery| {
        let server = serve_http(&nursery, handler(&Event::new()), timed());
        let peer = server.connect();
        assert_eq!(to_end(&peer).await, (secs(10), String::new()));
        peer.closed().await;
        let stats = server.stats();
        assert_eq!((stats.n_timed_out, stats.n_refused, stats.n_connections), (1, 0, 0));
        Ok(())
    });
}

#[test]
fn a_head_that_does_not_end_is_answered_408_however_it_drips() {
    paused(async |nursery| {
        let server = serve_http(&nursery, handler(&Event::new()), timed());
        for n_before in [0, 1] {
            let peer = server.connect();
            if n_before == 1 {
                peer.send(get("/"));
                assert_eq!(text(peer.read().await), answer(""));
                sleep(secs(4)).await;
            }
            let start = Instant::now();
            let drip = async {
                for byte in get("/").bytes() {
                    peer.send([byte]);
                    sleep(secs(1)).await;
                    if peer.is_eof() {
                        break;
                    }
                }
            };
            drip.await;
            let took = start.elapsed();
            assert!((secs(10)..=secs(11)).contains(&took), "{took:?}");
            assert_eq!(text(peer.received()), refusal("408 Request Timeout"));
            assert!(!peer.is_reset());
            let (lingered, rest) = to_end(&peer).await;
            assert_eq!((lingered, &*rest), (Duration::ZERO, ""));
        }
        let stats = server.stats();
        assert_eq!((stats.n_timed_out, stats.n_refused), (2, 2));
        Ok(())
    });
}

#[test]
fn the_time_for_a_head_behind_another_request_begins_with_its_first_byte() {
    paused(async |nursery| {
        let event = Event::new();
        let peer = serve_http(&nursery, handler(&event), timed()).connect();
        // It has begun while another is answered: its time begins with its turn.
        peer.send([&get("/wait"), "GET /"].concat());
        sleep(secs(60)).await;
        event.set();
        assert_eq!(text(peer.read().await), answer(""));
        assert_eq!(to_end(&peer).await, (secs(10), refusal("408 Request Timeout")));
        Ok(())
    });
}

// ---- between requests

#[test]
fn an_idle_connection_is_closed_after_the_keep_alive_time_out_and_that_is_no_time_out_to_count() {
    paused(async |nursery| {
        let server = serve_http(&nursery, handler(&Event::new()), timed());
        let peer = server.connect();
        for _ in 0..3 {
            peer.send(get("/"));
            assert_eq!(text(peer.read().await), answer(""));
            sleep(secs(4)).await;
        }
        assert_eq!(to_end(&peer).await, (secs(1), String::new()));
        assert_eq!(server.stats().n_timed_out, 0);
        Ok(())
    });
}

#[test]
fn empty_lines_between_requests_put_nothing_off_for_ever() {
    paused(async |nursery| {
        let server = serve_http(&nursery, handler(&Event::new()), timed());
        let peer = server.connect();
        peer.send(get("/"));
        peer.read().await;
        let start = Instant::now();
        while !peer.is_eof() {
            peer.send("\r\n");
            sleep(secs(1)).await;
        }
        let took = start.elapsed();
        assert!(took <= secs(16), "{took:?}");
        Ok(())
    });
}

#[test]
fn a_connection_is_idle_soon_after_a_large_answer_was_taken() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, handler(&Event::new()), timed()).connect();
        peer.set_capacity(990_000);
        peer.send(get("/large"));
        turns(5).await;
        let n = answer("x".repeat(1_000_000)).len();
        assert_eq!(peer.read_exactly(n).await.len(), n);
        let (took, _) = to_end(&peer).await;
        assert!((secs(5)..=secs(10)).contains(&took), "{took:?}");
        Ok(())
    });
}

#[test]
fn a_handler_may_take_its_time() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, handler(&Event::new()), timed()).connect();
        peer.send(get("/slow").repeat(2));
        let start = Instant::now();
        assert_eq!(text(peer.read().await), answer(""));
        assert_eq!(text(peer.read().await), answer(""));
        assert_eq!(start.elapsed(), secs(200));
        assert_eq!(to_end(&peer).await, (secs(5), String::new()));
        Ok(())
    });
}

// ---- bodies

#[test]
fn a_body_that_stops_coming_is_408() {
    paused(async |nursery| {
        let server = serve_http(&nursery, handler(&Event::new()), timed());
        let peer = server.connect();
        peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
        for _ in 0..5 {
            sleep(secs(19)).await;
            peer.send("x");
        }
        let expected = refusal("408 Request Timeout");
        assert_eq!(to_end(&peer).await, (secs(20), expected));
        assert_eq!((server.stats().n_timed_out, server.stats().n_failed), (1, 0));
        peer.send("late");
        turns(5).await;
        assert!(!peer.is_reset());
        Ok(())
    });
}

#[test]
fn a_handler_that_asks_again_and_again_gives_a_body_no_more_time() {
    paused(async |nursery| {
        let handler = async |mut request: Request| {
            for n in 0.. {
                match move_on_after(secs(1), request.body_mut().chunk()).await {
                    None => {}
                    Some(Ok(_)) => break,
                    Some(Err(err)) => return Response::text(format!("{n} s: {err}")),
                }
            }
            Response::text("a body")
        };
        let peer = serve_http(&nursery, handler, timed()).connect();
        peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
        let (took, all) = to_end(&peer).await;
        assert!((secs(20)..=secs(21)).contains(&took), "{took:?}");
        assert!(all.contains(" s: nothing more of the body came in time"), "{all}");
        Ok(())
    });
}

#[test]
fn a_body_that_its_handler_does_not_take_runs_into_no_time_out() {
    paused(async |nursery| {
        let event = Event::new();
        let peer = serve_http(&nursery, handler(&event), timed()).connect();
        let body = "x".repeat(500_000);
        peer.send(post("/wait", &body));
        sleep(secs(1000)).await;
        event.set();
        assert_eq!(text(peer.read_exactly(answer(&body).len()).await), answer(&body));
        Ok(())
    });
}

#[test]
fn who_waits_for_a_continue_waits_without_a_time_out() {
    paused(async |nursery| {
        let event = Event::new();
        let peer = serve_http(&nursery, handler(&event), timed()).connect();
        peer.send("POST /wait HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        sleep(secs(1000)).await;
        assert_eq!(text(peer.received()), "");
        event.set();
        assert_eq!(text(peer.read().await), "HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(to_end(&peer).await, (secs(20), refusal("408 Request Timeout")));
        Ok(())
    });
}

#[test]
fn a_body_that_stops_coming_behind_its_answer_closes() {
    paused(async |nursery| {
        let server = serve_http(&nursery, handler(&Event::new()), timed());
        let peer = server.connect();
        peer.send("POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
        assert_eq!(text(peer.read().await), answer("ignored"));
        assert_eq!(to_end(&peer).await, (secs(20), String::new()));
        Ok(())
    });
}

// ---- answers

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_aborted() {
    paused(async |nursery| {
        for path in ["/large", "/slow-large"] {
            let handler = async |request: Request| {
                if request.path() == "/slow-large" {
                    sleep(secs(1)).await;
                }
                Response::text("x".repeat(1_000_000))
            };
            let server = serve_http(&nursery, handler, timed());
            let peer = server.connect();
            peer.set_capacity(100_000);
            peer.send(get(path));
            sleep(secs(2)).await;
            let start = Instant::now();
            peer.closed().await;
            let took = start.elapsed();
            assert!((secs(28)..=secs(30)).contains(&took), "{path}: {took:?}");
            assert_eq!((server.stats().n_timed_out, server.stats().n_connections), (1, 0));
        }
        Ok(())
    });
}

/// Pieces a second apart, without an end.
async fn ticks(request: Request) -> Response {
    let size = if request.path() == "/small" { 100 } else { 50_000 };
    let chunks = stream::unfold((), move |()| async move {
        sleep(secs(1)).await;
        Some((foster::Ok(Bytes::from(vec![b'x'; size])), ()))
    });
    Response::bytes(ResponseBody::stream(chunks))
}

#[test]
fn a_client_that_stops_reading_in_the_middle_of_a_stream_is_aborted() {
    paused(async |nursery| {
        for path in ["/small", "/large"] {
            let server = serve_http(&nursery, ticks, timed());
            let peer = server.connect();
            peer.send(get(path));
            for _ in 0..50 {
                sleep(secs(1)).await;
                peer.received();
            }
            peer.set_capacity(0);
            let start = Instant::now();
            peer.closed().await;
            let took = start.elapsed();
            assert!((secs(29)..=secs(32)).contains(&took), "{path}: {took:?}");
            turns(3).await;
            let stats = server.stats();
            assert_eq!((stats.n_timed_out, stats.n_cancelled, stats.n_failed, stats.n_requests), (1, 1, 0, 0));
        }
        Ok(())
    });
}

#[test]
fn a_client_that_reads_a_trickle_is_not_cut() {
    paused(async |nursery| {
        let server = serve_http(&nursery, handler(&Event::new()), timed());
        let peer = server.connect();
        peer.set_capacity(10_000);
        peer.send(get("/large"));
        let n_all = answer("x".repeat(1_000_000)).len();
        let mut n = 0;
        while n < n_all {
            sleep(secs(25)).await;
            let got = peer.received().len();
            assert!(got > 0, "cut after {n} bytes");
            n += got;
        }
        assert_eq!(server.stats().n_timed_out, 0);
        Ok(())
    });
}

#[test]
fn a_stream_whose_buffer_never_empties_is_not_cut_while_its_client_takes_some_of_it() {
    paused(async |nursery| {
        let server = serve_http(&nursery, ticks, timed());
        let peer = server.connect();
        peer.set_capacity(1000);
        peer.send(get("/small"));
        // It takes less than comes, and never all of it: the buffer only grows, up to where the stream waits.
        for _ in 0..100 {
            sleep(secs(20)).await;
            assert!(!peer.is_closed());
            peer.read_up_to(500).await;
        }
        assert_eq!(server.stats().n_timed_out, 0);
        Ok(())
    });
}

// ---- the end

#[test]
fn a_client_that_goes_on_sending_is_listened_to_for_two_seconds_more() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, handler(&Event::new()), timed()).connect();
        peer.send("nonsense\r\n\r\n");
        assert_eq!(text(peer.read_to_end().await), refusal("400 Bad Request"));
        let start = Instant::now();
        let drip = async {
            while !peer.is_closed() {
                peer.send("more");
                sleep(Duration::from_millis(100)).await;
            }
        };
        drip.await;
        let took = start.elapsed();
        assert!((secs(2)..Duration::from_millis(2200)).contains(&took), "{took:?}");
        Ok(())
    });
}

#[test]
fn a_client_that_sends_a_lot_keeps_its_answer() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, handler(&Event::new()), timed()).connect();
        peer.send("nonsense\r\n\r\n");
        for _ in 0..20 {
            peer.send(vec![b'x'; 1024 * 1024]);
            turns(10).await;
        }
        assert!(!peer.is_closed() && !peer.is_reset());
        assert_eq!(text(peer.read_to_end().await), refusal("400 Bad Request"));
        peer.close_write();
        peer.closed().await;
        assert!(!peer.is_reset());
        Ok(())
    });
}

#[test]
fn time_outs_beyond_what_a_clock_can_count_never_pass() {
    paused(async |nursery| {
        let never = Duration::MAX;
        let config = config().head_timeout(never).keep_alive_timeout(never).body_timeout(never).write_timeout(never);
        let event = Event::new();
        let server = serve_http(&nursery, handler(&event), config);
        let (silent, idle, body, large) = (server.connect(), server.connect(), server.connect(), server.connect());
        idle.send(get("/"));
        body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
        large.set_capacity(0);
        large.send(get("/large"));
        assert_eq!(text(idle.read().await), answer(""));
        sleep(secs(80_000)).await;
        assert!([&silent, &idle, &body, &large].iter().all(|peer| !peer.is_closed()));
        assert_eq!(server.stats().n_connections, 4);
        Ok(())
    });
}

#[test]
fn no_timer_of_a_connection_outlives_it() {
    paused(async |nursery| {
        let log = Log::default();
        let server = serve_http(&nursery, handler(&Event::new()), timed());
        for _ in 0..10 {
            let peer = server.connect();
            peer.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            log.say(text(peer.read_to_end().await));
        }
        assert!(log.words().iter().all(|all| *all == last_answer("")));
        let before = Instant::now();
        // With no timer left but this one, the clock jumps once.
        sleep(secs(3600)).await;
        assert_eq!(before.elapsed(), secs(3600));
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}
