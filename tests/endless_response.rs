//! A response whose body is always ready and has no end.

#![cfg(feature = "http1")]

mod served;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use foster::http::{Response, ResponseBody};
use foster::{Config, Error, Handler, Request};
use futures::stream;

use crate::served::{Served, until};

/// `/` never ends, and says so when it is dropped; `/slow` takes a while for each piece.
fn endless(is_dropped: Arc<AtomicBool>) -> impl Handler {
    move |request: Request| {
        let guard = OnDrop(is_dropped.clone());
        async move {
            if request.path() == "/short" {
                return Response::text("short");
            }
            let pause = Duration::from_millis(if request.path() == "/slow" { 1 } else { 0 });
            Response::bytes(ResponseBody::stream(stream::repeat_with(move || {
                let _ = &guard;
                // It takes the loop with it.
                std::thread::sleep(pause);
                Ok::<_, Error>(Bytes::from_static(&[b'x'; 16 * 1024]))
            })))
        }
    }
}

struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn served(is_dropped: &Arc<AtomicBool>) -> Served {
    let is_dropped = is_dropped.clone();
    Served::new(move || endless(is_dropped), Config::new().bind("127.0.0.1:0"))
}

#[test]
fn it_ends_when_its_client_goes_away() {
    let is_dropped = Arc::default();
    let served = served(&is_dropped);
    let mut client = served.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    client.read_exact(&mut [0; 1000]).unwrap();
    assert!(!is_dropped.load(Ordering::SeqCst));
    drop(client);
    until(|| is_dropped.load(Ordering::SeqCst));
    until(|| served.server.stats().n_requests == 0);
    served.stop().unwrap();
}

#[test]
fn it_keeps_nobody_else_from_being_answered() {
    let served = served(&Arc::default());
    let mut client = served.connect();
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Faster than it is made, so that the server never has to wait for this client.
        scope.spawn(|| {
            let mut buffer = vec![0; 1024 * 1024];
            while client.read(&mut buffer).is_ok_and(|n| n > 0) {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        for _ in 0..5 {
            assert_eq!(served.get("/short").body, "short");
        }
        is_over.store(true, Ordering::SeqCst);
    });
    drop(client);
    served.stop().unwrap();
}
