//! A single-threaded epoll load generator for echo servers on 127.0.0.1.
//!
//! ```text
//! loadgen echo  --port P [--connections N] [--size BYTES] [--depth D] [--secs T] [--warm-up T]
//! loadgen churn --port P [--connections N] [--size BYTES] [--secs T] [--warm-up T]
//! loadgen idle  --port P [--connections N] [--size BYTES] [--addresses A]
//! ```
//!
//! `echo` keeps D messages under way on each of N connections, `churn` keeps N connections being opened, used for one
//! message and closed. Both print one line of JSON. `idle` opens N connections, echoes one message on each, prints
//! one line of JSON and holds them until its standard input ends.
//!
//! No `unsafe` here: what needs it is in `bench-epoll`.

mod churn;
mod echo;
mod histogram;
mod idle;
mod report;
mod socket;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

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
        other => Err(io::Error::other(format!("unknown command {other:?}: use echo, churn or idle"))),
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
                "--addresses" => options.n_addresses = (number as usize).clamp(1, 250),
                _ => return Err(io::Error::other(format!("unknown option {name}"))),
            }
        }
        Ok(options)
    }
}
