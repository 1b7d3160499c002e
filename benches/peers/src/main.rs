//! Echo servers on 127.0.0.1 to measure beside: `peers epoll|tokio|tokio-2 --port P`. Ended by a signal.
//!
//! - `epoll`: a bare loop of one thread, the floor under every server.
//! - `tokio`: a task for each connection on the current-thread runtime, what one would write by hand.
//! - `tokio-2`: the same on the multi-thread runtime with two workers.

mod epoll;
mod tokio_tasks;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [name, "--port", port] = arguments[..] else {
        return Err(io::Error::other("usage: peers epoll|tokio|tokio-2 --port P"));
    };
    let listener = listen(port.parse().map_err(io::Error::other)?)?;
    match name {
        "epoll" => epoll::run(listener),
        "tokio" => tokio_tasks::run_current_thread(listener),
        "tokio-2" => tokio_tasks::run_multi_thread(listener, 2),
        _ => Err(io::Error::other(format!("unknown server {name:?}"))),
    }
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
