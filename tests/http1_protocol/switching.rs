//! Connections that are given away: upgrades and tunnels.

use std::cell::RefCell;
use std::rc::Rc;

use foster::http::{HeaderList, HeaderValue, Response, StatusCode, header};
use foster::testing::serve_http;
use foster::{Error, Handler, Protocol, Request, Result, TransportRef, Upgraded, checkpoint};

use crate::stage::{Log, answer, config, get, paused, reports_of, text, turns};

/// Sends back what it gets, and says what it is told.
struct Loud {
    log: Log,
    transport: TransportRef,
}

impl Protocol for Loud {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.log.say("made");
        self.transport = transport;
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        if data == b"fail" {
            return Err(Error::msg("as asked"));
        }
        self.transport.write(&data.to_ascii_uppercase())
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.log.say("eof");
        Ok(false)
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.log.say(exc.map_or("lost".to_owned(), |err| format!("lost: {err}")));
        Ok(())
    }
}

fn upgrading(log: &Log) -> impl Handler + use<> {
    let log = log.clone();
    move |request: Request| {
        let log = log.clone();
        async move {
            if request.path() == "/late" {
                checkpoint().await;
                checkpoint().await;
            }
            if request.path() == "/no" {
                return foster::Ok(Response::text("no"));
            }
            let is_connect = *request.method() == foster::http::Method::CONNECT;
            let upgraded: Upgraded = if is_connect {
                request.connect(&HeaderList::new())?
            } else {
                let mut headers = HeaderList::new();
                headers.append(header::UPGRADE, HeaderValue::from_static("loud"));
                request.upgrade(&headers)?
            };
            upgraded.set_protocol(Loud { log, transport: TransportRef::default() })?;
            Ok(Response::text("never sent"))
        }
    }
}

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: loud\r\n\r\n";
const CONNECTED: &str = "HTTP/1.1 200 OK\r\n\r\n";
const CONNECT: &str = "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n";

fn upgrade(path: &str) -> String {
    get(path).replace("\r\n\r\n", "\r\nConnection: upgrade\r\nUpgrade: loud\r\n\r\n")
}

#[test]
fn an_upgrade_hands_over_the_connection_with_what_came_too_early() {
    paused(async |nursery| {
        for path in ["/", "/late"] {
            let log = Log::default();
            let server = serve_http(&nursery, upgrading(&log), config());
            let peer = server.connect();
            peer.send([&upgrade(path), "early "].concat());
            turns(1).await;
            peer.send("later");
            let expected = [SWITCHED, "EARLY LATER"].concat();
            assert_eq!(text(peer.read_exactly(expected.len()).await), expected, "{path}");
            peer.send("GET / HTTP/1.1\r\n");
            assert_eq!(text(peer.read().await), "GET / HTTP/1.1\r\n");
            assert_eq!(server.stats().n_requests, 0, "the request is over");
            peer.close_write();
            peer.closed().await;
            assert_eq!(log.words(), ["made", "eof", "lost"]);
        }
        Ok(())
    });
}

#[test]
fn connect_opens_a_tunnel() {
    paused(async |nursery| {
        let log = Log::default();
        let peer = serve_http(&nursery, upgrading(&log), config()).connect();
        peer.send([CONNECT, "early"].concat());
        let expected = [CONNECTED, "EARLY"].concat();
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        peer.reset();
        turns(5).await;
        assert_eq!(log.words(), ["made", "lost: connection reset"]);
        Ok(())
    });
}

#[test]
fn a_protocol_is_told_that_the_client_had_ended_its_stream_before() {
    paused(async |nursery| {
        for request in [CONNECT, &upgrade("/late")] {
            let log = Log::default();
            let peer = serve_http(&nursery, upgrading(&log), config()).connect();
            peer.send([request, "all"].concat());
            peer.close_write();
            let all = text(peer.read_to_end().await);
            assert!(all.ends_with("\r\n\r\nALL"), "{all}");
            peer.closed().await;
            assert_eq!(log.words(), ["made", "eof", "lost"]);
        }
        Ok(())
    });
}

