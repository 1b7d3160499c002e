//! Client sockets on loopback, with `TCP_NODELAY` as on every server here.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::wire::Wire;

/// Connects and waits for it.
pub(crate) fn connect(port: u16) -> io::Result<Socket> {
    let socket = new_socket()?;
    finish_connect(&socket, port)?;
    Ok(socket)
}

/// Connects from one of the loopback addresses 127.0.0.x: each has local ports of its own, so the range of ports does
/// not limit the number of connections.
pub(crate) fn connect_from(source: Ipv4Addr, port: u16) -> io::Result<Socket> {
    let socket = new_socket()?;
    socket.bind(&SockAddr::from(SocketAddrV4::new(source, 0)))?;
    finish_connect(&socket, port)?;
    Ok(socket)
}

/// Starts to connect; the socket is writable once it is.
pub(crate) fn start_connect(port: u16) -> io::Result<Socket> {
    let socket = new_socket()?;
    socket.set_nonblocking(true)?;
    match socket.connect(&server(port)) {
        // Compared by number: std gives this one no stable kind.
        Err(err) if err.raw_os_error() != Some(EINPROGRESS) => Err(err),
        _ => Ok(socket),
    }
}

/// Closing it sends a reset, so that no local port stays in TIME_WAIT: at tens of thousands of connections a second
/// they would be used up within a second.
fn new_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_linger(Some(Duration::ZERO))?;
    Ok(socket)
}

fn finish_connect(socket: &Socket, port: u16) -> io::Result<()> {
    socket.connect_timeout(&server(port), PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))
}

/// Sends one message, reads it back and compares: in pieces that fit the buffers of both sides.
pub(crate) fn check_echo(wire: &mut Wire, size: usize) -> io::Result<()> {
    let mut echo = vec![0; PIECE];
    for piece in message(size).chunks(PIECE) {
        wire.write_all(piece)?;
        wire.read_exact(&mut echo[..piece.len()])?;
        if echo[..piece.len()] != *piece {
            return Err(io::Error::other("the echo differs from what was sent"));
        }
    }
    Ok(())
}

/// Bytes that all differ from their neighbours, so that a lost or doubled piece shows.
pub(crate) fn message(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index * 131 + 7) as u8).collect()
}

fn server(port: u16) -> SockAddr {
    SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

const PIECE: usize = 16 * 1024;

/// Longer than any healthy server takes on a busy machine, short enough that a run ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// Linux's number, on every architecture but MIPS and SPARC.
const EINPROGRESS: i32 = 115;
