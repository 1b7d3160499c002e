//! [`SocketIo`] where there are no descriptors: UDP alone, on Windows.

use std::io;
use std::task::Context;

use socket2::{SockRef, Socket};
use tokio::net::UdpSocket;

use super::datagram_io::DatagramIo;
use crate::asyncio::extra_info::Address;

/// A non-blocking datagram socket in the loop's driver. The system counts an error of the socket as something to
/// receive.
pub(super) struct SocketIo(UdpSocket);

impl SocketIo {
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(SocketIo(UdpSocket::from_std(socket.into())?))
    }
}

impl DatagramIo for SocketIo {
    fn is_unix(&self) -> bool {
        false
    }

    fn poll_recv_ready(&self, on_datagram: &mut Context<'_>, _on_error: &mut Context<'_>) -> bool {
        self.0.poll_recv_ready(on_datagram).is_ready()
    }

    fn saw_error(&self) {}

    fn wait_for_room(&self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.0.poll_send_ready(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    fn has_room(&self) {}

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        self.0.try_recv_from(buffer).map(|(n, addr)| (n, Address::Inet(addr)))
    }

    fn try_send(&self, data: &[u8], addr: Option<&Address>) -> io::Result<()> {
        match addr {
            None => self.0.try_send(data)?,
            Some(Address::Inet(addr)) => self.0.try_send_to(data, *addr)?,
            Some(Address::Unix(_)) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        Ok(())
    }

    fn peername(&self) -> Option<Address> {
        Address::from_sock_addr(&SockRef::from(&self.0).peer_addr().ok()?)
    }

    fn sockname(&self) -> Option<Address> {
        Address::from_sock_addr(&SockRef::from(&self.0).local_addr().ok()?)
    }

    fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>)) {
        look(SockRef::from(&self.0));
    }
}
