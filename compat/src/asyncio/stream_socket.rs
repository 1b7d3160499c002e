//! [`StreamSocket`]: a connected socket that a program hands over.

use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::exceptions::ValueError;
use crate::error::Result;

/// A connected stream socket of the program's, as `sock` takes it: made from a `TcpStream` or a `UnixStream` of the
/// standard library, or on Unix from an `OwnedFd`.
#[derive(Debug)]
pub struct StreamSocket(Socket);

impl From<std::net::TcpStream> for StreamSocket {
    fn from(stream: std::net::TcpStream) -> Self {
        StreamSocket(stream.into())
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixStream> for StreamSocket {
    fn from(stream: std::os::unix::net::UnixStream) -> Self {
        StreamSocket(stream.into())
    }
}

#[cfg(unix)]
impl From<OwnedFd> for StreamSocket {
    fn from(fd: OwnedFd) -> Self {
        StreamSocket(fd.into())
    }
}

/// A connected socket in the loop's driver.
pub(super) enum Connected {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Connected {
    /// A TCP connection, which sends small writes at once, as asyncio's do.
    pub(super) fn tcp(stream: TcpStream) -> Self {
        // It fails only if the peer is gone, which the first read finds out.
        let _ = stream.set_nodelay(true);
        Connected::Tcp(stream)
    }
}

impl StreamSocket {
    /// Puts the socket into the loop's driver.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] for a socket that is no stream.
    pub(super) fn register(self) -> Result<Connected> {
        let socket = self.0;
        let (domain, kind) = family_of(&socket)?;
        if kind != Type::STREAM {
            return Err(ValueError::new(format!("A Stream Socket was expected, got {socket:?}")).into());
        }
        socket.set_nonblocking(true)?;
        #[cfg(unix)]
        if domain == Domain::UNIX {
            let stream = std::os::unix::net::UnixStream::from(socket);
            return Ok(Connected::Unix(UnixStream::from_std(stream)?));
        }
        let _ = domain;
        Ok(Connected::tcp(TcpStream::from_std(socket.into())?))
    }
}

fn family_of(socket: &Socket) -> io::Result<(Domain, Type)> {
    Ok((socket.local_addr()?.domain(), socket.r#type()?))
}
