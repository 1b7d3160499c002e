//! The sockets that a datagram endpoint runs on, behind one narrow trait.

use std::io;
use std::task::Context;

use socket2::SockRef;

use crate::asyncio::extra_info::Address;

/// A non-blocking datagram socket with readiness: what [`DatagramEndpoint`](super::endpoint::DatagramEndpoint) needs of
/// one.
pub(crate) trait DatagramIo: 'static {
    /// Whether its addresses are paths.
    fn is_unix(&self) -> bool;

    /// Whether there may be something to receive, a datagram or an error; if not, the first waker is told of a datagram
    /// and the second of an error.
    fn poll_recv_ready(&self, on_datagram: &mut Context<'_>, on_error: &mut Context<'_>) -> bool;

    /// The waker for errors was told.
    fn saw_error(&self);

    /// Has the waker told when the socket takes more, after it has taken none.
    ///
    /// # Errors
    ///
    /// Out of descriptors or memory: nobody will be told.
    fn wait_for_room(&self, cx: &mut Context<'_>) -> io::Result<()>;

    /// Nothing waits to be sent.
    fn has_room(&self);

    /// Receives one datagram, or the error that is kept for the socket.
    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)>;

    /// Sends one datagram, to the peer of a connected socket if there is no address.
    fn try_send(&self, data: &[u8], addr: Option<&Address>) -> io::Result<()>;

    /// The peer of a connected socket.
    fn peername(&self) -> Option<Address>;

    fn sockname(&self) -> Option<Address>;

    /// Lends the socket, if there is one of the operating system.
    fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>));
}
