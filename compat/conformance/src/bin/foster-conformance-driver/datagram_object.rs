//! The protocol objects of datagram endpoints: doors to an [`Actor`].

use std::rc::Rc;

use foster_compat::{Address, DatagramProtocol, DatagramProtocolCell, DatagramTransportRef, Error};
use foster_compat::{IntoDatagramProtocol, Result, Shared, SharedDatagramProtocol};

use crate::actor::Actor;

/// A datagram protocol. It takes `&self` if the command line asks for it, or if it acts on errors.
pub(crate) struct DatagramObject(pub(crate) Rc<Actor>);

impl IntoDatagramProtocol for DatagramObject {
    type Handle = Rc<Actor>;

    fn into_datagram_protocol(self) -> (DatagramProtocolCell, Rc<Actor>) {
        let actor = self.0.clone();
        // A datagram that is too long gives its `error_received` from inside `sendto`, which an exclusive borrow has to
        // put off, and the relaxed rule is about `pause_writing` only.
        let is_shared = self.0.is_shared() || self.0.acts_on_errors();
        let cell = match is_shared {
            true => Shared(SharedObject(self.0)).into_datagram_protocol().0,
            false => ExclusiveObject(self.0).into_datagram_protocol().0,
        };
        (cell, actor)
    }
}

/// A protocol whose callbacks take `&mut self`.
struct ExclusiveObject(Rc<Actor>);

impl DatagramProtocol for ExclusiveObject {
    fn connection_made(&mut self, transport: DatagramTransportRef) -> Result<()> {
        self.0.made(transport)
    }

    fn datagram_received(&mut self, data: &[u8], addr: Address) -> Result<()> {
        self.0.datagram_received(data, addr)
    }

    fn error_received(&mut self, exc: Error) -> Result<()> {
        self.0.error_received(&exc)
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.0.pause()
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.0.resume()
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.0.lost(exc)
    }
}

/// A protocol whose callbacks take `&self`.
struct SharedObject(Rc<Actor>);

impl SharedDatagramProtocol for SharedObject {
    fn connection_made(&self, transport: DatagramTransportRef) -> Result<()> {
        self.0.made(transport)
    }

    fn datagram_received(&self, data: &[u8], addr: Address) -> Result<()> {
        self.0.datagram_received(data, addr)
    }

    fn error_received(&self, exc: Error) -> Result<()> {
        self.0.error_received(&exc)
    }

    fn pause_writing(&self) -> Result<()> {
        self.0.pause()
    }

    fn resume_writing(&self) -> Result<()> {
        self.0.resume()
    }

    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        self.0.lost(exc)
    }
}
