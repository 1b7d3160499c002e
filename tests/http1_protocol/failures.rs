//! Handlers that fail, panic, or answer what cannot be sent.

use bytes::Bytes;
use foster::http::{HeaderValue, IntoResponse, Response, ResponseBody, StatusCode, header};
use foster::testing::serve_http;
use foster::{Error, Request, Result, checkpoint};
use futures::{StreamExt, stream};

use crate::stage::{answer, config, failure, get, paused, post, reports_of, text, turns};

/// Panics when a response is made of it.
struct Grumpy;

impl IntoResponse for Grumpy {
    fn into_response(self) -> Result<Response> {
        panic!("not today")
    }
}

async fn fail(request: Request) -> Result<Response> {
    match request.path() {
        "/late" => {
            checkpoint().await;
            Err(Error::msg("later on"))
        }
        "/early" => Err(Error::msg("at once")),
        "/panic" => panic!("of {}", "a handler"),
        "/late-panic" => {
            checkpoint().await;
            panic!("after a while")
        }
        "/grumpy" => Grumpy.into_response(),
        path => Ok(Response::text(path.to_owned())),
    }
}

const FAILED: &str = "500 Internal Server Error";
const PANICKED: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";

#[test]
fn a_handler_that_fails_is_500_and_reported_and_the_connection_goes_on() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let server = serve_http(&nursery, fail, config());
        let peer = server.connect();
        peer.send([get("/early"), get("/late"), get("/fine")].concat());
        let expected = [failure(FAILED), failure(FAILED), answer("/fine")].concat();
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        assert_eq!(reports.words(), ["a handler failed: at once", "a handler failed: later on"]);
        let stats = server.stats();
        assert_eq!((stats.n_failed, stats.n_cancelled, stats.n_requests, stats.n_requests_total), (2, 0, 0, 3));
        Ok(())
    });
}

#[test]
fn a_handler_that_panics_is_500_and_reported_and_the_connection_goes_on() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let server = serve_http(&nursery, fail, config());
        let peer = server.connect();
        peer.send([get("/panic"), get("/late-panic"), get("/grumpy"), get("/fine")].concat());
        let expected = [&PANICKED.repeat(3), &answer("/fine")[..]].concat();
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        let said =
            ["of a handler", "after a while", "not today"].map(|said| format!("a handler panicked: panicked: {said}"));
        assert_eq!(reports.words(), said);
        assert_eq!((server.stats().n_failed, server.stats().n_cancelled), (3, 0));
        Ok(())
    });
}

#[test]
fn a_handler_that_panics_before_it_gives_a_future_is_500_all_the_same() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let handler = |request: Request| {
            assert!(request.path() != "/panic", "in the call");
            async { "fine" }
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        peer.send([get("/panic"), get("/")].concat());
        let expected = [PANICKED, &answer("fine")].concat();
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        assert_eq!(reports.words(), ["a handler panicked: panicked: in the call"]);
        Ok(())
    });
}

#[test]
fn an_error_of_the_body_is_answered_with_its_status_and_not_reported() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let handler = async |mut request: Request| {
            request.body_mut().set_limit(Some(3));
            foster::Ok(request.body_mut().text().await?)
        };
        let server = serve_http(&nursery, handler, config());
        let peer = server.connect();
        peer.send([post("/", "1234"), post("/", "123"), post("/", "\u{fe}")].concat());
        let peer_text = [failure("413 Payload Too Large"), answer("123"), answer("\u{fe}")].concat();
        assert_eq!(text(peer.read_exactly(peer_text.len()).await), peer_text);
        peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n\xff");
        assert_eq!(text(peer.read().await), failure("400 Bad Request"));
        assert_eq!(reports.words(), [""; 0]);
        assert_eq!(server.stats().n_failed, 0);
        Ok(())
    });
}

// ---- in the middle of a response

fn pieces_then(last: Result<&'static str>) -> ResponseBody {
    let chunks = [Ok("one"), Ok("two"), last].map(|piece| piece.map(Bytes::from));
    ResponseBody::stream(stream::iter(chunks))
}

