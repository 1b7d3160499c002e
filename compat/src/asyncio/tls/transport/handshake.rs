//! The handshake, from the connection below to the protocol's `connection_made`.

use std::io;

use super::{State, TlsTransport, Told};
use crate::asyncio::layer::Layer;
use crate::asyncio::protocol_cell::Call;
use crate::asyncio::transport::WriteTransport;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::Error;
use crate::runtime::{Failure, log_info};

impl TlsTransport {
    pub(super) fn start_handshake(&self, below: TransportRef) {
        // An upgrade before the `connection_made` of the transport below hears of both.
        if self.below.borrow().is_some() {
            return;
        }
        self.flags.is_writing_below_paused.set(below.is_writing_paused());
        self.below.replace(Some(below));
        if self.flags.is_closed.get() {
            return self.abort();
        }
        self.state.set(State::Handshake);
        self.arm_timer(self.parameters.handshake_timeout, |tls| tls.on_handshake_timeout());
        self.process_outgoing();
        let leftover = self.rest.borrow_mut().as_mut().map(|rest| std::mem::take(&mut rest.leftover));
        if let Some(leftover) = leftover.filter(|leftover| !leftover.is_empty()) {
            self.me().data_received(&leftover);
        }
    }

    fn on_handshake_timeout(&self) {
        if self.state.get() == State::Handshake {
            let timeout = self.parameters.handshake_timeout.as_secs_f64();
            let message = format!("SSL handshake is taking longer than {timeout:?} seconds: aborting the connection");
            self.on_handshake_failed(io::Error::new(io::ErrorKind::ConnectionAborted, message).into());
        }
    }

    /// Ends the connection. Who waits gets the error, and so does a protocol that was made before, in plain; a server's
    /// new protocol hears nothing, and the log says it once.
    pub(super) fn on_handshake_failed(&self, err: Error) {
        self.clear_timer();
        if self.waiter.borrow().is_none() {
            let peer = self.below().and_then(|below| below.peername());
            let peer = peer.map_or_else(|| "a peer".to_owned(), |peer| peer.to_string());
            log_info(&format!("SSL handshake with {peer} failed: {err}"));
        }
        self.fatal(Failure::Error(err.clone()), "SSL handshake failed");
        self.wake_waiter(Err(err));
    }

    /// The handshake is done: `connection_made`, then who waits. `false` if the protocol has failed.
    pub(super) fn on_handshake_complete(&self) -> bool {
        self.clear_timer();
        self.state.set(State::Wrapped);
        self.flags.is_secure.set(true);
        if self.flags.calls_made.get() {
            self.told.set(Told::Made);
            if let Err(failure) = self.call(Call::Made(TransportRef::new(self.me()))) {
                // asyncio's words: there it comes out of the callback of the transport below.
                self.fatal(failure, "Fatal error: protocol.buffer_updated() call failed.");
                return false;
            }
        }
        self.wake_waiter(Ok(()));
        true
    }

    pub(super) fn wake_waiter(&self, outcome: Result<(), Error>) {
        if let Some(waiter) = self.waiter.take() {
            let _ = match outcome {
                Ok(()) => waiter.set_result(()),
                Err(err) => waiter.set_exception(err),
            };
            // Who waited may have gone, which leaves nothing to report.
            let _ = waiter.exception();
        }
    }
}
