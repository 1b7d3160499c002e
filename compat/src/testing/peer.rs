//! [`Peer`]: the other end of a connection, for the test to hold.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::faults::Faults;
use super::wire::Wire;
use crate::nursery::primitive;

/// How many unread bytes a [`Peer`] or a [`DatagramPeer`](super::DatagramPeer) takes unless set: Linux's `net.core.rmem_default`.
pub const DEFAULT_CAPACITY: usize = 212_992;

/// The other end of a connection that [`connect`](super::connect) has made.
///
/// What it does reaches the protocol in the next turn of the loop, as it would from a socket. Dropping it closes it: the
/// protocol sees the end of the stream, or a reset if the peer has left bytes unread.
pub struct Peer {
    pub(super) wire: Rc<RefCell<Wire>>,
    port: u16,
}

impl Peer {
    pub(super) fn new(wire: Rc<RefCell<Wire>>, port: u16) -> Self {
        Peer { wire, port }
    }

    /// The port of this end, as the protocol sees it in its `peername`.
    pub fn port(&self) -> u16 {
        self.port
    }

    // ---- sending

    /// Sends bytes to the protocol, which reads up to 256 KiB of them a turn.
    ///
    /// If the transport has closed the connection already they are lost, and the peer is reset; after a reset on the
    /// wire they are lost.
    ///
    /// # Panics
    ///
    /// After [`close_write`](Peer::close_write), [`close`](Peer::close) or [`reset`](Peer::reset).
    pub fn send(&self, data: impl AsRef<[u8]>) {
        let is_sent = self.change(|wire| wire.send(data.as_ref()));
        assert!(is_sent, "the peer has closed its writing side: it can send no more");
    }

    /// Sends no more: the protocol gets `eof_received`. Reading goes on. Idempotent.
    pub fn close_write(&self) {
        self.change(Wire::send_eof);
    }

    /// Resets the connection: the protocol still gets what was sent, then `connection_lost` with an `io::Error` of kind
    /// `ConnectionReset`. What the peer has not read is lost.
    pub fn reset(&self) {
        self.change(Wire::send_reset);
    }

    /// Closes the connection, as dropping it does: the protocol sees the end of the stream, or a reset if the peer has
    /// left bytes unread. What the transport writes from now on is lost, and is answered with a reset. Idempotent.
    pub fn close(&self) {
        self.change(Wire::leave);
    }

    // ---- the wire

    /// Sets what goes wrong on the wire from now on, in place of what was set before; the bytes after which it is reset
    /// are counted from here. `Faults::new()` heals it.
    pub fn inject(&self, faults: Faults) {
        self.change(|wire| wire.inject(faults));
    }

    /// How many bytes that were sent the transport has not read: those of a protocol that has paused reading.
    pub fn n_waiting(&self) -> usize {
        self.wire.borrow().inbound.len()
    }

    // ---- receiving

    /// Sets how many unread bytes the peer takes, the buffers of both kernels together; 0 takes none. What the
    /// transport writes beyond stays in its write buffer.
    pub fn set_capacity(&self, n: usize) {
        self.change(|wire| wire.capacity = n);
    }

    /// Takes what has come, possibly nothing, without waiting. That makes room for as much.
    pub fn received(&self) -> Vec<u8> {
        self.change(|wire| Vec::from(std::mem::take(&mut wire.outbound)))
    }

    /// How many bytes have come and are not read.
    pub fn n_unread(&self) -> usize {
        self.wire.borrow().outbound.len()
    }

    /// How many writes have reached the peer: what the operating system would have been called for.
    pub fn n_writes(&self) -> u64 {
        self.wire.borrow().n_writes
    }

    /// Waits for bytes and takes what has come; empty once there will be no more.
    pub async fn read(&self) -> Vec<u8> {
        self.wait(|wire| !wire.outbound.is_empty()).await;
        self.received()
    }

    /// Waits for bytes and takes at most `n` of them; empty once there will be no more, or for `n` = 0.
    pub async fn read_up_to(&self, n: usize) -> Vec<u8> {
        self.wait(|wire| !wire.outbound.is_empty() || n == 0).await;
        self.change(|wire| {
            let n_here = n.min(wire.outbound.len());
            wire.outbound.drain(..n_here).collect()
        })
    }

    /// Reads `n` bytes, or fewer if there will be no more.
    pub async fn read_exactly(&self, n: usize) -> Vec<u8> {
        let mut data = Vec::new();
        while data.len() < n {
            let more = self.read_up_to(n - data.len()).await;
            if more.is_empty() {
                break;
            }
            data.extend(more);
        }
        data
    }

    /// Reads until the transport closes the connection or its writing side.
    pub async fn read_to_end(&self) -> Vec<u8> {
        let mut data = Vec::new();
        loop {
            let more = self.read().await;
            if more.is_empty() {
                return data;
            }
            data.extend(more);
        }
    }

    /// Waits until the transport has closed the connection; reads nothing.
    pub async fn closed(&self) {
        let closed = poll_fn(|cx| {
            let mut wire = self.wire.borrow_mut();
            if wire.is_closed {
                return Poll::Ready(());
            }
            wire.peer_wakers.push(cx.waker().clone());
            Poll::Pending
        });
        primitive("a transport to close", closed).await;
    }

    // ---- looking

    /// Whether the transport sends no more: after `write_eof`, or closed.
    pub fn is_eof(&self) -> bool {
        self.wire.borrow().has_fin
    }

    /// Whether the transport has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.wire.borrow().is_closed
    }

    /// Whether the peer was reset: the transport has closed the connection with bytes of the peer unread, or the wire has
    /// had a reset.
    pub fn is_reset(&self) -> bool {
        self.wire.borrow().is_peer_reset
    }

    async fn wait(&self, is_there: impl Fn(&Wire) -> bool) {
        let there = poll_fn(|cx| {
            let mut wire = self.wire.borrow_mut();
            if is_there(&wire) || wire.is_over() {
                return Poll::Ready(());
            }
            wire.peer_wakers.push(cx.waker().clone());
            Poll::Pending
        });
        primitive("bytes of a transport", there).await;
    }

    /// Changes the state, then tells everybody whom it may concern.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Wire) -> R) -> R {
        let mut wire = self.wire.borrow_mut();
        let result = change(&mut wire);
        let wakers = wire.take_wakers();
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_closed() { "closed" } else { "open" };
        write!(f, "Peer({state}, {} bytes unread)", self.n_unread())
    }
}
