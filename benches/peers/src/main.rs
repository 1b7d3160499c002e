//! Servers on 127.0.0.1 to measure beside: `peers NAME --port P [--cert FILE --key FILE]`. Ended by a signal.
//!
//! - `epoll`: a bare loop of one thread, the floor under every echo server.
//! - `epoll-broadcast`: a bare loop of one thread that sends WebSocket messages to all, the floor under every broadcast.
//! - `tokio`: a task for each connection on the current-thread runtime, what one would write by hand.
//! - `tokio-2`: the same on the multi-thread runtime with two workers.
//! - `rustls`: TLS on a bare loop of one thread, the floor under every server that speaks it with rustls.
//! - `tokio-tls`: as `tokio`, through tokio-rustls.
//! - `tokio-udp`: one task that answers datagrams.
//! - `tokio-lines`: as `tokio`, reading lines, with one byte for every 64 of them. `tokio-lines-into` reads them into one
//!   buffer.

mod accepting;
mod epoll;
mod epoll_broadcast;
mod rustls_epoll;
mod secure;
mod tokio_lines;
mod tokio_tasks;
mod tokio_tls;
mod tokio_udp;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

fn main() -> io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let port: u16 = option("--port")?.parse().map_err(io::Error::other)?;
    match name.as_str() {
        "epoll" => epoll::run(listen(port)?),
        "epoll-broadcast" => epoll_broadcast::run(listen(port)?),
        "tokio" => tokio_tasks::run_current_thread(listen(port)?),
        "tokio-2" => tokio_tasks::run_multi_thread(listen(port)?, 2),
        "rustls" => rustls_epoll::run(listen(port)?, &secure::server_config(&option("--cert")?, &option("--key")?)?),
        "tokio-tls" => tokio_tls::run(listen(port)?, secure::server_config(&option("--cert")?, &option("--key")?)?),
        "tokio-udp" => tokio_udp::run(port),
        "tokio-lines" => tokio_lines::run(listen(port)?, false),
        "tokio-lines-into" => tokio_lines::run(listen(port)?, true),
        _ => Err(io::Error::other(format!("unknown server {name:?}: the head of main.rs names them"))),
    }
}

fn option(name: &str) -> io::Result<String> {
    let value = std::env::args().skip_while(|argument| argument != name).nth(1);
    value.ok_or_else(|| io::Error::other(format!("{name} is missing")))
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    // The kernel's default limit (net.core.somaxconn): the churn scenario opens 64 at a time.
    socket.listen(4096)?;
    Ok(socket.into())
}

/// What one read of every peer takes at most.
const READ_SIZE: usize = 16 * 1024;

/// As `loadgen` counts on: the lines of one of its messages.
const LINES_PER_ANSWER: usize = 64;
