//! Handlers that ask another server, which breaks off: nobody's fault that has sent a request here.

#![cfg(all(feature = "http1", feature = "testing"))]

mod scripted;
mod stage;

use bytes::Bytes;
use foster::http::{BodyError, HttpError, Response};
use foster::http1::Client;
use foster::testing::serve_http;
use foster::{Nursery, Request, Result};
use scripted::Peer;
use stage::{config, get, real, reports_of, text};

const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel";
const BROKEN: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhelXX";
const LATIN_1: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n";

/// Asks a server that answers as `sent`, in the way that the path says.
async fn ask(nursery: Nursery, request: Request, sent: Bytes) -> Result<Response> {
    let (port, thread) = scripted::start(move |peer: &mut Peer| drop(peer.answer(&sent)));
    let client = Client::connect(&nursery, format!("http://127.0.0.1:{port}")).await?;
    let mut response = client.get("/").await?;
    let answer = match request.path() {
        "/pass-on" => return Ok(Response::bytes(response.into_body())),
        "/small" => {
            response.body_mut().set_limit(Some(2));
            Response::bytes(response.bytes().await?)
        }
        "/text" => Response::text(response.text().await?),
        _ => Response::bytes(response.bytes().await?),
    };
    thread.join().expect("the script");
    Ok(answer)
}

/// What a client gets, and what is reported.
fn outcome(path: &str, sent: impl Into<Bytes>) -> (String, Vec<String>) {
    let sent = sent.into();
    let mut outcome = None;
    real(async |nursery| {
        let reports = reports_of(&nursery);
        let children = nursery.clone();
        let handler = move |request: Request| ask(children.clone(), request, sent.clone());
        let server = serve_http(&nursery, handler, config());
        let peer = server.connect();
        peer.send(get(path));
        peer.close_write();
        let answer = text(peer.read_to_end().await);
        outcome = Some((answer, reports.words()));
        Ok(())
    });
    outcome.expect("an outcome")
}

#[test]
fn what_is_wrong_with_a_response_of_another_server_is_500_and_reported() {
    let latin_1 = [LATIN_1.as_bytes(), b"\xe9"].concat();
    for (path, sent, why) in [
        ("/", HALF.into(), "the peer went away before the end of the body"),
        ("/", BROKEN.into(), "the data of a chunk does not end in CRLF"),
        ("/small", HALF.into(), "the body is larger than 2 bytes"),
        ("/text", latin_1, "the body is not UTF-8"),
    ] {
        let (answer, reports) = outcome(path, sent);
        assert!(answer.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{path}: {answer}");
        assert_eq!(
            reports,
            [format!("a handler failed: the response of another server cannot be read: {why}")],
            "{path}"
        );
    }
}

#[test]
fn a_response_that_is_passed_on_and_breaks_off_is_cut_and_reported() {
    let (answer, reports) = outcome("/pass-on", HALF);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hel"), "{answer}");
    let why = "the response of another server cannot be read: the peer went away before the end of the body";
    assert_eq!(reports, [format!("a response could not be completed: {why}")]);
}

#[test]
fn the_error_says_what_is_wrong_with_which_body() {
    let err = BodyError::Response(Box::new(BodyError::Malformed(HttpError::ChunkEnd)));
    assert_eq!(err.status().as_u16(), 500);
    let source = std::error::Error::source(&err).and_then(|err| err.downcast_ref());
    assert_eq!(source, Some(&BodyError::Malformed(HttpError::ChunkEnd)));
}
