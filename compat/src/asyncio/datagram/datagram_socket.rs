//! [`DatagramSocket`]: a socket that a program hands over.

#[cfg(unix)]
use std::os::fd::OwnedFd;

use socket2::Socket;

/// A datagram socket of the program's, as `sock` takes it: made from a `UdpSocket` or a `UnixDatagram` of the standard
/// library, or on Unix from an `OwnedFd`.
#[derive(Debug)]
pub struct DatagramSocket(pub(super) Socket);

impl From<std::net::UdpSocket> for DatagramSocket {
    fn from(socket: std::net::UdpSocket) -> Self {
        DatagramSocket(socket.into())
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixDatagram> for DatagramSocket {
    fn from(socket: std::os::unix::net::UnixDatagram) -> Self {
        DatagramSocket(socket.into())
    }
}

#[cfg(unix)]
impl From<OwnedFd> for DatagramSocket {
    fn from(fd: OwnedFd) -> Self {
        DatagramSocket(fd.into())
    }
}
