//! Every limit of a message through the server: its status, the end of the connection, and no report.

use foster::http::{Limits, Response};
use foster::testing::{Faults, serve_http};
use foster::{Request, Result};

use crate::stage::{answer, config, get, paused, refusal, reports_of, text, turns};

async fn read(mut request: Request) -> Result<Response> {
    Ok(Response::text(request.body_mut().text().await?))
}

fn chunked(rest: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{rest}")
}

#[test]
fn each_limit_has_its_status_and_closes_however_the_request_is_cut() {
    let limits = || {
        Limits::default()
            .max_request_line(40)
            .max_head_size(200)
            .max_headers(3)
            .max_body_size(Some(8))
            .max_chunk_extensions(6)
            .max_trailers_size(20)
    };
    let with_fields = |fields: &str| get("/").replace("\r\n\r\n", &format!("\r\n{fields}\r\n\r\n"));
    let cases = [
        (get(&format!("/{}", "x".repeat(40))), "414 URI Too Long"),
        (with_fields(&format!("A: {}", "x".repeat(200))), "431 Request Header Fields Too Large"),
        (with_fields("A: 1\r\nB: 2\r\nC: 3"), "431 Request Header Fields Too Large"),
        (chunked("9\r\n123456789\r\n0\r\n\r\n"), "413 Payload Too Large"),
        (chunked("4\r\n1234\r\n5\r\n12345\r\n0\r\n\r\n"), "413 Payload Too Large"),
        ("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n".to_owned(), "413 Payload Too Large"),
        (chunked("1;abcdefghi\r\nx\r\n0\r\n\r\n"), "400 Bad Request"),
        (chunked(&format!("0\r\nA: {}\r\n\r\n", "x".repeat(20))), "431 Request Header Fields Too Large"),
        (chunked("0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n"), "431 Request Header Fields Too Large"),
        ("GET / HTTP/2.0\r\nHost: x\r\n\r\n".to_owned(), "505 HTTP Version Not Supported"),
        (with_fields("Expect: more"), "417 Expectation Failed"),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_owned(), "501 Not Implemented"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "400 Bad Request"),
    ];
    for (request, status) in &cases {
        for n in [1, 7, usize::MAX] {
            paused(async |nursery| {
                let reports = reports_of(&nursery);
                let server = serve_http(&nursery, read, config().limits(limits()));
                let (peer, other) = (server.connect(), server.connect());
                peer.inject(Faults::new().split_reads(n));
                peer.send([&get("/"), &request[..], &get("/")].concat());
                let expected = [answer(""), refusal(status)].concat();
                assert_eq!(text(peer.read_to_end().await), expected, "cut every {n} bytes: {request}");
                turns(3).await;
                assert!(!peer.is_reset(), "{request}");
                other.send(get("/"));
                assert_eq!(text(other.read().await), answer(""));
                assert_eq!((reports.len(), server.stats().n_failed), (0, 0));
                Ok(())
            });
        }
    }
}

#[test]
fn what_stays_within_every_limit_is_served() {
    paused(async |nursery| {
        let limits = Limits::default()
            .max_request_line(17)
            .max_head_size(56)
            .max_headers(2)
            .max_body_size(Some(8))
            .max_chunk_extensions(2)
            .max_trailers_size(8);
        let peer = serve_http(&nursery, read, config().limits(limits)).connect();
        peer.send([chunked("8;a\r\n12345678\r\n0\r\nA: 1\r\n\r\n"), get("/")].concat());
        let expected = [answer("12345678"), answer("")].concat();
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        Ok(())
    });
}
