//! A single-threaded epoll load generator for echo servers on 127.0.0.1.
//!
//! ```text
//! loadgen echo  --port P [--connections N] [--size BYTES] [--depth D] [--secs T] [--warm-up T] [--tls 1] [--lines L]
//! loadgen churn --port P [--connections N] [--size BYTES] [--secs T] [--warm-up T]
//! loadgen idle  --port P [--connections N] [--size BYTES] [--addresses A] [--tls 1]
//! loadgen udp   --port P [--connections N] [--size BYTES] [--depth D] [--secs T] [--warm-up T]
//! ```
//!
//! `echo` keeps D messages under way on each of N connections, `churn` keeps N connections being opened, used for one
//! message and closed, `udp` is `echo` with datagrams. They print one line of JSON. `idle` opens N connections, echoes
//! one message on each, prints one line of JSON and holds them until its standard input ends.
//!
//! With `--tls` a connection speaks TLS 1.3. With `--lines` a message is L lines, counted each, and the answer to all of
//! them is one byte.
//!
//! No `unsafe` here: what needs it is in `bench-epoll`.

mod churn;
mod echo;
mod histogram;
mod idle;
mod report;
mod socket;
mod udp;
mod wire;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use socket2::Socket;

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
        other => Err(io::Error::other(format!("unknown command {other:?}: use echo, churn, idle or udp"))),
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
            // 10,000 connections are then 100 ports of each: the kernel searches a crowded address for a free port for long.
            n_addresses: 100,
        };
        while let Some(name) = arguments.next() {
            let text = arguments.next().unwrap_or_default();
            let number: f64 =
                text.parse().map_err(|_| io::Error::other(format!("{name} needs a number, not {text:?}")))?;
            match name.as_str() {
                "--port" => options.port = number as u16,
                "--connections" => options.n_connections = (number as usize).max(1),
                "--size" => options.size = (number as usize).max(1),
                "--depth" => options.depth = (number as usize).max(1),
                "--secs" => options.duration = Duration::from_secs_f64(number.clamp(0.01, 3600.0)),
                "--warm-up" => options.warm_up = Duration::from_secs_f64(number.clamp(0.0, 60.0)),
                "--tls" => options.tls = Some(wire::client_config()?),
                "--lines" => options.n_lines = number as usize,
                "--addresses" => options.n_addresses = (number as usize).clamp(1, 250),
                _ => return Err(io::Error::other(format!("unknown option {name}"))),
            }
        }
        Ok(options)
    }

    /// The bytes that an answer has.
    fn answer_size(&self) -> usize {
        if self.n_lines > 0 { 1 } else { self.size }
    }

    /// A message, which for lines is as many of the same length.
    fn message(&self) -> Vec<u8> {
        let mut message = vec![b'x'; self.size];
        if let Some(length) = self.size.checked_div(self.n_lines) {
            (1..=self.n_lines).for_each(|n| message[n * length - 1] = b'\n');
        }
        message
    }

    /// Takes a connected socket, and shakes hands if need be.
    fn wire(&self, socket: Socket) -> io::Result<Wire> {
        match &self.tls {
            Some(config) => Wire::secure(socket, config),
            None => Ok(Wire::Plain(socket)),
        }
    }
}