#[test]
fn a_protocol_that_fails_with_the_first_bytes_aborts_the_connection() {
    paused(async |nursery| {
        let (log, reports) = (Log::default(), reports_of(&nursery));
        let peer = serve_http(&nursery, upgrading(&log), config()).connect();
        peer.send([&upgrade("/"), "fail"].concat());
        peer.closed().await;
        turns(2).await;
        assert_eq!(log.words(), ["made", "lost: as asked"]);
        assert_eq!(reports.words(), ["a handler failed: as asked"]);
        Ok(())
    });
}

#[test]
fn an_upgrade_that_is_not_taken_up_is_answered_as_any_request() {
    paused(async |nursery| {
        let log = Log::default();
        let peer = serve_http(&nursery, upgrading(&log), config()).connect();
        peer.send([upgrade("/no"), upgrade("/no"), get("/no"), upgrade("/"), "x".to_owned()].concat());
        let expected = [&answer("no").repeat(3), SWITCHED, "X"].concat();
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        Ok(())
    });
}

#[test]
fn a_connection_that_nobody_takes_up_is_closed() {
    paused(async |nursery| {
        let handler = async |request: Request| {
            let upgraded = request.upgrade(&HeaderList::new())?;
            assert_eq!(&upgraded.leftover()[..], b"early");
            drop(upgraded);
            foster::Ok(StatusCode::OK)
        };
        let server = serve_http(&nursery, handler, config());
        let peer = server.connect();
        peer.send([&upgrade("/"), "early"].concat());
        let all = text(peer.read_to_end().await);
        assert_eq!(all, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n");
        peer.closed().await;
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}

#[test]
fn the_parts_of_a_connection_can_be_taken_with_reading_paused() {
    paused(async |nursery| {
        let parts = Rc::new(RefCell::new(None));
        let handler = {
            let parts = parts.clone();
            move |request: Request| {
                let parts = parts.clone();
                async move {
                    parts.replace(Some(request.connect(&HeaderList::new())?.into_parts()));
                    foster::Ok(StatusCode::OK)
                }
            }
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        peer.send([CONNECT, "early"].concat());
        assert_eq!(text(peer.read().await), CONNECTED);
        peer.send("not lost");
        turns(5).await;
        let (transport, leftover) = parts.take().expect("the handler ran");
        assert_eq!(&leftover[..], b"early");
        assert!(!transport.is_reading() && !transport.is_closing());
        let log = Log::default();
        transport.set_protocol(Loud { log, transport: transport.clone() });
        transport.resume_reading();
        assert_eq!(text(peer.read().await), "NOT LOST");
        Ok(())
    });
}

#[test]
fn a_switch_that_cannot_be_is_an_error_of_the_handler_and_the_connection_goes_on() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let peer = serve_http(&nursery, upgrading(&Log::default()), config()).connect();
        // Its body has not come: what follows would be taken for the other protocol.
        peer.send("POST / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: loud\r\nContent-Length: 4\r\n\r\n");
        let all = text(peer.read().await);
        assert!(all.starts_with("HTTP/1.1 500 "), "{all}");
        peer.send(["body", &get("/no")].concat());
        assert_eq!(text(peer.read().await), answer("no"));
        assert_eq!(reports.len(), 1);
        Ok(())
    });
}

#[test]
fn a_tunnel_that_is_refused_is_answered_as_any_request() {
    paused(async |nursery| {
        let handler = async |_: Request| Response::new(StatusCode::FORBIDDEN);
        let peer = serve_http(&nursery, handler, config()).connect();
        peer.send([CONNECT, &get("/")].concat());
        let forbidden = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(text(peer.read_exactly(2 * forbidden.len()).await), forbidden.repeat(2));
        // Told that its tunnel is open, a client sends no more requests.
        let peer = serve_http(&nursery, async |_: Request| "open?", config()).connect();
        peer.send([CONNECT, &get("/")].concat());
        let all = text(peer.read_to_end().await);
        assert!(all.starts_with("HTTP/1.1 200 OK\r\n") && all.matches("HTTP/1.1").count() == 1, "{all}");
        Ok(())
    });
}

#[test]
fn a_server_that_stops_leaves_an_upgraded_connection_to_its_protocol() {
    paused(async |nursery| {
        let server = serve_http(&nursery, upgrading(&Log::default()), config());
        let peer = server.connect();
        peer.send(upgrade("/"));
        assert_eq!(text(peer.read().await), SWITCHED);
        server.shutdown();
        peer.send("still here");
        assert_eq!(text(peer.read().await), "STILL HERE");
        Ok(())
    });
}
