//! How a connection ends: close_notify both ways, or at once.

use std::rc::Rc;
use std::task::Waker;

use super::{State, TlsTransport, Told};
use crate::asyncio::exceptions::{TimeoutError, connection_lost};
use crate::asyncio::layer::Layer;
use crate::asyncio::loop_state::Later;
use crate::asyncio::out_buffer::OutBuffer;
use crate::asyncio::protocol_cell::{Call, Kind, ProtocolCell};
use crate::asyncio::tls::plain_buffer;
use crate::asyncio::transport::BaseTransport;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::Error;

impl TlsTransport {
    /// Whether bytes may still be handed to the protocol.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state.get(), State::Wrapped | State::Flushing)
    }

    /// Begins to close, within the shutdown time-out: hands over what was read, sends close_notify, and waits for the
    /// peer's.
    pub(super) fn start_shutdown(&self) {
        match self.state.get() {
            State::Flushing | State::Shutdown | State::Unwrapped => {}
            State::Handshake => self.abort_below(None),
            State::Wrapped => {
                self.flags.is_closed.set(true);
                self.state.set(State::Flushing);
                self.arm_timer(self.parameters.shutdown_timeout, |tls| tls.on_shutdown_timeout());
                if self.lp.is_calling() && Layer::leads_to_exclusive(self) {
                    // What it leads to may call the protocol, which a callback has borrowed.
                    self.lp.defer(self.me(), Later::Own);
                } else {
                    self.do_flush();
                }
            }
        }
    }

    fn on_shutdown_timeout(&self) {
        if matches!(self.state.get(), State::Flushing | State::Shutdown) {
            if let Some(below) = self.below() {
                below.abort_with(TimeoutError::new("SSL shutdown timed out").into());
            }
        }
    }

    pub(super) fn do_flush(&self) {
        if self.state.get() != State::Flushing {
            return;
        }
        self.do_read();
        if self.state.get() == State::Flushing {
            self.state.set(State::Shutdown);
            // What a protocol that has paused reading left may hide the peer's close_notify, or hold up what does.
            drop(self.plain.take());
            let waiting = self.incoming.take();
            self.control_reading_below();
            self.pass_over(&waiting);
        }
    }

    /// What comes after the own close disturbs nothing; only the peer's close_notify is waited for.
    fn pass_over(&self, data: &[u8]) {
        let mut dropped = plain_buffer::take();
        let outcome = self.session.borrow_mut().receive(data, &mut dropped);
        plain_buffer::put(dropped);
        match outcome {
            Ok(()) => self.do_shutdown(),
            Err(err) => self.abort_below(Some(err)),
        }
    }

    pub(super) fn do_shutdown(&self) {
        if !self.flags.has_eof.get() {
            if !self.flags.has_sent_close.replace(true) {
                self.session.borrow_mut().close();
            }
            if !self.session.borrow().has_peer_closed() {
                return self.process_outgoing();
            }
        }
        self.process_outgoing();
        self.call_eof_received();
        // The time-out stays: the transport below may have bytes that the peer does not read.
        self.call_soon(|tls| {
            if let Some(below) = tls.below() {
                below.close();
            }
        });
    }

    pub(super) fn abort_below(&self, exc: Option<Error>) {
        self.state.set(State::Unwrapped);
        self.flags.is_closed.set(true);
        self.clear_timer();
        match (self.below(), exc) {
            (Some(below), Some(exc)) => below.abort_with(exc),
            (Some(below), None) => below.abort(),
            (None, _) => {}
        }
    }
}

impl Layer for TlsTransport {
    fn connection_made(self: Rc<Self>, below: TransportRef) {
        self.start_handshake(below);
    }

    fn data_received(self: Rc<Self>, data: &[u8]) {
        match self.state.get() {
            State::Handshake => self.receive(data),
            State::Wrapped | State::Flushing if self.has_to_wait() => {
                self.incoming.borrow_mut().extend_from_slice(data);
                self.control_reading_below();
            }
            State::Wrapped | State::Flushing => {
                self.receive(data);
                self.do_flush();
            }
            State::Shutdown => self.pass_over(data),
            State::Unwrapped => {}
        }
    }

    fn eof_received(self: Rc<Self>) -> bool {
        self.flags.has_eof.set(true);
        match self.state.get() {
            State::Handshake => {
                let err = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the peer left in the handshake");
                self.on_handshake_failed(err.into());
            }
            // A protocol that has paused reading, or has a small buffer, gets the rest and hears of the end later.
            State::Wrapped if self.has_to_wait() => {}
            State::Wrapped => self.finish_read(),
            State::Flushing => self.do_flush(),
            State::Shutdown => self.do_shutdown(),
            State::Unwrapped => return false,
        }
        // It is closed when what is below has been told, after what is written was sent.
        true
    }

    fn pause_writing(&self) {
        self.flags.is_writing_below_paused.set(true);
    }

    fn resume_writing(self: Rc<Self>) {
        self.flags.is_writing_below_paused.set(false);
        self.process_outgoing();
    }

    fn connection_lost(self: Rc<Self>, exc: Option<Error>) {
        self.state.set(State::Unwrapped);
        self.flags.is_closed.set(true);
        self.n_lost_writes.set(self.n_lost_writes.get() + 1);
        self.clear_timer();
        self.outgoing.replace(OutBuffer::default());
        drop((self.incoming.take(), self.plain.take()));
        self.exc.replace(exc.clone());
        self.wake_waiter(Err(exc.unwrap_or_else(connection_lost)));
    }

    fn deliver_connection_lost(self: Rc<Self>) {
        if self.flags.is_over.replace(true) {
            return;
        }
        let protocol = self.protocol.borrow().clone();
        if let (Told::Made | Told::Eof, Some(ProtocolCell(kind, _))) = (self.told.replace(Told::Lost), protocol) {
            let exc = self.exc.borrow().clone();
            if let Err(failure) = self.call(Call::Lost(exc)) {
                self.report("Exception in callback connection_lost", failure);
            }
            if let Kind::Layer(layer) = kind {
                layer.deliver_connection_lost();
            }
        }
        let (below, protocol) = (self.below.take(), self.protocol.take());
        drop((below, protocol));
        let waiters = match &mut *self.rest.borrow_mut() {
            Some(rest) => {
                let waiters = [&mut rest.closed_waiters, &mut rest.drain_waiters, &mut rest.resume_waiters];
                waiters.map(std::mem::take).concat()
            }
            None => Vec::new(),
        };
        waiters.into_iter().for_each(Waker::wake);
    }

    fn close(self: Rc<Self>) {
        BaseTransport::close(&*self);
    }

    fn leads_to_exclusive(&self) -> bool {
        let protocol = self.protocol.borrow().clone();
        match protocol {
            Some(ProtocolCell(Kind::Layer(layer), _)) => layer.leads_to_exclusive(),
            protocol => protocol.is_some_and(|protocol| protocol.is_exclusive()),
        }
    }
}
