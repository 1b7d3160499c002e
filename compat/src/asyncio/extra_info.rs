//! What lies under a transport: addresses and the socket.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use socket2::{SockAddr, SockRef};

/// The address of a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// IPv4 or IPv6.
    Inet(SocketAddr),
    /// The path of a Unix socket; empty for one that is not bound, with a leading `\0` for an abstract name.
    Unix(String),
}

impl Address {
    /// The port, for an internet address.
    pub fn port(&self) -> Option<u16> {
        match self {
            Address::Inet(addr) => Some(addr.port()),
            Address::Unix(_) => None,
        }
    }

    /// The IP address, for an internet address.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Address::Inet(addr) => Some(addr.ip()),
            Address::Unix(_) => None,
        }
    }

    pub(crate) fn from_sock_addr(addr: &SockAddr) -> Option<Self> {
        if let Some(inet) = addr.as_socket() {
            return Some(Address::Inet(inet));
        }
        #[cfg(unix)]
        {
            if let Some(path) = addr.as_pathname() {
                return Some(Address::Unix(path.to_string_lossy().into_owned()));
            }
            if let Some(name) = addr.as_abstract_namespace() {
                return Some(Address::Unix(format!("\0{}", String::from_utf8_lossy(name))));
            }
            if addr.is_unnamed() {
                return Some(Address::Unix(String::new()));
            }
        }
        None
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Self {
        Address::Inet(addr)
    }
}

#[cfg(unix)]
impl From<&std::os::unix::net::SocketAddr> for Address {
    fn from(addr: &std::os::unix::net::SocketAddr) -> Self {
        #[cfg(target_os = "android")]
        use std::os::android::net::SocketAddrExt;
        #[cfg(target_os = "linux")]
        use std::os::linux::net::SocketAddrExt;
        #[cfg(any(target_os = "android", target_os = "linux"))]
        if let Some(name) = addr.as_abstract_name() {
            return Address::Unix(format!("\0{}", String::from_utf8_lossy(name)));
        }
        Address::Unix(addr.as_pathname().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Inet(addr) => addr.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.replace('\0', "@")),
        }
    }
}

/// A value of [`get_extra_info`](crate::BaseTransport::get_extra_info).
#[derive(Clone)]
#[non_exhaustive]
pub enum ExtraInfo {
    /// `"peername"` and `"sockname"`.
    Address(Address),
    /// `"socket"`.
    Socket(TransportSocket),
    /// `"pipe"`.
    Pipe(TransportPipe),
    /// What TLS knows: `"ssl_object"`, `"peercert"`, `"cipher"`, `"sslcontext"`; and what a program has added.
    Other(Rc<dyn Any>),
}

impl ExtraInfo {
    /// A value of any other type.
    pub fn other<T: 'static>(value: T) -> Self {
        ExtraInfo::Other(Rc::new(value))
    }

    /// The value as a `T`, if it is an entry of another type than the above: what TLS gives, and what a program has
    /// added with [`other`](ExtraInfo::other).
    pub fn downcast<T: Clone + 'static>(self) -> Option<T> {
        match self {
            ExtraInfo::Other(value) => value.downcast_ref().cloned(),
            _ => None,
        }
    }

    /// The address, if it is one.
    pub fn into_address(self) -> Option<Address> {
        match self {
            ExtraInfo::Address(address) => Some(address),
            _ => None,
        }
    }

    /// The socket, if it is one.
    pub fn into_socket(self) -> Option<TransportSocket> {
        match self {
            ExtraInfo::Socket(socket) => Some(socket),
            _ => None,
        }
    }

    /// The pipe, if it is one.
    pub fn into_pipe(self) -> Option<TransportPipe> {
        match self {
            ExtraInfo::Pipe(pipe) => Some(pipe),
            _ => None,
        }
    }
}

impl fmt::Debug for ExtraInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExtraInfo::Address(address) => address.fmt(f),
            ExtraInfo::Socket(socket) => socket.fmt(f),
            ExtraInfo::Pipe(pipe) => pipe.fmt(f),
            ExtraInfo::Other(_) => f.write_str("Other(..)"),
        }
    }
}

/// The socket of a transport or of a server, to look at its address and options: asyncio's `TransportSocket`.
///
/// It cannot read, write or close. Once the socket is closed every method gives an error of kind `NotConnected`.
#[derive(Clone)]
pub struct TransportSocket(Rc<dyn SocketAccess>);

/// Whoever owns a socket and lends it.
pub(crate) trait SocketAccess {
    /// Calls `look` with the socket unless it is closed.
    fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>));
}

