//! [`DatagramTransportRef`]: how datagram protocols hold a transport.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures::FutureExt;

use super::protocol_cell::{DatagramProtocolCell, IntoDatagramProtocol};
use super::transport::DatagramTransport;
use crate::asyncio::exceptions::connection_lost;
use crate::asyncio::extra_info::{Address, ExtraInfo, TransportSocket};
use crate::asyncio::transport::BaseTransport;
use crate::error::{Error, Result};
use crate::nursery::{Outcome, primitive};
use crate::runtime::log_warning;

/// A datagram transport as protocols hold it: a cheap clone that derefs to [`dyn DatagramTransport`](DatagramTransport).
///
/// The default is a detached transport, so that a protocol needs no `Option` before `connection_made`: it is closing,
/// and what is sent to it is counted and dropped with a warning. Equality, hash and `Debug` go by identity.
#[derive(Clone)]
pub struct DatagramTransportRef(Rc<dyn DatagramTransport>);

impl DatagramTransportRef {
    /// Wraps a transport of the program's own.
    pub fn new(transport: Rc<dyn DatagramTransport>) -> Self {
        DatagramTransportRef(transport)
    }

    /// Starts a task that is cancelled when the transport ends. Its error ends the transport. On one that has ended
    /// already it is dropped, with a warning.
    pub fn start_soon<F>(&self, task: F)
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        let name = std::any::type_name::<F>();
        self.0.start_soon_boxed(name, Box::pin(task.map(Outcome::into_result)));
    }

    /// Gives the transport another protocol: `transport.set_protocol`. The next callback is the new one's; its
    /// `connection_made` is not called.
    pub fn set_protocol<P: IntoDatagramProtocol>(&self, protocol: P) -> P::Handle {
        let (cell, handle) = protocol.into_datagram_protocol();
        self.0.set_protocol_cell(cell);
        handle
    }

    /// Waits until `connection_lost` has been called, and gives what it was given.
    pub async fn closed(&self) -> Option<Error> {
        primitive("a datagram endpoint to close", poll_fn(|cx| self.0.poll_closed(cx))).await
    }

    /// Waits until the protocol may send again.
    ///
    /// # Errors
    ///
    /// A connection reset error, `Connection lost`, if the transport has ended.
    pub async fn drained(&self) -> Result<()> {
        primitive("a datagram endpoint to drain", poll_fn(|cx| self.0.poll_drained(cx))).await
    }

    /// The address of the peer, of a connected endpoint: `get_extra_info("peername")`.
    pub fn peername(&self) -> Option<Address> {
        self.get_extra_info("peername").and_then(ExtraInfo::into_address)
    }

    /// The own address: `get_extra_info("sockname")`.
    pub fn sockname(&self) -> Option<Address> {
        self.get_extra_info("sockname").and_then(ExtraInfo::into_address)
    }

    /// The socket, for its options: `get_extra_info("socket")`.
    pub fn socket(&self) -> Option<TransportSocket> {
        self.get_extra_info("socket").and_then(ExtraInfo::into_socket)
    }

    fn address(&self) -> *const () {
        Rc::as_ptr(&self.0).cast()
    }
}

impl Deref for DatagramTransportRef {
    type Target = dyn DatagramTransport;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Default for DatagramTransportRef {
    fn default() -> Self {
        thread_local!(static DETACHED: Rc<Detached> = Rc::default());
        DatagramTransportRef(DETACHED.try_with(Rc::clone).unwrap_or_default())
    }
}

impl PartialEq for DatagramTransportRef {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for DatagramTransportRef {}

impl Hash for DatagramTransportRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address().hash(state);
    }
}

impl fmt::Debug for DatagramTransportRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_closing() { "closing" } else { "open" };
        match (self.sockname(), self.peername()) {
            (Some(own), Some(peer)) => write!(f, "datagram transport from {own} to {peer} ({state})"),
            (Some(own), None) => write!(f, "datagram transport at {own} ({state})"),
            _ => write!(f, "datagram transport ({state}) at {:p}", self.address()),
        }
    }
}

/// The transport before `connection_made`, shared by a thread's protocols.
#[derive(Default)]
struct Detached {
    n_sends: Cell<u64>,
}

impl BaseTransport for Detached {
    fn get_extra_info(&self, _name: &str) -> Option<ExtraInfo> {
        None
    }

    fn set_extra_info(&self, _name: &'static str, _value: ExtraInfo) {}

    fn is_closing(&self) -> bool {
        true
    }

    fn close(&self) {}

    fn start_soon_boxed(&self, name: &'static str, _task: Pin<Box<dyn Future<Output = Result<()>>>>) {
        log_warning(&format!("a task of a detached transport was not started: {name}"));
    }

    fn poll_closed(&self, _cx: &mut Context<'_>) -> Poll<Option<Error>> {
        Poll::Ready(None)
    }
}

impl DatagramTransport for Detached {
    fn sendto(&self, _data: &[u8], _addr: Option<&Address>) -> Result<()> {
        self.n_sends.set(self.n_sends.get() + 1);
        let n = self.n_sends.get();
        log_warning(&format!("a datagram of a detached transport was dropped, the {n}. on this thread"));
        Ok(())
    }

    fn abort(&self) {}

    fn get_write_buffer_size(&self) -> usize {
        0
    }

    fn get_write_buffer_limits(&self) -> (usize, usize) {
        (0, 0)
    }

    fn set_write_buffer_limits(&self, _high: Option<usize>, _low: Option<usize>) -> Result<()> {
        Ok(())
    }

    fn is_writing_paused(&self) -> bool {
        false
    }

    fn is_reading(&self) -> bool {
        false
    }

    fn pause_reading(&self) {}

    fn resume_reading(&self) {}

    fn poll_drained(&self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Err(connection_lost()))
    }

    fn set_protocol_cell(&self, _protocol: DatagramProtocolCell) {}

    fn get_protocol(&self) -> Option<DatagramProtocolCell> {
        None
    }
}
