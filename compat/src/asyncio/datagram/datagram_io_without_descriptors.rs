//! The sockets that a datagram endpoint runs on, where there are no descriptors: UDP alone, on Windows.

use std::io;
use std::task::Context;

use socket2::{SockRef, Socket};
use tokio::net::UdpSocket;

use crate::asyncio::extra_info::Address;

/// A non-blocking datagram socket in the loop's driver. The system counts an error of the socket as something to
/// receive.
pub(super) struct DatagramIo(UdpSocket);

impl DatagramIo {
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(DatagramIo(UdpSocket::from_std(socket.into())?))
    }

    pub(super) fn is_unix(&self) -> bool {
        false
    }

    /// Whether there may be something to receive; if not, the first waker is told when there is.
    pub(super) fn poll_recv_ready(&self, on_datagram: &mut Context<'_>, _on_error: &mut Context<'_>) -> bool {
        self.0.poll_recv_ready(on_datagram).is_ready()
    }

    pub(super) fn saw_error(&self) {}

    /// Has the waker told when the socket takes more, after it has taken none.
    pub(super) fn wait_for_room(&self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.0.poll_send_ready(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    pub(super) fn has_room(&self) {}

    pub(super) fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        self.0.try_recv_from(buffer).map(|(n, addr)| (n, Address::Inet(addr)))
    }

    /// Sends one datagram, to the peer of a connected socket if there is no address.
    pub(super) fn try_send(&self, data: &[u8], addr: Option<&Address>) -> io::Result<()> {
        match addr {
            None => self.0.try_send(data)?,
            Some(Address::Inet(addr)) => self.0.try_send_to(data, *addr)?,
            Some(Address::Unix(_)) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        Ok(())
    }

    pub(super) fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
    }
}
