//! [`DatagramPeer`]: everybody that a datagram transport in memory talks with, for the test to hold.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::datagram_wire::DatagramWire;
use super::memory_datagrams::MemoryDatagrams;
use crate::asyncio::{Address, DatagramEndpoint, DatagramTransportRef, IntoDatagramProtocol, LoopState};
use crate::nursery::{Nursery, primitive};

/// The longest datagram in bytes: UDP's over IPv4.
pub const MAX_DATAGRAM: usize = 65_507;

/// Gives `protocol` a datagram transport that is bound and not connected, as `create_datagram_endpoint` with a
/// `local_addr` does, without a network; `connection_made` comes in the next turn.
///
/// Anybody may send to it: the test says who, see [`DatagramPeer`]. All else is as with [`connect`](super::connect):
/// the transport is the one that a socket has, a child of `nursery`, with made-up addresses.
///
/// # Panics
///
/// With one sentence if the nursery is closed.
///
/// # Examples
///
/// A protocol that answers, and an answer that has to wait in paused time:
///
/// ```
/// use std::time::Duration;
///
/// use foster_compat::{Address, DatagramProtocol, DatagramTransportRef, Result, open_nursery, run_here, sleep, testing};
///
/// #[derive(Default)]
/// struct Slow {
///     transport: DatagramTransportRef,
/// }
///
/// impl DatagramProtocol for Slow {
///     fn connection_made(&mut self, transport: DatagramTransportRef) -> Result<()> {
///         self.transport = transport;
///         Ok(())
///     }
///
///     fn datagram_received(&mut self, data: &[u8], addr: Address) -> Result<()> {
///         let (transport, data) = (self.transport.clone(), data.to_vec());
///         self.transport.start_soon(async move {
///             sleep(Duration::from_secs(3600)).await;
///             transport.sendto(&data, Some(&addr))
///         });
///         Ok(())
///     }
/// }
///
/// // In a test: #[tokio::test(start_paused = true)]
/// #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn main() -> Result<()> {
///     run_here(open_nursery(async |nursery| {
///         let (transport, _handle, peer) = testing::bind_datagram(&nursery, Slow::default());
///         let ada: std::net::SocketAddr = "192.0.2.9:53".parse()?;
///         peer.send("from whoever");
///         peer.send_from("from ada", ada);
///         assert_eq!(peer.read().await, Some((b"from whoever".to_vec(), peer.address())));
///         assert_eq!(peer.read().await, Some((b"from ada".to_vec(), ada.into())));
///         transport.close();
///         assert_eq!(peer.read().await, None);
///         Ok(())
///     }))
///     .await?;
///     Ok(())
/// }
/// ```
pub fn bind_datagram<P: IntoDatagramProtocol>(
    nursery: &Nursery,
    protocol: P,
) -> (DatagramTransportRef, P::Handle, DatagramPeer) {
    start(nursery, protocol, false)
}

/// As [`bind_datagram`], but connected, as with a `remote_addr`: `sendto` without an address goes to the
/// [`address`](DatagramPeer::address) of the peer, and nobody else is heard.
///
/// # Panics
///
/// With one sentence if the nursery is closed.
pub fn connect_datagram<P: IntoDatagramProtocol>(
    nursery: &Nursery,
    protocol: P,
) -> (DatagramTransportRef, P::Handle, DatagramPeer) {
    start(nursery, protocol, true)
}

fn start<P: IntoDatagramProtocol>(
    nursery: &Nursery,
    protocol: P,
    is_connected: bool,
) -> (DatagramTransportRef, P::Handle, DatagramPeer) {
    let (cell, handle) = protocol.into_datagram_protocol();
    let (io, peer) = MemoryDatagrams::pair(is_connected);
    let remote = is_connected.then(|| peer.address());
    let lp = LoopState::of(nursery.core());
    let endpoint = DatagramEndpoint::start(&lp, nursery, cell, io, remote, false)
        .unwrap_or_else(|_| panic!("the nursery is closed: it has ended and takes no new endpoints"));
    (DatagramTransportRef::new(endpoint), handle, peer)
}

