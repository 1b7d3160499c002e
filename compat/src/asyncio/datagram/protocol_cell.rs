//! Datagram protocols as a transport holds them: behind one of two doors, and called one way.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::protocol::{DatagramProtocol, SharedDatagramProtocol};
use super::transport_ref::DatagramTransportRef;
use crate::asyncio::extra_info::Address;
use crate::asyncio::protocol_cell::{ProtocolHandle, Shared};
use crate::error::{Error, Result};

/// A datagram protocol of either kind with its type erased, as transports hold it.
#[derive(Clone)]
pub struct DatagramProtocolCell(Kind);

#[derive(Clone)]
enum Kind {
    Exclusive(Rc<RefCell<dyn DatagramProtocol>>),
    Shared(Rc<dyn SharedDatagramProtocol>),
}

/// A callback that both kinds have.
pub(super) enum Call<'a> {
    Made(DatagramTransportRef),
    Received(&'a [u8], Address),
    Error(Error),
    Pause,
    Resume,
    Lost(Option<Error>),
}

impl DatagramProtocolCell {
    /// Whether a callback borrows the protocol for itself, so that none can come from inside another.
    pub(super) fn is_exclusive(&self) -> bool {
        matches!(self.0, Kind::Exclusive(_))
    }

    pub(super) fn call(&self, call: Call<'_>) -> Result<()> {
        match &self.0 {
            Kind::Exclusive(protocol) => {
                let mut protocol = protocol.borrow_mut();
                match call {
                    Call::Made(transport) => protocol.connection_made(transport),
                    Call::Received(data, addr) => protocol.datagram_received(data, addr),
                    Call::Error(exc) => protocol.error_received(exc),
                    Call::Pause => protocol.pause_writing(),
                    Call::Resume => protocol.resume_writing(),
                    Call::Lost(exc) => protocol.connection_lost(exc),
                }
            }
            Kind::Shared(protocol) => match call {
                Call::Made(transport) => protocol.connection_made(transport),
                Call::Received(data, addr) => protocol.datagram_received(data, addr),
                Call::Error(exc) => protocol.error_received(exc),
                Call::Pause => protocol.pause_writing(),
                Call::Resume => protocol.resume_writing(),
                Call::Lost(exc) => protocol.connection_lost(exc),
            },
        }
    }

    /// Whether both are the same protocol object: `is`.
    pub fn ptr_eq(&self, other: &DatagramProtocolCell) -> bool {
        self.address() == other.address()
    }

    fn address(&self) -> *const () {
        match &self.0 {
            Kind::Exclusive(protocol) => Rc::as_ptr(protocol).cast(),
            Kind::Shared(protocol) => Rc::as_ptr(protocol).cast(),
        }
    }
}

impl fmt::Debug for DatagramProtocolCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "datagram protocol at {:p}", self.address())
    }
}

/// What the factory of a datagram endpoint may return: a [`DatagramProtocol`], or a [`SharedDatagramProtocol`] in
/// [`Shared`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no datagram protocol",
    label = "the factory of a datagram endpoint has to return a datagram protocol",
    note = "implement `DatagramProtocol` for it, or wrap a `SharedDatagramProtocol`: `Shared(p)`"
)]
pub trait IntoDatagramProtocol: 'static {
    /// The program's way to the protocol while the transport holds it.
    type Handle: Clone + 'static;

    /// The protocol erased, and the handle.
    #[doc(hidden)]
    fn into_datagram_protocol(self) -> (DatagramProtocolCell, Self::Handle);
}

impl<P: DatagramProtocol> IntoDatagramProtocol for P {
    type Handle = ProtocolHandle<P>;

    fn into_datagram_protocol(self) -> (DatagramProtocolCell, Self::Handle) {
        let protocol = Rc::new(RefCell::new(self));
        (DatagramProtocolCell(Kind::Exclusive(protocol.clone())), ProtocolHandle::new(protocol))
    }
}

impl<P: SharedDatagramProtocol> IntoDatagramProtocol for Shared<P> {
    type Handle = Rc<P>;

    fn into_datagram_protocol(self) -> (DatagramProtocolCell, Self::Handle) {
        let protocol = Rc::new(self.0);
        (DatagramProtocolCell(Kind::Shared(protocol.clone())), protocol)
    }
}
