//! What only a real socket shows: resets, half-closed streams, and answers to who is still sending.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use bytes::Bytes;
use foster::http::{Response, ResponseBody, StatusCode};
use foster::{Config, Error, Handler, Request, sleep};
use futures::stream;

use crate::served::{Served, reset, say, until};

fn varied() -> impl Handler {
    |mut request: Request| async move {
        match request.path() {
            "/read" => foster::Ok(Response::text(request.body_mut().bytes().await?.len().to_string())),
            "/echo" => Ok(Response::text(request.into_body())),
            "/slow" => {
                sleep(Duration::from_millis(20)).await;
                Ok(Response::text("slow"))
            }
            "/broken" => {
                let chunks = [Ok(Bytes::from_static(b"half")), Err(Error::msg("broken"))];
                Ok(Response::text(ResponseBody::stream(stream::iter(chunks))))
            }
            _ => Ok(Response::new(StatusCode::NOT_FOUND)),
        }
    }
}

fn served() -> Served {
    Served::new(varied, Config::new().bind("127.0.0.1:0"))
}

#[test]
fn a_half_closed_client_gets_all_of_its_answers() {
    let served = served();
    let mut client = served.connect();
    client.write_all("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3).as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut all = String::new();
    client.read_to_string(&mut all).unwrap();
    assert_eq!(all.matches("\r\n\r\nslow").count(), 3, "{all}");
    served.stop().unwrap();
}

#[test]
fn who_sends_on_gets_the_whole_answer_that_was_ahead() {
    let served = served();
    for framing in
        ["Content-Length: 800000", "Transfer-Encoding: chunked", "Connection: close\r\nContent-Length: 99999"]
    {
        for _ in 0..20 {
            let mut client = served.connect();
            write!(client, "POST /nowhere HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n").unwrap();
            // What is sent goes into the buffers, past an answer that nobody reads yet.
            for _ in 0..60 {
                if client.write_all(&[b'5'; 1000]).is_err() {
                    break;
                }
            }
            let mut all = Vec::new();
            client.read_to_end(&mut all).unwrap_or_else(|err| panic!("{framing}: {err}"));
            // As chunks it is nonsense, which is found out first if it comes with the head.
            let status = all.get(9..12).unwrap_or_default();
            assert!(
                status == b"404" || status == b"400" && framing.ends_with("chunked"),
                "{framing}: {}",
                String::from_utf8_lossy(&all)
            );
        }
    }
    served.stop().unwrap();
}

#[test]
fn a_stream_to_http_1_0_that_fails_ends_with_a_reset() {
    let served = served();
    let mut client = served.connect();
    client.write_all(b"GET /broken HTTP/1.0\r\n\r\n").unwrap();
    let mut all = Vec::new();
    let err = client.read_to_end(&mut all).expect_err("an end would look like the whole body");
    assert_eq!(err.kind(), ErrorKind::ConnectionReset);
    let answer = say(&mut served.connect(), "GET /broken HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(
        (answer.status, &*answer.body),
        (200, "4\r\nhalf\r\n"),
        "a chunked one says by itself that it is not over"
    );
    served.stop().unwrap();
}

#[test]
fn a_large_echo_comes_back_whole_over_buffers_of_any_size() {
    let served = served();
    let n = 3_000_000;
    let mut client = served.connect();
    let mut writer = client.try_clone().unwrap();
    let body: Vec<u8> = (0..n).map(|n| (n % 251) as u8).collect();
    let sent = body.clone();
    let writing = std::thread::spawn(move || {
        write!(writer, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {n}\r\n\r\n").unwrap();
        writer.write_all(&sent).unwrap();
    });
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    writing.join().unwrap();
    assert!(all.ends_with(&body), "{} of {n} bytes", all.len());
    served.stop().unwrap();
}

#[test]
fn a_client_that_resets_half_way_leaves_the_others_alone() {
    let served = served();
    let mut stays = served.connect();
    stays.write_all(b"POST /read HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbo").unwrap();
    for begun in [
        "GET /sl",
        "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
    ] {
        let mut goes = served.connect();
        goes.write_all(begun.as_bytes()).unwrap();
        reset(goes);
    }
    let answer = say(&mut stays, "dy");
    assert_eq!((answer.status, &*answer.body), (200, "4"));
    until(|| served.server.stats().n_connections == 0);
    // Its handlers are cancelled behind that.
    until(|| served.server.stats().n_requests == 0);
    served.stop().unwrap();
}
