//! How a connection ends: `connection_lost` once, then out of the server and the nursery.

use std::task::Waker;

use super::{LAYER_LOST, LOST, StreamTransport};
use crate::asyncio::acceptor::Client;
use crate::asyncio::exceptions::is_expected;
use crate::asyncio::protocol_cell::Call;
use crate::asyncio::reporting::report;
use crate::asyncio::stream_io::StreamIo;
use crate::asyncio::transport::{BaseTransport, WriteTransport};
use crate::asyncio::transport_ref::TransportRef;
use crate::error::Error;
use crate::runtime::{Exit, Failure, Supervisor};

impl<S: StreamIo> StreamTransport<S> {
    pub(super) fn on_lost(&self) {
        if self.is_lost.replace(true) {
            return;
        }
        if self.is_made.get() {
            let exc = self.exc();
            if let Err(failure) = self.call(Call::Lost(exc)) {
                self.report("Exception in callback connection_lost", failure);
            }
        }
        if self.is_made.get() && self.layer().is_some() {
            let io = self.io.take();
            drop(io);
            self.push(LAYER_LOST);
        } else {
            self.release();
        }
    }

    /// The protocol behind a layer hears of the end a turn later; only then is the connection over.
    pub(super) fn on_layer_lost(&self) {
        if let Some(layer) = self.layer() {
            layer.deliver_connection_lost();
            self.release();
        }
    }

    pub(super) fn on_cancelled(&self) {
        if self.n_lost.get() == 0 {
            self.membership.mark_cancelled();
            self.force_close(None);
        }
    }

    pub(super) fn force_close(&self, exc: Option<Error>) {
        if self.n_lost.get() > 0 {
            return;
        }
        self.out.borrow_mut().clear();
        if let Some(io) = &*self.io.borrow() {
            io.abandon();
        }
        self.writer.switch(false);
        self.is_closing.set(true);
        self.reader.switch(false);
        self.n_lost.set(1);
        if exc.is_some() {
            let none = self.rest(|rest| std::mem::replace(&mut rest.exc, exc));
            drop(none);
        }
        self.push(LOST);
    }

    /// Reports a failure, unless it is one of the operating system's, and ends the connection with it.
    pub(super) fn fatal(&self, failure: Failure, message: &'static str) {
        if matches!(failure, Failure::Panic(_)) {
            self.is_poisoned.set(true);
        }
        let err = failure.into_error();
        if !is_expected(&err) {
            self.report(message, Failure::Error(err.clone()));
        }
        self.force_close(Some(err));
    }

    /// A callback whose error is only reported has failed; a panic ends the connection all the same.
    pub(super) fn report_callback_failure(&self, failure: Failure, message: &'static str) {
        match failure {
            Failure::Error(_) => self.report(message, failure),
            Failure::Panic(_) => self.fatal(failure, message),
        }
    }

    pub(super) fn report(&self, message: &'static str, failure: Failure) {
        let protocol = self.protocol.borrow().clone();
        report(&self.membership, self.is_strict, message, failure, TransportRef::new(self.me()), protocol);
    }

    /// Closes the socket and lets the protocol go, which breaks the cycle between the two.
    pub(super) fn shut(&self) {
        let (io, protocol) = (self.io.take(), self.protocol.take());
        drop(io);
        drop(protocol);
        self.out.borrow_mut().clear();
        if let Some(key) = self.key.take() {
            self.lp.core.deregister(key);
        }
        let (waiters, idle) = match &mut *self.rest.borrow_mut() {
            Some(rest) => {
                let mut waiters = std::mem::take(&mut rest.closed_waiters);
                waiters.append(&mut rest.drain_waiters);
                waiters.append(&mut rest.resume_waiters);
                (waiters, rest.idle.take())
            }
            None => (Vec::new(), None),
        };
        if let Some(idle) = idle {
            self.lp.core.clear_timer(idle.timer);
        }
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Leaves the server and, once the tasks of the connection have ended, the nursery.
    pub(super) fn release(&self) {
        self.is_lost.set(true);
        self.n_lost.set(self.n_lost.get().max(1));
        self.is_closing.set(true);
        self.shut();
        if let (Some(acceptor), Some(client)) = (self.acceptor.get(), self.take_client()) {
            acceptor.detach(client);
        }
        self.membership.leave();
    }

    pub(super) fn take_client(&self) -> Option<u32> {
        let client = self.client.replace(u32::MAX);
        (client != u32::MAX).then_some(client)
    }
}

impl<S: StreamIo> Supervisor for StreamTransport<S> {
    fn child_ended(&self, exit: Exit, _is_background: bool) {
        let message = "Fatal error: a task of the connection failed.";
        match exit {
            Exit::Finished | Exit::Cancelled => {}
            Exit::Failed(err) if self.is_lost.get() && is_expected(&err) => {}
            Exit::Failed(err) if self.is_lost.get() => self.report(message, Failure::Error(err)),
            Exit::Failed(err) => self.fatal(Failure::Error(err), message),
            Exit::Panicked(payload) if self.is_lost.get() => self.report(message, Failure::Panic(payload)),
            Exit::Panicked(payload) => {
                let err = Failure::Panic(payload).into_error();
                self.fatal(Failure::Error(err), message);
            }
        }
        self.membership.child_ended(self.is_lost.get());
    }
}

impl<S: StreamIo> Client for StreamTransport<S> {
    fn close_client(&self) {
        match self.layer() {
            Some(layer) if self.is_made.get() => layer.close(),
            _ => self.close(),
        }
    }

    fn abort_client(&self) {
        self.abort();
    }
}