#[test]
fn an_error_in_the_middle_of_a_stream_cuts_the_connection_without_an_end() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let handler = async |_: Request| Response::text(pieces_then(Err(Error::msg("broken"))));
        let server = serve_http(&nursery, handler, config());
        let peer = server.connect();
        peer.send([get("/"), get("/")].concat());
        let all = text(peer.read_to_end().await);
        assert!(all.ends_with("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n"), "{all}");
        assert_eq!(all.matches("HTTP/1.1").count(), 1);
        assert_eq!(reports.words(), ["a response could not be completed: broken"]);
        let stats = server.stats();
        assert_eq!((stats.n_failed, stats.n_cancelled, stats.n_requests), (1, 0, 0));
        Ok(())
    });
}

#[test]
fn a_panic_in_the_middle_of_a_stream_cuts_the_connection_and_nobody_elses() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let handler = async |request: Request| {
            if request.path() == "/fine" {
                return Response::text("fine");
            }
            let chunks = stream::iter(0..3).then(|n| async move {
                if n > 0 {
                    checkpoint().await;
                }
                assert!(n < 2, "no third piece");
                foster::Ok(Bytes::from_static(b"piece"))
            });
            Response::text(ResponseBody::stream(chunks))
        };
        let server = serve_http(&nursery, handler, config());
        let (peer, other) = (server.connect(), server.connect());
        peer.send(get("/"));
        let all = text(peer.read_to_end().await);
        assert!(all.ends_with("\r\n\r\n5\r\npiece\r\n5\r\npiece\r\n"), "{all}");
        other.send(get("/fine"));
        assert_eq!(text(other.read().await), answer("fine"));
        let stats = server.stats();
        assert_eq!((stats.n_failed, stats.n_cancelled, stats.n_requests, stats.n_connections), (1, 0, 0, 1));
        assert_eq!(reports.len(), 1);
        assert!(reports.words()[0].contains("no third piece"), "{:?}", reports.words());
        Ok(())
    });
}

#[test]
fn an_echo_of_a_body_that_breaks_off_is_cut_and_not_reported() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let server = serve_http(&nursery, async |request: Request| Response::text(request.into_body()), config());
        for broken in ["3\r\nabc\r\nno size\r\n", "3\r\nabc\r\n8\r\nhalf"] {
            let peer = server.connect();
            peer.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
            turns(5).await;
            peer.send(broken);
            peer.close_write();
            let all = text(peer.read_to_end().await);
            assert!(all.contains("\r\nabc") && !all.contains("\r\n0\r\n"), "{all}");
        }
        assert_eq!(reports.words(), [""; 0]);
        assert_eq!((server.stats().n_failed, server.stats().n_connections), (0, 0));
        Ok(())
    });
}

#[test]
fn a_stream_of_another_length_than_it_said_is_cut_and_reported() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        for (length, sent) in [(7, "onetwo"), (5, "one")] {
            let handler = move |_: Request| async move {
                let chunks = ["one", "two"].map(|piece| foster::Ok(Bytes::from(piece)));
                Response::text(ResponseBody::sized_stream(length, stream::iter(chunks)))
            };
            let server = serve_http(&nursery, handler, config());
            let peer = server.connect();
            peer.send(get("/"));
            let all = text(peer.read_to_end().await);
            assert!(
                all.contains(&format!("content-length: {length}\r\n")) && all.ends_with(&format!("\r\n\r\n{sent}"))
            );
            assert_eq!(server.stats().n_failed, 1);
        }
        let said = ["the body ended before its declared length", "the body is longer than it was declared"];
        for (report, said) in reports.words().iter().zip(said) {
            assert!(report.starts_with(&format!("a response could not be completed: {said}")), "{report}");
        }
        assert_eq!(reports.len(), 2);
        Ok(())
    });
}

// ---- what cannot be sent

#[test]
fn a_response_that_contradicts_itself_is_500_and_reported() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let handler = async |request: Request| match request.path() {
            "/length" => Response::text("four").header(header::CONTENT_LENGTH, HeaderValue::from_static("5")),
            "/no-number" => Response::text("four").header(header::CONTENT_LENGTH, HeaderValue::from_static("+4")),
            _ => Response::new(StatusCode::CONTINUE),
        };
        for path in ["/length", "/no-number", "/status"] {
            let peer = serve_http(&nursery, handler, config()).connect();
            peer.send(get(path));
            let all = text(peer.read_to_end().await);
            assert!(all.starts_with("HTTP/1.1 500 ") && all.contains("connection: close\r\n"), "{all}");
        }
        assert_eq!(reports.len(), 3);
        assert!(reports.words().iter().all(|report| report.starts_with("a response was refused: ")));
        Ok(())
    });
}
