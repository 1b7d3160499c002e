//! The transport's end of a connection in memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;

use super::peer::{DEFAULT_CAPACITY, Peer};
use crate::asyncio::{Address, StreamIo};

/// What the addresses of the two ends are, from the block for documentation (RFC 5737).
const SOCKNAME: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 8888);
const PEERNAME: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 2), 50000);

/// A stream that behaves as a connected socket of Linux does, without one.
pub(super) struct MemoryStream {
    wire: Rc<RefCell<Wire>>,
}

/// What lies between the two ends.
pub(super) struct Wire {
    /// Sent by the peer, not yet read by the transport.
    pub(super) inbound: VecDeque<u8>,
    /// Sent by the transport, not yet read by the peer: what the kernel has taken.
    pub(super) outbound: VecDeque<u8>,
    /// How much `outbound` holds.
    pub(super) capacity: usize,
    pub(super) fault: Fault,
    /// The peer sends no more.
    pub(super) has_peer_closed_write: bool,
    /// The peer has gone: a write finds out.
    pub(super) is_peer_gone: bool,
    /// The transport sends no more.
    pub(super) has_fin: bool,
    /// The transport has gone while bytes of the peer were unread.
    pub(super) is_peer_reset: bool,
    pub(super) is_closed: bool,
    pub(super) n_writes: u64,
    pub(super) peer_wakers: Vec<Waker>,
    read_waker: Option<Waker>,
    write_waker: Option<Waker>,
}

/// A reset of the connection as the transport's end sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The next call gets the error.
    Pending,
    /// Reads give the end of the stream, writes a broken pipe.
    Told,
}

impl MemoryStream {
    pub(super) fn pair() -> (Self, Peer) {
        let wire = Rc::new(RefCell::new(Wire {
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            capacity: DEFAULT_CAPACITY,
            fault: Fault::None,
            has_peer_closed_write: false,
            is_peer_gone: false,
            has_fin: false,
            is_peer_reset: false,
            is_closed: false,
            n_writes: 0,
            peer_wakers: Vec::new(),
            read_waker: None,
            write_waker: None,
        }));
        (MemoryStream { wire: wire.clone() }, Peer::new(wire))
    }

    fn write(&self, pieces: &[&[u8]]) -> io::Result<usize> {
        let mut wire = self.wire.borrow_mut();
        match wire.fault {
            Fault::None if wire.has_fin => return Err(io::ErrorKind::BrokenPipe.into()),
            Fault::None => {}
            Fault::Pending => {
                wire.fault = Fault::Told;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Fault::Told => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        let wanted = pieces.iter().map(|piece| piece.len()).sum();
        let n = if wire.is_peer_gone {
            // The kernel takes the bytes; what comes back is a reset.
            wire.fault = Fault::Pending;
            wanted
        } else {
            let room = wire.room().min(wanted);
            if room == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            wire.outbound.extend(pieces.iter().copied().flatten().take(room));
            room
        };
        wire.n_writes += 1;
        let wakers = wire.take_wakers();
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
        Ok(n)
    }
}

impl Wire {
    pub(super) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.outbound.len())
    }

    fn is_read_ready(&self) -> bool {
        !self.inbound.is_empty() || self.has_peer_closed_write || self.fault != Fault::None
    }

    fn is_write_ready(&self) -> bool {
        self.room() > 0 || self.is_peer_gone || self.fault != Fault::None || self.has_fin
    }

    /// Everybody who may find something changed, to be woken when the borrow has ended.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        let mut wakers = std::mem::take(&mut self.peer_wakers);
        if self.is_read_ready() {
            wakers.extend(self.read_waker.take());
        }
        if self.is_write_ready() {
            wakers.extend(self.write_waker.take());
        }
        wakers
    }
}

impl StreamIo for MemoryStream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.wire.borrow_mut();
        if wire.is_read_ready() {
            return Poll::Ready(Ok(()));
        }
        wire.read_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.wire.borrow_mut();
        if wire.is_write_ready() {
            return Poll::Ready(Ok(()));
        }
        wire.write_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.wire.borrow_mut();
        // What came before a reset can still be read.
        if !wire.inbound.is_empty() {
            return io::Read::read(&mut wire.inbound, buffer);
        }
        match wire.fault {
            Fault::Pending => {
                wire.fault = Fault::Told;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            Fault::Told => Ok(0),
            Fault::None if wire.has_peer_closed_write => Ok(0),
            Fault::None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        self.write(&[data])
    }

    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| &**piece).collect();
        self.write(&pieces)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        let mut wire = self.wire.borrow_mut();
        wire.has_fin = true;
        let wakers = wire.take_wakers();
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn peername(&self) -> Option<Address> {
        Some(Address::Inet(SocketAddr::from(PEERNAME)))
    }

    fn sockname(&self) -> Option<Address> {
        Some(Address::Inet(SocketAddr::from(SOCKNAME)))
    }

    fn with_socket(&self, _look: &mut dyn FnMut(SockRef<'_>)) {}
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        let mut wire = self.wire.borrow_mut();
        wire.is_closed = true;
        wire.has_fin = true;
        // As the kernel: whoever closes with bytes unread answers with a reset.
        wire.is_peer_reset |= !wire.inbound.is_empty();
        wire.inbound = VecDeque::new();
        let wakers = std::mem::take(&mut wire.peer_wakers);
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
    }
}
