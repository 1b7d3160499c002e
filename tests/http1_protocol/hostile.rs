//! Whatever clients send, and however they go: nothing spins, nothing stays, and another is served correctly.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use foster::http::{Body, Limits, Response, ResponseBody, StatusCode};
use foster::testing::{Faults, serve_http};
use foster::{Error, Handler, Request, checkpoint, sleep};
use futures::{StreamExt, stream};

use crate::stage::{answer, config, get, paused, reports_of, text, turns};

/// Every kind of handler there is, the bad ones included.
fn varied(kept: &Rc<RefCell<Vec<Body>>>) -> impl Handler + use<> {
    let kept = kept.clone();
    move |mut request: Request| {
        let kept = kept.clone();
        async move {
            Ok(match request.path() {
                "/echo" => Response::bytes(request.into_body()),
                "/read" => Response::text(request.body_mut().text().await?),
                "/keep" => {
                    kept.borrow_mut().push(request.into_body());
                    Response::text("kept")
                }
                "/late" => {
                    sleep(Duration::from_millis(1)).await;
                    Response::text("late")
                }
                "/half" => {
                    let first = request.body_mut().chunk().await?;
                    Response::text(format!("{first:?}"))
                }
                "/fail" => return Err(Error::msg("as asked")),
                "/broken" => {
                    let pieces = [Ok("half"), Err(Error::msg("as asked"))].map(|piece| piece.map(Bytes::from));
                    Response::text(ResponseBody::stream(stream::iter(pieces)))
                }
                "/stream" => {
                    let pieces = stream::iter(0..30).then(|_| async {
                        checkpoint().await;
                        foster::Ok(Bytes::from_static(&[b'x'; 9000]))
                    });
                    Response::text(ResponseBody::stream(pieces))
                }
                "/none" => Response::new(StatusCode::NO_CONTENT),
                path => Response::text(path.to_owned()),
            })
        }
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

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// A request that is whole, or broken by a byte, or cut short.
    fn request(&mut self) -> Vec<u8> {
        let method = self.one_of(&["GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS"]);
        let path =
            self.one_of(&["/echo", "/read", "/keep", "/late", "/half", "/fail", "/broken", "/stream", "/none", "/"]);
        let version = self.one_of(&["1.1", "1.1", "1.1", "1.0"]);
        let connection = self.one_of(&["", "", "Connection: close\r\n", "Connection: upgrade\r\nUpgrade: x\r\n"]);
        let expect = self.one_of(&["", "", "Expect: 100-continue\r\n"]);
        let body = self.one_of(&[
            "\r\n",
            "Content-Length: 5\r\n\r\nhello",
            "Content-Length: 300000\r\n\r\nnever all of it",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nz\r\n",
        ]);
        let request = format!("{method} {path} HTTP/{version}\r\nHost: x\r\n{connection}{expect}{body}");
        let mut request = request.into_bytes();
        match self.below(6) {
            0 => {
                let at = self.below(request.len());
                request[at] = self.below(256) as u8;
            }
            1 => request.truncate(self.below(request.len())),
            _ => {}
        }
        request
    }
}

#[test]
fn whatever_they_send_and_however_they_go_nothing_spins_and_nothing_stays() {
    paused(async |nursery| {
        let _reports = reports_of(&nursery);
        let kept = Rc::default();
        let limits = Limits::default().max_body_size(Some(1_000_000));
        let server = serve_http(&nursery, varied(&kept), config().limits(limits));
        let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
        let mut open = Vec::new();
        for n in 0..2000 {
            let peer = server.connect();
            let faults = Faults::new().split_reads(1 + numbers.below(400)).split_writes(1 + numbers.below(30_000));
            peer.inject(faults);
            if numbers.below(3) == 0 {
                peer.set_capacity(numbers.below(20_000));
            }
            let all: Vec<u8> = (0..1 + numbers.below(5)).flat_map(|_| numbers.request()).collect();
            let (begin, end) = all.split_at(numbers.below(all.len() + 1));
            peer.send(begin);
            turns(numbers.below(6)).await;
            peer.send(end);
            turns(numbers.below(6)).await;
            match numbers.below(6) {
                0 => peer.reset(),
                1 => peer.close(),
                2 => {
                    peer.close_write();
                    open.push(peer);
                }
                3 => {
                    peer.received();
                    open.push(peer);
                }
                _ => open.push(peer),
            }
            if numbers.below(10) == 0 {
                kept.borrow_mut().clear();
            }
            if n % 50 == 0 {
                let other = server.connect();
                other.send(get("/fine"));
                assert_eq!(text(other.read().await), answer("/fine"));
            }
        }
        kept.borrow_mut().clear();
        // Longer than every time-out, one after the other.
        sleep(Duration::from_secs(1000)).await;
        let stats = server.stats();
        assert_eq!((stats.n_connections, stats.n_requests), (0, 0), "{stats:?}");
        assert!(open.iter().all(|peer| peer.is_closed()));
        Ok(())
    });
}
