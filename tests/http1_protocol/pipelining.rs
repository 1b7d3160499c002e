//! Requests in a row: one write for what came together, in order, and never more than a bound.

use std::cell::Cell;
use std::rc::Rc;

use foster::http::Response;
use foster::testing::{Faults, serve_http};
use foster::{Event, Request, dump};

use crate::stage::{Log, answer, config, get, last_answer, paused, text, turns};

async fn path(request: Request) -> Response {
    Response::text(request.path().to_owned())
}

#[test]
fn requests_of_one_read_are_answered_in_order_with_one_write() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, path, config()).connect();
        peer.send([get("/1"), get("/2"), get("/3")].concat());
        let expected = [answer("/1"), answer("/2"), answer("/3")].concat();
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        assert_eq!(peer.n_writes(), 1);
        Ok(())
    });
}

#[test]
fn what_is_complete_is_answered_though_more_has_begun() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, path, config()).connect();
        let second = get("/second");
        let (begin, end) = second.split_at(10);
        peer.send([&get("/first"), begin].concat());
        assert_eq!(text(peer.read().await), answer("/first"));
        peer.send(end);
        assert_eq!(text(peer.read().await), answer("/second"));
        assert_eq!(peer.n_writes(), 2);
        Ok(())
    });
}

#[test]
fn requests_are_answered_however_they_are_cut() {
    paused(async |nursery| {
        for n in [1, 2, 3, 7, 40] {
            let peer = serve_http(&nursery, path, config()).connect();
            peer.inject(Faults::new().split_reads(n).split_writes(n + 1));
            peer.send([get("/1"), get("/2"), get("/3")].concat());
            let expected = [answer("/1"), answer("/2"), answer("/3")].concat();
            assert_eq!(text(peer.read_exactly(expected.len()).await), expected, "cut every {n} bytes");
        }
        Ok(())
    });
}

