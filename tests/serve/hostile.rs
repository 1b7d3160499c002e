//! Clients that mean no good, while another is served.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use foster::http::Response;
use foster::{Config, Handler, Request, checkpoint};

use crate::served::{Served, ask, reset, until};

fn varied() -> impl Handler {
    |mut request: Request| async move {
        if request.path() == "/slow" {
            checkpoint().await;
        }
        foster::Ok(match request.path() {
            "/echo" => Response::text(request.into_body()),
            "/read" => Response::text(request.body_mut().bytes().await?.len().to_string()),
            path => Response::text(path.to_owned()),
        })
    }
}

/// Numbers that are the same in every run: xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

const GOOD: [&str; 6] = [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    "POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
    "PUT /ignore HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "GET /up HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: none\r\n\r\n",
];

/// Requests that are whole, broken by a byte, cut short, or no requests at all.
fn nonsense(numbers: &mut Numbers) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..1 + numbers.below(4) {
        let mut request = GOOD[numbers.below(GOOD.len())].as_bytes().to_vec();
        match numbers.below(4) {
            0 => {
                let at = numbers.below(request.len());
                request[at] = numbers.below(256) as u8;
            }
            1 => request.truncate(numbers.below(request.len())),
            2 if numbers.below(2) == 0 => request = (0..numbers.below(300)).map(|_| numbers.below(256) as u8).collect(),
            _ => {}
        }
        all.extend(request);
    }
    all
}

#[test]
fn whatever_some_send_and_however_they_go_another_is_served_correctly() {
    let config = Config::new().bind("127.0.0.1:0").body_timeout(Duration::from_millis(200));
    let config = config.head_timeout(Duration::from_millis(200)).keep_alive_timeout(Duration::from_millis(200));
    let served = Served::new(varied, config);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut open = Vec::new();
    for n in 0..600 {
        let mut client = served.connect();
        let bytes = nonsense(&mut numbers);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(1 + numbers.below(rest.len()));
            // The server may have closed already, and that is its right.
            let _ = client.write_all(piece);
            rest = behind;
        }
        match numbers.below(5) {
            0 => reset(client),
            1 => drop(client.shutdown(Shutdown::Write)),
            2 => {
                let _ = client.read(&mut [0; 100]);
            }
            3 => open.push(client),
            _ => {}
        }
        if n % 10 == 0 {
            let answer = ask(&mut served.connect(), &format!("/fine/{n}"));
            assert_eq!((answer.status, answer.body), (200, format!("/fine/{n}")));
        }
    }
    // Those that stay are closed by time-outs.
    until(|| served.server.stats().n_connections == 0);
    let stats = served.server.stats();
    assert_eq!((stats.n_requests, stats.n_failed), (0, 0), "{stats:?}");
    served.stop().unwrap();
}
