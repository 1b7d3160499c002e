//! A single-threaded epoll load generator for echo, HTTP and WebSocket servers on 127.0.0.1.
//!
//! ```text
//! loadgen echo  --port P [--connections N] [--size BYTES] [--depth D] [--secs T] [--warm-up T] [--tls 1] [--lines L]
//!               [--http PATH] [--ws PATH]
//! loadgen churn --port P [--connections N] [--size BYTES] [--secs T] [--warm-up T] [--http PATH]
//! loadgen idle  --port P [--connections N] [--size BYTES] [--addresses A] [--tls 1] [--http PATH] [--ws PATH]
//! loadgen udp   --port P [--connections N] [--size BYTES] [--depth D] [--secs T] [--warm-up T]
//! loadgen abuse --port P [--connections N] [--slow N] [--non-readers N] [--addresses A] [--http PATH]
//! loadgen broadcast --port P --ws PATH [--connections N] [--size BYTES] [--depth D] [--secs T] [--warm-up T] [--tls 1]
//! ```
//!
//! `echo` keeps D messages under way on each of N connections, `churn` keeps N connections being opened, used for one
//! message and closed, `udp` is `echo` with datagrams. They print one line of JSON. `idle` opens N connections, echoes
//! one message on each, prints one line of JSON and holds them until its standard input ends.
//!
//! With `--tls` a connection speaks TLS 1.3. With `--lines` a message is L lines, counted each, and the answer to all
//! of them is one byte. With `--http` a message is a request for PATH, with BYTES of body if that is `/echo`. With `--ws`
//! it is a binary message over WebSocket, to PATH.
//!
//! `abuse` holds N idle connections to an HTTP server as `idle` does, beside others that never finish a request or
//! never read an answer; the head of `abuse.rs` says how.
//!
//! `broadcast` keeps D messages under way on the first of N connections, each of which the server sends to all of them.
//! A message is counted once for each connection that has it.
//!
//! No `unsafe` here: what needs it is in `bench-epoll`.

mod abuse;
mod answers;
mod broadcast;
mod churn;
mod echo;
mod frames;
mod histogram;
mod http;
mod idle;
mod report;
mod responses;
mod socket;
mod udp;
mod websocket;
mod wire;

use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use socket2::Socket;

use answers::Answers;
use frames::Frames;
use http::Http;
use responses::Responses;
use websocket::WebSocket;
use wire::Wire;

