use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use bench_epoll::{Epoll, Interest};
use socket2::SockRef;

/// The token of the listener; that of a connection is its descriptor.
pub(crate) const LISTENER: usize = usize::MAX;

/// Takes in all that wait, and puts what is made of each at its descriptor.
pub(crate) fn accept_all<C>(
    listener: &TcpListener,
    epoll: &Epoll,
    connections: &mut Vec<Option<C>>,
    make: impl Fn(TcpStream) -> io::Result<C>,
) -> io::Result<()> {
    // One call makes the socket non-blocking too, as mio has it. Any error ends the batch: would block, or a connection
    // that is gone.
    while let Ok((socket, _)) = SockRef::from(listener).accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) {
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        let token = stream.as_raw_fd() as usize;
        if connections.len() <= token {
            connections.resize_with(token + 1, || None);
        }
        epoll.add(&stream, Interest::Read, token)?;
        connections[token] = Some(make(stream)?);
    }
    Ok(())
}
