//! What lies between a datagram transport in memory and the rest of its world.

use std::collections::VecDeque;
use std::io;
use std::task::Waker;

use super::datagram_peer::MAX_DATAGRAM;
use super::peer::DEFAULT_CAPACITY;
use crate::asyncio::Address;

/// What each datagram counts beside its bytes, so that empty ones have a size too: the header of UDP, as in asyncio's
/// queue.
const HEADER_SIZE: usize = 8;

/// What lies between.
pub(super) struct DatagramWire {
    /// Came for the transport, which has not received it.
    inbound: Datagrams,
    /// The error that the next call gets: a socket keeps one.
    error: Option<io::Error>,
    /// Sent by the transport, and not read by the peer.
    pub(super) outbound: Datagrams,
    /// How much `outbound` holds.
    pub(super) capacity: usize,
    /// The bytes of the datagram that there was no room for.
    n_wanted: usize,
    /// The only one that the socket hears of.
    pub(super) remote: Option<Address>,
    /// What nobody has received and nobody will.
    pub(super) n_dropped: u64,
    /// Nobody reads what is sent.
    pub(super) is_peer_gone: bool,
    pub(super) is_closed: bool,
    pub(super) peer_wakers: Vec<Waker>,
    pub(super) read_waker: Option<Waker>,
    pub(super) write_waker: Option<Waker>,
}

/// First in, first out.
#[derive(Default)]
pub(super) struct Datagrams {
    queue: VecDeque<(Vec<u8>, Address)>,
    size: usize,
}

impl DatagramWire {
    pub(super) fn new(remote: Option<Address>) -> Self {
        DatagramWire {
            inbound: Datagrams::default(),
            error: None,
            outbound: Datagrams::default(),
            capacity: DEFAULT_CAPACITY,
            n_wanted: 0,
            remote,
            n_dropped: 0,
            is_peer_gone: false,
            is_closed: false,
            peer_wakers: Vec::new(),
            read_waker: None,
            write_waker: None,
        }
    }

    // ---- the peer's end

    /// A datagram arrives, if the socket is there, hears of its sender, and has room for it.
    pub(super) fn arrive(&mut self, data: &[u8], from: Address) {
        let is_heard = !self.is_closed && self.remote.as_ref().is_none_or(|remote| *remote == from);
        if is_heard && self.inbound.has_room(data.len(), DEFAULT_CAPACITY) {
            self.inbound.push(data, from);
        } else {
            self.n_dropped += 1;
        }
    }

    pub(super) fn fail(&mut self, err: io::Error) {
        if !self.is_closed {
            self.error = Some(err);
        }
    }

    /// Nobody is there any more: what is sent goes nowhere.
    pub(super) fn leave(&mut self) {
        self.is_peer_gone = true;
        self.outbound.take();
    }

    /// Whom a change may concern.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        let mut wakers = std::mem::take(&mut self.peer_wakers);
        if self.is_recv_ready() {
            wakers.extend(self.read_waker.take());
        }
        if self.is_send_ready() {
            wakers.extend(self.write_waker.take());
        }
        wakers
    }

    // ---- the transport's end

    /// What was not received is lost.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.error = None;
        self.n_dropped += self.inbound.take().len() as u64;
    }

    pub(super) fn is_recv_ready(&self) -> bool {
        self.error.is_some() || !self.inbound.is_empty()
    }

    pub(super) fn is_send_ready(&self) -> bool {
        self.is_peer_gone || self.outbound.has_room(self.n_wanted, self.capacity)
    }

    /// What does not fit into the buffer is lost.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        if let Some(err) = self.error.take() {
            return Err(err);
        }
        let (data, from) = self.inbound.pop().ok_or(io::ErrorKind::WouldBlock)?;
        let n = io::Read::read(&mut data.as_slice(), buffer)?;
        Ok((n, from))
    }

    pub(super) fn send(&mut self, data: &[u8], to: &Address) -> io::Result<()> {
        if let Some(err) = self.error.take() {
            return Err(err);
        }
        if data.len() > MAX_DATAGRAM {
            return Err(message_too_long());
        }
        if self.is_peer_gone {
            return Ok(());
        }
        if !self.outbound.has_room(data.len(), self.capacity) {
            self.n_wanted = data.len();
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.outbound.push(data, to.clone());
        Ok(())
    }
}

impl Datagrams {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<(Vec<u8>, Address)> {
        let datagram = self.queue.pop_front()?;
        self.size -= datagram.0.len() + HEADER_SIZE;
        Some(datagram)
    }

    pub(super) fn take(&mut self) -> Vec<(Vec<u8>, Address)> {
        std::mem::take(self).queue.into()
    }

    fn push(&mut self, data: &[u8], addr: Address) {
        self.size += data.len() + HEADER_SIZE;
        self.queue.push_back((data.to_vec(), addr));
    }

    /// A datagram that is larger than all the room fits once that is free.
    fn has_room(&self, n: usize, capacity: usize) -> bool {
        capacity > 0 && (self.is_empty() || self.size + n + HEADER_SIZE <= capacity)
    }
}

#[cfg(unix)]
fn message_too_long() -> io::Error {
    rustix::io::Errno::MSGSIZE.into()
}

#[cfg(not(unix))]
fn message_too_long() -> io::Error {
    // WSAEMSGSIZE.
    io::Error::from_raw_os_error(10040)
}
