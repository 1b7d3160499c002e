//! The sockets that a stream transport runs on, behind one narrow trait.

use std::fs::File;
use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::task::{Context, Poll};

use socket2::{SockAddr, SockRef};
use tokio::io::Interest;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::extra_info::Address;

/// A non-blocking byte stream with readiness: what [`StreamTransport`](super::stream_transport::StreamTransport)
/// needs of a socket.
pub(crate) trait StreamIo: 'static {
    /// A pipe has one half, and some habits of its own; a constant, so that sockets pay nothing for it.
    const HALF: Half = Half::Both;

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether a read would find bytes, the end of the stream or an error. Readiness alone may be a guess.
    fn has_input(&self) -> bool {
        true
    }

    /// Reads what there is. A read that comes back short has also found that there is no more until the next event.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        self.try_write_vectored(&[IoSlice::new(data)])
    }

    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Has the system send a part of a file; an error of kind `Unsupported` where it does not.
    fn try_sendfile(&self, _file: &File, _offset: u64, _count: usize) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn shutdown_write(&self) -> io::Result<()>;

    /// The connection ends without a goodbye: it was aborted or has failed. Dropping a socket needs no other.
    fn abandon(&self) {}

    fn peername(&self) -> Option<Address>;
    fn sockname(&self) -> Option<Address>;

    /// Lends the socket, if there is one of the operating system.
    fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>));
}

/// Which halves of a [`Transport`](super::transport::Transport) work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// A socket.
    Both,
    /// The reading end of a pipe.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no pipes"))]
    Read,
    /// The writing end of a pipe: readable once nobody reads from it any more.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no pipes"))]
    Write,
}

macro_rules! stream_io {
    ($stream:ty) => {
        impl StreamIo for $stream {
            fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                <$stream>::poll_read_ready(self, cx)
            }

            fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                <$stream>::poll_write_ready(self, cx)
            }

            fn has_input(&self) -> bool {
                let mut byte = [MaybeUninit::uninit()];
                let peeked = self.try_io(Interest::READABLE, || SockRef::from(self).peek(&mut byte));
                !matches!(peeked, Err(err) if err.kind() == io::ErrorKind::WouldBlock)
            }

            // tokio clears the readiness that it knew of before an operation that would block, and only that: an
            // event that comes in during the read, from another thread, is kept.
            fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                let capacity = buffer.len();
                let mut n_read = None;
                let outcome = self.try_io(Interest::READABLE, || {
                    let n = (&*SockRef::from(self)).read(buffer)?;
                    n_read = Some(n);
                    if 0 < n && n < capacity { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(n) }
                });
                n_read.map_or(outcome, Ok)
            }

            fn try_write(&self, data: &[u8]) -> io::Result<usize> {
                <$stream>::try_write(self, data)
            }

            fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
                <$stream>::try_write_vectored(self, pieces)
            }

            #[cfg(any(target_os = "linux", target_os = "android"))]
            fn try_sendfile(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
                let mut offset = offset;
                self.try_io(Interest::WRITABLE, || Ok(rustix::fs::sendfile(self, file, Some(&mut offset), count)?))
            }

            fn shutdown_write(&self) -> io::Result<()> {
                SockRef::from(self).shutdown(Shutdown::Write)
            }

            fn peername(&self) -> Option<Address> {
                address(SockRef::from(self).peer_addr())
            }

            fn sockname(&self) -> Option<Address> {
                address(SockRef::from(self).local_addr())
            }

            fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>)) {
                look(SockRef::from(self));
            }
        }
    };
}

stream_io!(TcpStream);
#[cfg(unix)]
stream_io!(UnixStream);

fn address(addr: io::Result<SockAddr>) -> Option<Address> {
    Address::from_sock_addr(&addr.ok()?)
}