#[cfg(unix)]
fn has_hung_up(socket: &SockRef<'_>) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    #[cfg(target_os = "linux")]
    let asked = PollFlags::RDHUP;
    #[cfg(not(target_os = "linux"))]
    let asked = PollFlags::empty();
    let mut fds = [PollFd::new(&**socket, asked)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let n_ready = poll(&mut fds, Some(&at_once))?;
    Ok(n_ready > 0 && fds[0].revents().intersects(asked | PollFlags::HUP | PollFlags::ERR))
}

#[cfg(not(unix))]
fn has_hung_up(_socket: &SockRef<'_>) -> io::Result<bool> {
    Ok(false)
}

impl TransportSocket {
    pub(crate) fn new(owner: Rc<dyn SocketAccess>) -> Self {
        TransportSocket(owner)
    }

    pub(super) fn look<R>(&self, mut look: impl FnMut(SockRef<'_>) -> io::Result<R>) -> io::Result<R> {
        let mut result = Err(io::Error::new(io::ErrorKind::NotConnected, "the socket is closed"));
        self.0.with_socket(&mut |socket| result = look(socket));
        result
    }

    /// The address the socket is bound to.
    pub fn getsockname(&self) -> io::Result<Address> {
        self.look(|socket| address(&socket.local_addr()?))
    }

    /// The address of the peer.
    pub fn getpeername(&self) -> io::Result<Address> {
        self.look(|socket| address(&socket.peer_addr()?))
    }

    /// Whether the peer has ended its stream, or the connection is gone, though what came before may not have been read:
    /// a transport whose reading is paused does not hear of it. Not in asyncio. Always `false` where the operating
    /// system does not say it.
    pub fn has_peer_left(&self) -> io::Result<bool> {
        self.look(|socket| has_hung_up(&socket))
    }

    /// Whether small writes are sent at once; on unless changed.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.look(|socket| socket.tcp_nodelay())
    }

    /// Sets `TCP_NODELAY`.
    pub fn set_nodelay(&self, is_on: bool) -> io::Result<()> {
        self.look(|socket| socket.set_tcp_nodelay(is_on))
    }

    /// Whether the kernel probes an idle connection.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.look(|socket| socket.keepalive())
    }

    /// Sets `SO_KEEPALIVE`.
    pub fn set_keepalive(&self, is_on: bool) -> io::Result<()> {
        self.look(|socket| socket.set_keepalive(is_on))
    }

    /// Whether `SO_REUSEADDR` is set.
    pub fn reuse_address(&self) -> io::Result<bool> {
        self.look(|socket| socket.reuse_address())
    }

    /// Whether `SO_REUSEPORT` is set.
    #[cfg(unix)]
    pub fn reuse_port(&self) -> io::Result<bool> {
        self.look(|socket| socket.reuse_port())
    }

    /// Whether an IPv6 socket takes only IPv6.
    pub fn only_v6(&self) -> io::Result<bool> {
        self.look(|socket| socket.only_v6())
    }

    /// The size of the kernel's send buffer in bytes.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.look(|socket| socket.send_buffer_size())
    }

    /// Sets `SO_SNDBUF`; of a listening socket, accepted ones inherit it. Linux doubles the value.
    pub fn set_send_buffer_size(&self, size: usize) -> io::Result<()> {
        self.look(|socket| socket.set_send_buffer_size(size))
    }

    /// Sets `SO_RCVBUF`.
    pub fn set_recv_buffer_size(&self, size: usize) -> io::Result<()> {
        self.look(|socket| socket.set_recv_buffer_size(size))
    }

    /// Has the socket end with a reset instead of an end of stream: `SO_LINGER` on, with a time of zero.
    ///
    /// `abort` then tells the peer that something went wrong, as a proxy passes it on; otherwise it does so only where
    /// bytes were left unread, as in asyncio. After `close` what is written is still handed to the system, which drops what
    /// the peer has not acknowledged. A time above zero cannot be set: closing the socket would block the loop.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.look(|socket| socket.set_linger(Some(std::time::Duration::ZERO)))
    }

    /// Calls `look` with the file descriptor, for options that have no method here.
    #[cfg(unix)]
    pub fn with_fd<R>(&self, look: impl FnOnce(std::os::fd::BorrowedFd<'_>) -> R) -> io::Result<R> {
        use std::os::fd::AsFd;
        let mut look = Some(look);
        self.look(|socket| match look.take() {
            Some(look) => Ok(look(socket.as_fd())),
            None => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl fmt::Debug for TransportSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.getsockname() {
            Ok(address) => write!(f, "socket at {address}"),
            Err(_) => f.write_str("closed socket"),
        }
    }
}

/// The descriptor of a pipe transport, to look at: asyncio gives the file object that it was made of.
///
/// It cannot read, write or close. Once the pipe is closed its method gives an error of kind `NotConnected`.
#[derive(Clone)]
pub struct TransportPipe(TransportSocket);

impl TransportPipe {
    pub(crate) fn new(owner: Rc<dyn SocketAccess>) -> Self {
        TransportPipe(TransportSocket::new(owner))
    }

    /// Calls `look` with the file descriptor.
    #[cfg(unix)]
    pub fn with_fd<R>(&self, look: impl FnOnce(std::os::fd::BorrowedFd<'_>) -> R) -> io::Result<R> {
        self.0.with_fd(look)
    }
}

impl fmt::Debug for TransportPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_open = self.0.look(|_| Ok(())).is_ok();
        f.write_str(if is_open { "pipe" } else { "closed pipe" })
    }
}

fn address(addr: &SockAddr) -> io::Result<Address> {
    Address::from_sock_addr(addr).ok_or_else(|| {
        io::Error::new(io::ErrorKind::Unsupported, "the socket has neither an internet nor a Unix address")
    })
}
