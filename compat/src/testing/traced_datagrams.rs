//! The callbacks of datagram protocols in a [`Trace`](super::Trace).

use super::trace::{Silent, Traced, show, show_error};
use crate::asyncio::{Address, DatagramProtocol, DatagramTransportRef, SharedDatagramProtocol};
use crate::error::{Error, Result};

impl<P: DatagramProtocol> DatagramProtocol for Traced<P> {
    fn connection_made(&mut self, transport: DatagramTransportRef) -> Result<()> {
        self.record("made");
        self.protocol.connection_made(transport)
    }

    fn datagram_received(&mut self, data: &[u8], addr: Address) -> Result<()> {
        self.record(&format!("datagram {} from {addr}", show(data)));
        self.protocol.datagram_received(data, addr)
    }

    fn error_received(&mut self, exc: Error) -> Result<()> {
        self.record(&format!("error {}", show_error(&exc)));
        self.protocol.error_received(exc)
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.record("pause_writing");
        self.protocol.pause_writing()
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.record("resume_writing");
        self.protocol.resume_writing()
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.record_lost(exc.as_ref());
        self.protocol.connection_lost(exc)
    }
}

impl<P: SharedDatagramProtocol> SharedDatagramProtocol for Traced<P> {
    fn connection_made(&self, transport: DatagramTransportRef) -> Result<()> {
        self.record("made");
        self.protocol.connection_made(transport)
    }

    fn datagram_received(&self, data: &[u8], addr: Address) -> Result<()> {
        self.record(&format!("datagram {} from {addr}", show(data)));
        self.protocol.datagram_received(data, addr)
    }

    fn error_received(&self, exc: Error) -> Result<()> {
        self.record(&format!("error {}", show_error(&exc)));
        self.protocol.error_received(exc)
    }

    fn pause_writing(&self) -> Result<()> {
        self.record("pause_writing");
        self.protocol.pause_writing()
    }

    fn resume_writing(&self) -> Result<()> {
        self.record("resume_writing");
        self.protocol.resume_writing()
    }

    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        self.record_lost(exc.as_ref());
        self.protocol.connection_lost(exc)
    }
}

impl DatagramProtocol for Silent {}

impl SharedDatagramProtocol for Silent {}
