//! [`SocketIo`]: the datagram sockets of the operating system, with their readiness.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;

use socket2::{SockAddr, SockRef};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::datagram_io::DatagramIo;
use crate::asyncio::extra_info::Address;

/// A non-blocking datagram socket in the loop's driver.
///
/// The driver is asked for what can be received and no more: to one that is asked for room too, every datagram that the
/// kernel has sent is an event, which costs a system call for each.
pub(super) struct SocketIo {
    /// Counted because the future that waits for errors holds it too.
    fd: Rc<AsyncFd<Socket>>,
    /// Waits for an error of the socket, such as an ICMP message, which the driver does not count as something to read.
    errors: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>,
    is_waiting_for_errors: Cell<bool>,
    /// Asks for room, while there is none. The same socket under another number, so that it can be asked for apart.
    room: RefCell<Option<AsyncFd<OwnedFd>>>,
}

enum Socket {
    Inet(UdpSocket),
    Unix(UnixDatagram),
}

impl SocketIo {
    pub(super) fn new(socket: socket2::Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = match socket.local_addr()?.is_unix() {
            true => Socket::Unix(socket.into()),
            false => Socket::Inet(socket.into()),
        };
        Ok(SocketIo {
            fd: Rc::new(watch(socket, Interest::READABLE)?),
            errors: RefCell::default(),
            is_waiting_for_errors: Cell::new(false),
            room: RefCell::default(),
        })
    }

    fn poll_error(&self, cx: &mut Context<'_>) -> bool {
        let mut errors = self.errors.borrow_mut();
        let waiting = errors.get_or_insert_with(|| {
            let fd = self.fd.clone();
            Box::pin(async move {
                // The driver is gone only when the loop is, and then nobody polls.
                let _ = fd.ready(Interest::ERROR).await;
            })
        });
        let has_error = waiting.as_mut().poll(cx).is_ready();
        if has_error {
            *errors = None;
        }
        self.is_waiting_for_errors.set(!has_error);
        has_error
    }

    fn socket(&self) -> SockRef<'_> {
        SockRef::from(self.fd.get_ref())
    }
}

impl DatagramIo for SocketIo {
    fn is_unix(&self) -> bool {
        matches!(self.fd.get_ref(), Socket::Unix(_))
    }

    fn poll_recv_ready(&self, on_datagram: &mut Context<'_>, on_error: &mut Context<'_>) -> bool {
        self.fd.poll_read_ready(on_datagram).is_ready()
            || (!self.is_waiting_for_errors.get() && self.poll_error(on_error))
    }

    fn saw_error(&self) {
        self.is_waiting_for_errors.set(false);
    }

    fn wait_for_room(&self, cx: &mut Context<'_>) -> io::Result<()> {
        // A new registration is told how things stand now, so nothing that has come between is missed.
        let room = watch(self.fd.as_fd().try_clone_to_owned()?, Interest::WRITABLE)?;
        if room.poll_write_ready(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        self.room.replace(Some(room));
        Ok(())
    }

    fn has_room(&self) {
        self.room.take();
    }

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        match self.fd.try_io(Interest::READABLE, |socket| socket.recv_from(buffer)) {
            // The driver keeps the two apart, and looks at one at a time.
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                self.fd.try_io(Interest::ERROR, |socket| socket.recv_from(buffer))
            }
            received => received,
        }
    }

    fn try_send(&self, data: &[u8], addr: Option<&Address>) -> io::Result<()> {
        match (self.fd.get_ref(), addr) {
            (Socket::Inet(socket), None) => socket.send(data)?,
            (Socket::Inet(socket), Some(Address::Inet(addr))) => socket.send_to(data, addr)?,
            (Socket::Unix(socket), None) => socket.send(data)?,
            (Socket::Unix(socket), Some(Address::Unix(path))) => {
                SockRef::from(socket).send_to(data, &SockAddr::unix(path)?)?
            }
            (Socket::Inet(_), Some(Address::Unix(_))) | (Socket::Unix(_), Some(Address::Inet(_))) => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        };
        Ok(())
    }

    fn peername(&self) -> Option<Address> {
        Address::from_sock_addr(&self.socket().peer_addr().ok()?)
    }

    fn sockname(&self) -> Option<Address> {
        Address::from_sock_addr(&self.socket().local_addr().ok()?)
    }

    fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>)) {
        look(self.socket());
    }
}

impl Socket {
    fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        match self {
            Socket::Inet(socket) => socket.recv_from(buffer).map(|(n, addr)| (n, Address::Inet(addr))),
            Socket::Unix(socket) => socket.recv_from(buffer).map(|(n, addr)| (n, Address::from(&addr))),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Inet(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

#[expect(deprecated, reason = "its successor is unsafe for the sake of types that may close their descriptor early")]
fn watch<T: AsRawFd>(socket: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(socket, interest)
}
