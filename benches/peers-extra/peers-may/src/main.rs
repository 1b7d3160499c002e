//! `peers-may --port P`: an HTTP/1.1 server on may_minihttp with one worker, on 127.0.0.1. Ended by a signal.
//!
//! may_minihttp knows no chunked answers and no `Connection: close`, so `/stream` and connections for one request are
//! not for it.
#![expect(unsafe_code, reason = "may_minihttp tells of a new connection its descriptor only")]

use std::io::{self, Read};
use std::os::fd::{BorrowedFd, RawFd};

use may_minihttp::{HttpService, HttpServiceFactory, Request, Response};
use socket2::SockRef;

fn main() -> io::Result<()> {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let port: u16 = port.and_then(|port| port.parse().ok()).ok_or_else(|| io::Error::other("--port needs a number"))?;
    // As its authors run it: a stack has 64 KiB, of which a connection touches what it needs.
    may::config().set_workers(1).set_pool_capacity(1000).set_stack_size(0x2000);
    Connections.start(("127.0.0.1", port))?.join().map_err(|_| io::Error::other("the listener has ended"))
}

struct Connections;

impl HttpServiceFactory for Connections {
    type Service = Answers;

    fn new_service(&self, id: usize) -> Answers {
        // SAFETY: the id of a connection is its descriptor, and its stream, which the caller holds, is open.
        let socket = unsafe { BorrowedFd::borrow_raw(id as RawFd) };
        // One that has ended already will say so to its reader.
        drop(SockRef::from(&socket).set_tcp_nodelay(true));
        Answers
    }
}

struct Answers;

impl HttpService for Answers {
    fn call(&mut self, request: Request, response: &mut Response) -> io::Result<()> {
        match (request.method(), request.path()) {
            ("GET", "/") => response.header(TEXT).body("Hello, World!"),
            ("GET", "/json") => {
                response.header("Content-Type: application/json").body(r#"{"message":"Hello, World!"}"#);
            }
            ("POST", "/echo") => {
                let mut body = Vec::new();
                request.body().read_to_end(&mut body)?;
                response.header("Content-Type: application/octet-stream").body_vec(body);
            }
            ("GET", path) if path.starts_with("/users/") => {
                response.header(TEXT).body_vec(path.as_bytes()["/users/".len()..].to_vec());
            }
            _ => {
                response.status_code(404, "Not Found");
            }
        }
        Ok(())
    }
}

const TEXT: &str = "Content-Type: text/plain; charset=utf-8";