/// Everybody that a datagram transport in memory talks with: it sends from any address, and gets what is sent to any.
///
/// What it does reaches the protocol in the next turn of the loop. As with UDP, nothing tells the protocol that the
/// peer was dropped: what is sent from then on goes nowhere. Loss, repetition and disorder need no help: leave a
/// datagram out, send it twice, or send it later.
pub struct DatagramPeer {
    wire: Rc<RefCell<DatagramWire>>,
    address: Address,
}

impl DatagramPeer {
    pub(super) fn new(wire: Rc<RefCell<DatagramWire>>, address: Address) -> Self {
        DatagramPeer { wire, address }
    }

    /// Where [`send`](DatagramPeer::send) sends from: 192.0.2.2, port 50000.
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    // ---- sending

    /// Sends a datagram, perhaps an empty one.
    ///
    /// [`DEFAULT_CAPACITY`](super::DEFAULT_CAPACITY) bytes of what the protocol has not received are kept, with 8 more
    /// for each datagram, which matters while reading is paused. What comes beyond, and what comes after the end of the
    /// transport, is dropped, as a kernel drops it.
    ///
    /// # Panics
    ///
    /// If it is longer than [`MAX_DATAGRAM`].
    pub fn send(&self, data: impl AsRef<[u8]>) {
        self.send_from(data, self.address());
    }

    /// As [`send`](DatagramPeer::send), from another address; a connected transport drops it.
    ///
    /// # Panics
    ///
    /// If it is longer than [`MAX_DATAGRAM`].
    pub fn send_from(&self, data: impl AsRef<[u8]>, addr: impl Into<Address>) {
        let data = data.as_ref();
        assert!(data.len() <= MAX_DATAGRAM, "a datagram has at most {MAX_DATAGRAM} bytes, this has {}", data.len());
        self.change(|wire| wire.arrive(data, addr.into()));
    }

    /// Has the next receive or send of the transport fail, whichever comes first: the protocol gets `error_received`,
    /// ahead of the datagrams that have come. With an error of kind `ConnectionRefused` nobody listens where it has sent
    /// to. One error is kept, the last.
    pub fn fail(&self, err: io::Error) {
        self.change(|wire| wire.fail(err));
    }

    // ---- receiving

    /// Takes what was sent and to whom, possibly nothing, without waiting.
    pub fn received(&self) -> Vec<(Vec<u8>, Address)> {
        self.change(|wire| wire.outbound.take())
    }

    /// Waits for a datagram; `None` once there will be no more.
    pub async fn read(&self) -> Option<(Vec<u8>, Address)> {
        let there = poll_fn(|cx| {
            let mut wire = self.wire.borrow_mut();
            if !wire.outbound.is_empty() || wire.is_closed {
                return Poll::Ready(());
            }
            wire.peer_wakers.push(cx.waker().clone());
            Poll::Pending
        });
        primitive("a datagram of a transport", there).await;
        self.change(|wire| wire.outbound.pop())
    }

    /// Sets how many bytes the system takes that are not read here, with 8 more for each datagram; 0 takes none. What
    /// the transport sends beyond stays in its write buffer. A single datagram is taken even if it is longer.
    pub fn set_capacity(&self, n: usize) {
        self.change(|wire| wire.capacity = n);
    }

    // ---- looking

    /// How many datagrams have come and are not read.
    pub fn n_unread(&self) -> usize {
        self.wire.borrow().outbound.len()
    }

    /// How many datagrams for the transport were dropped.
    pub fn n_dropped(&self) -> u64 {
        self.wire.borrow().n_dropped
    }

    /// Whether the transport has ended.
    pub fn is_closed(&self) -> bool {
        self.wire.borrow().is_closed
    }

    /// Changes the state, then tells everybody whom it may concern.
    fn change<R>(&self, change: impl FnOnce(&mut DatagramWire) -> R) -> R {
        let mut wire = self.wire.borrow_mut();
        let result = change(&mut wire);
        let wakers = wire.take_wakers();
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

impl Drop for DatagramPeer {
    fn drop(&mut self) {
        self.change(DatagramWire::leave);
    }
}

impl fmt::Debug for DatagramPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_closed() { "closed" } else { "open" };
        write!(f, "DatagramPeer({state}, {} unread)", self.n_unread())
    }
}
