//! The objects that the library calls: one for each kind of protocol, all of them a door to an [`Actor`].

use std::rc::Rc;

use foster_compat::{Buffered, BufferedProtocol, Error, IntoProtocol, Protocol, ProtocolCell, Result};
use foster_compat::{Shared, SharedProtocol, TransportRef};

use crate::actor::Actor;
use crate::protocol_spec::ProtocolKind;

/// A protocol of a stream, of the kind that the scenario and the command line ask for.
pub(crate) struct ProtocolObject(pub(crate) Rc<Actor>);

impl IntoProtocol for ProtocolObject {
    type Handle = Rc<Actor>;

    fn into_protocol(self) -> (ProtocolCell, Rc<Actor>) {
        let actor = self.0.clone();
        let cell = match self.0.kind() {
            ProtocolKind::Buffered => Buffered(BufferedObject { actor: self.0, buffer: Vec::new() }).into_protocol().0,
            _ if self.0.is_shared() => Shared(SharedObject(self.0)).into_protocol().0,
            _ => ExclusiveObject(self.0).into_protocol().0,
        };
        (cell, actor)
    }
}

/// A protocol whose callbacks take `&mut self`.
struct ExclusiveObject(Rc<Actor>);

impl Protocol for ExclusiveObject {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.0.made(transport)
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.0.received("data", data)
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.0.eof()
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

impl SharedProtocol for SharedObject {
    fn connection_made(&self, transport: TransportRef) -> Result<()> {
        self.0.made(transport)
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.0.received("data", data)
    }

    fn eof_received(&self) -> Result<bool> {
        self.0.eof()
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

/// A protocol with a buffer of its own; there is only the kind that takes `&mut self`.
struct BufferedObject {
    actor: Rc<Actor>,
    buffer: Vec<u8>,
}

impl BufferedProtocol for BufferedObject {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.actor.made(transport)
    }

    fn get_buffer(&mut self, sizehint: Option<usize>) -> Result<&mut [u8]> {
        self.buffer = vec![0; self.actor.buffer_wanted(sizehint)?];
        Ok(&mut self.buffer)
    }

    fn buffer_updated(&mut self, nbytes: usize) -> Result<()> {
        self.actor.received("updated", &self.buffer[..nbytes])
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.actor.eof()
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.actor.pause()
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.actor.resume()
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.actor.lost(exc)
    }
}