#[test]
fn a_handler_that_is_ready_at_once_becomes_no_task_and_one_that_waits_becomes_one() {
    paused(async |nursery| {
        let trees = Log::default();
        let handler = {
            let trees = trees.clone();
            move |request: Request| {
                let trees = trees.clone();
                async move {
                    if request.path() == "/waits" {
                        turns(1).await;
                    }
                    trees.say(dump());
                    Response::text("")
                }
            }
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        turns(3).await;
        let idle = dump();
        peer.send([get("/"), get("/")].concat());
        peer.read().await;
        peer.send(get("/waits"));
        peer.read().await;
        let trees = trees.words();
        assert_eq!(trees[..2], [idle.clone(), idle.clone()]);
        assert_eq!(trees[2].lines().count(), idle.lines().count() + 1, "{}", trees[2]);
        assert_eq!(dump(), idle, "the task of the request is gone");
        Ok(())
    });
}

#[test]
fn a_handler_that_waits_holds_the_requests_behind_it() {
    paused(async |nursery| {
        let (log, event) = (Log::default(), Event::new());
        let handler = {
            let (log, event) = (log.clone(), event.clone());
            move |request: Request| {
                let (log, event) = (log.clone(), event.clone());
                async move {
                    log.say(request.path());
                    if request.path() == "/slow" {
                        event.wait().await;
                    }
                    Response::text(request.path().to_owned())
                }
            }
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        peer.send([get("/first"), get("/slow"), get("/third")].concat());
        assert_eq!(text(peer.read().await), answer("/first"), "what was ready did not wait for the slow one");
        peer.send(get("/fourth"));
        turns(5).await;
        assert_eq!(log.words(), ["/first", "/slow"]);
        event.set();
        let expected = [answer("/slow"), answer("/third"), answer("/fourth")].concat();
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        assert_eq!(log.words(), ["/first", "/slow", "/third", "/fourth"]);
        Ok(())
    });
}

#[test]
fn reading_stops_once_16_kib_are_held_and_goes_on_behind_the_answer() {
    paused(async |nursery| {
        let (event, transport) = (Event::new(), Rc::new(Cell::new(None)));
        let handler = {
            let (event, transport) = (event.clone(), transport.clone());
            move |request: Request| {
                let (event, transport) = (event.clone(), transport.clone());
                async move {
                    if request.path() == "/slow" {
                        transport.set(Some(request.transport()));
                        event.wait().await;
                    }
                    Response::text("")
                }
            }
        };
        let peer = serve_http(&nursery, handler, config().keep_alive_max_requests(u32::MAX)).connect();
        peer.send(get("/slow"));
        turns(5).await;
        let transport = transport.take().expect("the handler runs");
        let one = get(&format!("/{}", "x".repeat(1000)));
        let n_fit = 16 * 1024 / one.len();
        peer.send(one.repeat(n_fit));
        turns(5).await;
        assert!(transport.is_reading(), "up to 16 KiB are held");
        peer.send(&one);
        turns(5).await;
        assert!(!transport.is_reading(), "beyond 16 KiB nothing is read");
        // A wire in memory takes everything; none of it is read.
        peer.send(one.repeat(1000));
        turns(50).await;
        assert!(!transport.is_reading());
        event.set();
        let n_all = answer("").len() * (n_fit + 1002);
        assert_eq!(peer.read_exactly(n_all).await.len(), n_all);
        assert!(transport.is_reading());
        Ok(())
    });
}

#[test]
fn a_client_that_never_reads_its_answers_is_read_no_further() {
    const N: usize = 20_000;
    paused(async |nursery| {
        let n_called = Rc::new(Cell::new(0));
        let handler = {
            let n_called = n_called.clone();
            move |_: Request| {
                n_called.set(n_called.get() + 1);
                async { Response::text("x".repeat(1000)) }
            }
        };
        let config = config().keep_alive_max_requests(u32::MAX);
        let peer = serve_http(&nursery, handler, config).connect();
        peer.set_capacity(0);
        peer.send(get("/").repeat(N));
        turns(200).await;
        let n_before = n_called.get();
        // 64 KiB of answers that were not written yet, and what a transport keeps before it says stop, 64 KiB.
        assert!((50..200).contains(&n_before), "{n_before} requests were answered for nobody");
        turns(200).await;
        assert_eq!(n_called.get(), n_before);
        peer.set_capacity(1024 * 1024);
        let n_all = answer("x".repeat(1000)).len() * N;
        assert_eq!(peer.read_exactly(n_all).await.len(), n_all);
        assert_eq!(n_called.get(), N);
        Ok(())
    });
}

#[test]
fn many_answers_of_one_read_go_out_64_kib_at_a_time() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, |_: Request| async { Response::text("x".repeat(1000)) }, config()).connect();
        peer.send(get("/").repeat(200));
        let n_all = answer("x".repeat(1000)).len() * 200;
        peer.read_exactly(n_all).await;
        let n_writes = peer.n_writes();
        assert!((3..=5).contains(&n_writes), "{n_writes} writes for {n_all} bytes");
        Ok(())
    });
}

#[test]
fn large_bodies_go_out_with_their_heads_in_one_write() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, |_: Request| async { Response::text("x".repeat(20_000)) }, config()).connect();
        peer.send(get("/").repeat(3));
        let expected = answer("x".repeat(20_000)).repeat(3);
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        assert_eq!(peer.n_writes(), 1);
        Ok(())
    });
}

#[test]
fn the_last_request_that_a_connection_may_have_is_answered_with_close_and_what_follows_is_not() {
    paused(async |nursery| {
        let peer = serve_http(&nursery, path, config().keep_alive_max_requests(2)).connect();
        peer.send([get("/1"), get("/2"), get("/3")].concat());
        assert_eq!(text(peer.read_to_end().await), [answer("/1"), last_answer("/2")].concat());
        Ok(())
    });
}

#[test]
fn requests_behind_one_that_closes_are_thrown_away() {
    paused(async |nursery| {
        let log = Log::default();
        let handler = {
            let log = log.clone();
            move |request: Request| {
                log.say(request.path());
                async { Response::text("bye") }
            }
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        peer.send(["GET /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &get("/2")].concat());
        assert_eq!(text(peer.read_to_end().await), last_answer("bye"));
        assert_eq!(log.words(), ["/1"]);
        assert!(!peer.is_reset());
        Ok(())
    });
}
