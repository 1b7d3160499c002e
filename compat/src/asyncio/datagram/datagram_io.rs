//! The sockets that a datagram endpoint runs on, with their readiness.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;

use socket2::{SockAddr, SockRef, Socket};
use tokio::io::{Interest, Ready};
use tokio::net::UdpSocket;
#[cfg(unix)]
use tokio::net::{UnixDatagram, unix::SocketAddr};

use crate::asyncio::extra_info::Address;

/// A non-blocking datagram socket in the loop's driver.
pub(super) struct DatagramIo {
    kind: Kind,
    /// Waits for an error of the socket, such as an ICMP message, which the driver does not count as something to read.
    errors: RefCell<Option<Waiting>>,
}

/// Counted because the future that waits for errors holds the socket too.
enum Kind {
    Udp(Rc<UdpSocket>),
    #[cfg(unix)]
    Unix(Rc<UnixDatagram>),
}

impl DatagramIo {
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        #[cfg(unix)]
        if socket.local_addr()?.is_unix() {
            let socket = UnixDatagram::from_std(std::os::unix::net::UnixDatagram::from(socket))?;
            return Ok(DatagramIo { kind: Kind::Unix(Rc::new(socket)), errors: RefCell::default() });
        }
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(DatagramIo { kind: Kind::Udp(Rc::new(socket)), errors: RefCell::default() })
    }

    pub(super) fn is_unix(&self) -> bool {
        match &self.kind {
            Kind::Udp(_) => false,
            #[cfg(unix)]
            Kind::Unix(_) => true,
        }
    }

    /// Whether there may be something to receive, a datagram or an error; if not, the waker is told when there is.
    pub(super) fn poll_recv_ready(&self, cx: &mut Context<'_>) -> bool {
        let is_ready = match &self.kind {
            Kind::Udp(socket) => socket.poll_recv_ready(cx).is_ready(),
            #[cfg(unix)]
            Kind::Unix(socket) => socket.poll_recv_ready(cx).is_ready(),
        };
        is_ready || self.poll_error(cx)
    }

    /// Whether the socket may take a datagram; if not, the waker is told when it does.
    pub(super) fn poll_send_ready(&self, cx: &mut Context<'_>) -> bool {
        match &self.kind {
            Kind::Udp(socket) => socket.poll_send_ready(cx).is_ready(),
            #[cfg(unix)]
            Kind::Unix(socket) => socket.poll_send_ready(cx).is_ready(),
        }
    }

    /// Receives one datagram. Reports an error of the socket that no datagram came with, once.
    pub(super) fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        match &self.kind {
            Kind::Udp(socket) => match socket.try_recv_from(buffer) {
                Ok((n, addr)) => Ok((n, Address::Inet(addr))),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    socket.try_io(Interest::ERROR, || pending_error(socket.take_error()))
                }
                Err(err) => Err(err),
            },
            #[cfg(unix)]
            Kind::Unix(socket) => match socket.try_recv_from(buffer) {
                Ok((n, addr)) => Ok((n, unix_address(&addr))),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    socket.try_io(Interest::ERROR, || pending_error(socket.take_error()))
                }
                Err(err) => Err(err),
            },
        }
    }

    /// Sends one datagram, to the peer of a connected socket if there is no address.
    pub(super) fn try_send(&self, data: &[u8], addr: Option<&Address>) -> io::Result<()> {
        let mut is_tried = false;
        let outcome = self.try_write(|| {
            is_tried = true;
            self.send(data, addr)
        });
        // What the driver does not know of may be ready all the same: a new socket, and one whose peer has made room
        // without telling.
        if is_tried { outcome } else { self.send(data, addr) }
    }

    fn try_write(&self, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match &self.kind {
            Kind::Udp(socket) => socket.try_io(Interest::WRITABLE, write),
            #[cfg(unix)]
            Kind::Unix(socket) => socket.try_io(Interest::WRITABLE, write),
        }
    }

    fn send(&self, data: &[u8], addr: Option<&Address>) -> io::Result<()> {
        let socket = self.socket();
        match addr {
            None => socket.send(data)?,
            Some(Address::Inet(addr)) => socket.send_to(data, &SockAddr::from(*addr))?,
            Some(Address::Unix(path)) => socket.send_to(data, &SockAddr::unix(path)?)?,
        };
        Ok(())
    }

    /// Completes, or fails, when the driver has seen an error of the socket.
    fn poll_error(&self, cx: &mut Context<'_>) -> bool {
        let mut errors = self.errors.borrow_mut();
        let waiting = errors.get_or_insert_with(|| match &self.kind {
            Kind::Udp(socket) => wait_for_error(socket.clone(), async |socket| socket.ready(Interest::ERROR).await),
            #[cfg(unix)]
            Kind::Unix(socket) => wait_for_error(socket.clone(), async |socket| socket.ready(Interest::ERROR).await),
        });
        let has_error = waiting.as_mut().poll(cx).is_ready();
        if has_error {
            *errors = None;
        }
        has_error
    }

    pub(super) fn socket(&self) -> SockRef<'_> {
        match &self.kind {
            Kind::Udp(socket) => SockRef::from(&**socket),
            #[cfg(unix)]
            Kind::Unix(socket) => SockRef::from(&**socket),
        }
    }
}

type Waiting = Pin<Box<dyn Future<Output = ()>>>;

fn wait_for_error<S: 'static>(socket: Rc<S>, ready: impl AsyncFnOnce(&S) -> io::Result<Ready> + 'static) -> Waiting {
    Box::pin(async move {
        // The driver is gone only when the loop is, and then nobody polls.
        let _ = ready(&socket).await;
    })
}

/// The error that the kernel keeps for the socket, which is forgotten there.
fn pending_error<T>(pending: io::Result<Option<io::Error>>) -> io::Result<T> {
    Err(pending?.unwrap_or_else(|| io::ErrorKind::WouldBlock.into()))
}

#[cfg(unix)]
fn unix_address(addr: &SocketAddr) -> Address {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = addr.as_abstract_name() {
        return Address::Unix(format!("\0{}", String::from_utf8_lossy(name)));
    }
    Address::Unix(addr.as_pathname().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default())
}
