//! A server on a loop of its own, and what its clients say to it with blocking sockets.

#![allow(dead_code, reason = "each test binary needs only a part")]

use std::future::pending;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use foster::{Config, Handler, HttpServer, LoopThread, Result, run_in_thread, serve, serve_workers};
use tokio::time::Instant;

/// Longer than anything takes on a loaded machine.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// A server that is stopped when this is dropped.
pub(crate) struct Served {
    pub(crate) server: HttpServer,
    thread: LoopThread<()>,
}

impl Served {
    /// One loop.
    pub(crate) fn new<H: Handler>(factory: impl FnOnce() -> H + Send + 'static, config: Config) -> Self {
        Served::start(|on_serving| {
            run_in_thread(move || serve(factory(), config).on_serving(on_serving).shutdown_trigger(pending()))
        })
        .expect("the server starts")
    }

    /// One loop, if it can be bound.
    pub(crate) fn try_new<H: Handler>(factory: impl Fn() -> H + Send + 'static, config: Config) -> Result<Self> {
        Served::start(|on_serving| {
            run_in_thread(move || serve(factory(), config).on_serving(on_serving).shutdown_trigger(pending()))
        })
    }

    /// As many as the configuration says.
    pub(crate) fn workers<H: Handler>(
        factory: impl Fn() -> H + Send + Sync + 'static,
        config: Config,
    ) -> Result<Served> {
        Served::start(|on_serving| {
            run_in_thread(move || serve_workers(factory, config).on_serving(on_serving).shutdown_trigger(pending()))
        })
    }

    fn start(start: impl FnOnce(Box<dyn FnOnce(HttpServer) + Send>) -> Result<LoopThread<()>>) -> Result<Served> {
        let (sender, receiver) = mpsc::channel();
        let thread = start(Box::new(move |server| sender.send(server).expect("the test waits for it")))?;
        match receiver.recv_timeout(BOUND) {
            Ok(server) => Ok(Served { server, thread }),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(thread.join().expect_err("a server that never served has failed"))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the server does not start"),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let address = &self.server.addresses()[0];
        SocketAddr::new(address.ip().expect("a port"), address.port().expect("a port"))
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address())
    }

    /// Asks with a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Answer {
        ask(&mut self.connect(), path)
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(self) -> Result<()> {
        self.server.shutdown();
        self.thread.join()
    }

    /// Cancels the loop it is served from, and waits until it has ended.
    pub(crate) fn cancel(self) -> Result<()> {
        self.thread.cancel();
        self.thread.join()
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(BOUND)).expect("a socket has time-outs");
    stream
}

/// Closes a client so that the server gets a reset.
pub(crate) fn reset(stream: TcpStream) {
    let socket = tokio::net::TcpSocket::from_std_stream(stream);
    socket.set_zero_linger().expect("a socket can be reset");
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A request that closes, and everything that comes back.
pub(crate) fn ask(stream: &mut (impl Read + Write), path: &str) -> Answer {
    say(stream, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
}

/// Sends bytes and reads to the end of the stream; what is chunked stays so.
pub(crate) fn say(stream: &mut (impl Read + Write), request: &str) -> Answer {
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut all = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut all);
    let all = String::from_utf8_lossy(&all);
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Looks again and again until something is so.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < BOUND, "it never becomes so");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Set to `1` where a missing client is a failure and not a reason to leave a check out.
const REQUIRE: &str = "FOSTER_REQUIRE_CLIENTS";

/// Whether a client is there; the running test is left out otherwise, which standard error says.
pub(crate) fn is_there(client: &str, is_there: bool) -> bool {
    if !is_there {
        let is_required = std::env::var(REQUIRE).is_ok_and(|value| value == "1");
        assert!(!is_required, "{client} is not installed, and {REQUIRE} is set");
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test").to_owned();
        // Not `eprintln!`, which is kept back from those who run a test that passes.
        let _ = writeln!(std::io::stderr(), "left out, for {client} is not installed: {test}");
    }
    is_there
}

/// As [`is_there`], for a program.
pub(crate) fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    is_there(name, std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}