struct Options {
    port: u16,
    n_connections: usize,
    /// Bytes of one message.
    size: usize,
    /// Messages under way on a connection.
    depth: usize,
    duration: Duration,
    /// Load before the measured time, which is not counted in the rate or the latencies.
    warm_up: Duration,
    /// Speaks TLS if there is one.
    tls: Option<Arc<ClientConfig>>,
    /// Lines of a message that is answered with one byte; 0 for messages that are echoed.
    n_lines: usize,
    /// Sends requests and counts responses if there is one.
    http: Option<Http>,
    /// Sends and counts messages over WebSocket if there is one.
    websocket: Option<WebSocket>,
    /// Connections that send a byte of a head every second, and ones that ask and do not read.
    n_slow: usize,
    n_non_readers: usize,
    /// Loopback source addresses over which idle connections are spread.
    n_addresses: usize,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let result = Options::parse(arguments).and_then(|options| match command.as_str() {
        "echo" => echo::run(&options),
        "churn" => churn::run(&options),
        "idle" => idle::run(&options),
        "udp" => udp::run(&options),
        "abuse" => abuse::run(&options),
        "broadcast" => broadcast::run(&options),
        other => {
            Err(io::Error::other(format!("unknown command {other:?}: use echo, churn, idle, udp, abuse or broadcast")))
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("loadgen: {err}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Options> {
        let mut options = Options {
            port: 0,
            n_connections: 64,
            size: 64,
            depth: 1,
            duration: Duration::from_secs(2),
            warm_up: Duration::from_millis(150),
            tls: None,
            n_lines: 0,
            http: None,
            websocket: None,
            n_slow: 0,
            n_non_readers: 0,
            // 10,000 connections are then 100 ports of each: the kernel searches a crowded address for a free port for long.
            n_addresses: 100,
        };
        let (mut http_path, mut websocket_path) = (None, None);
        while let Some(name) = arguments.next() {
            let text = arguments.next().unwrap_or_default();
            match name.as_str() {
                "--http" => http_path = Some(text),
                "--ws" => websocket_path = Some(text),
                _ => options.set(&name, &text)?,
            }
        }
        options.http = http_path.map(|path| Http::new(&path, options.size));
        options.websocket = websocket_path.map(|path| WebSocket::new(&path, options.size));
        Ok(options)
    }

    fn set(&mut self, name: &str, text: &str) -> io::Result<()> {
        let number: f64 = text.parse().map_err(|_| io::Error::other(format!("{name} needs a number, not {text:?}")))?;
        match name {
            "--port" => self.port = number as u16,
            "--connections" => self.n_connections = (number as usize).max(1),
            "--size" => self.size = (number as usize).max(1),
            "--depth" => self.depth = (number as usize).max(1),
            "--secs" => self.duration = Duration::from_secs_f64(number.clamp(0.01, 3600.0)),
            "--warm-up" => self.warm_up = Duration::from_secs_f64(number.clamp(0.0, 60.0)),
            "--tls" => self.tls = Some(wire::client_config()?),
            "--lines" => self.n_lines = number as usize,
            "--slow" => self.n_slow = number as usize,
            "--non-readers" => self.n_non_readers = number as usize,
            "--addresses" => self.n_addresses = (number as usize).clamp(1, 250),
            _ => return Err(io::Error::other(format!("unknown option {name}"))),
        }
        Ok(())
    }

    /// Sends one message and compares what comes back.
    fn check(&self, wire: &mut Wire, is_last: bool) -> io::Result<()> {
        match (&self.http, &self.websocket) {
            (Some(http), _) => http.check(wire, is_last),
            (_, Some(websocket)) => websocket.check(wire),
            // Lines are not echoed.
            _ if self.n_lines > 0 => Ok(()),
            _ => socket::check_echo(wire, self.size),
        }
    }

    /// A message, which for lines is as many of the same length. Only HTTP tells the server of the last.
    fn message(&self, is_last: bool) -> Vec<u8> {
        match (&self.http, &self.websocket) {
            (Some(http), _) => return http.request(is_last),
            (_, Some(websocket)) => return websocket.message(),
            _ => {}
        }
        let mut message = vec![b'x'; self.size];
        if let Some(length) = self.size.checked_div(self.n_lines) {
            (1..=self.n_lines).for_each(|n| message[n * length - 1] = b'\n');
        }
        message
    }

    fn answers(&self) -> Answers {
        match (&self.http, &self.websocket) {
            (Some(_), _) => Answers::Http(Responses::default()),
            (_, Some(_)) => Answers::WebSocket(Frames::new(self.size)),
            _ => Answers::Sized { size: if self.n_lines > 0 { 1 } else { self.size }, n_received: 0 },
        }
    }

    /// The bytes of one of the counted things, in the direction that has more of them.
    fn reported_size(&self) -> usize {
        self.http.as_ref().map_or(self.size / self.n_lines.max(1), Http::answer_size)
    }

    /// The address of a connection among many: each has ports of its own. 127.0.0.1 is left to the server.
    fn source(&self, index: usize) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 0, 2 + (index % self.n_addresses) as u8)
    }

    /// Takes a connected socket, and shakes hands if need be.
    fn wire(&self, socket: Socket) -> io::Result<Wire> {
        let mut wire = match &self.tls {
            Some(config) => Wire::secure(socket, config)?,
            None => Wire::Plain(socket),
        };
        if let Some(websocket) = &self.websocket {
            websocket.shake_hands(&mut wire)?;
        }
        Ok(wire)
    }
}
