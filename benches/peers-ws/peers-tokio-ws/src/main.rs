//! `peers-tokio-ws fastwebsockets|tungstenite|tungstenite-4k|axum --port P`: a WebSocket server on 127.0.0.1 that sends
//! messages back on `/ws` and to everybody on `/broadcast`. Ended by a signal.
//!
//! A task for each connection on the current-thread runtime, and on `/broadcast` another that writes.

mod axum;
mod fastwebsockets;
mod room;
mod tungstenite;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

fn main() -> io::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let port = port.and_then(|port| port.parse().ok()).ok_or_else(|| io::Error::other("--port needs a number"))?;
    let listener = listen(port)?;
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let server = match name.as_str() {
            "fastwebsockets" => tokio::spawn(fastwebsockets::accept(listener)),
            "tungstenite" => tokio::spawn(tungstenite::accept(listener, tungstenite::DEFAULT_READ_BUFFER)),
            "tungstenite-4k" => tokio::spawn(tungstenite::accept(listener, 4 * 1024)),
            "axum" => tokio::spawn(axum::accept(listener)),
            _ => {
                let known = "use fastwebsockets, tungstenite, tungstenite-4k or axum";
                return Err(io::Error::other(format!("unknown server {name:?}: {known}")));
            }
        };
        server.await.map_err(io::Error::other)
    })
}

fn listen(port: u16) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    // The kernel's default limit (net.core.somaxconn), as of the echo servers.
    socket.listen(4096)?;
    Ok(socket.into())
}
