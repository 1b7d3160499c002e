//! How an endpoint ends: `connection_lost` once, then out of the nursery.

use std::task::Waker;

use super::{DatagramEndpoint, LOST};
use crate::asyncio::datagram::datagram_io::DatagramIo;
use crate::asyncio::datagram::protocol_cell::Call;
use crate::asyncio::datagram::transport_ref::DatagramTransportRef;
use crate::asyncio::exceptions::is_expected;
use crate::asyncio::reporting::report;
use crate::error::Error;
use crate::runtime::{Exit, Failure, Supervisor};

impl<S: DatagramIo> DatagramEndpoint<S> {
    pub(super) fn on_lost(&self) {
        if self.is_lost.replace(true) {
            return;
        }
        if self.is_made.get() {
            let exc = self.exc.borrow().clone();
            if let Err(failure) = self.call(Call::Lost(exc)) {
                self.report("Exception in callback connection_lost", failure);
            }
        }
        self.release();
    }

    /// At the end of a flush `connection_lost` is called directly, as in asyncio, unless the protocol is being called.
    pub(super) fn call_lost_or_queue(&self) {
        if self.lp.is_calling() { self.push(LOST) } else { self.on_lost() }
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
        self.queue.borrow_mut().clear();
        self.writer.switch(false);
        self.is_closing.set(true);
        self.reader.switch(false);
        self.n_lost.set(1);
        self.exc.replace(exc);
        self.push(LOST);
    }

    /// A callback has failed: an error is only reported, a panic ends the transport.
    pub(super) fn report_or_end(&self, failure: Failure, message: &'static str) {
        match failure {
            Failure::Error(_) => self.report(message, failure),
            Failure::Panic(_) => self.fatal(failure, message),
        }
    }

    /// Reports a failure, unless it is one of the operating system's, and ends the transport with it.
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

    fn report(&self, message: &'static str, failure: Failure) {
        let protocol = self.protocol.borrow().clone();
        report(&self.membership, self.is_strict, message, failure, DatagramTransportRef::new(self.me()), protocol);
    }

    /// Closes the socket, lets the protocol go, which breaks the cycle between the two, and leaves the nursery once the
    /// tasks of the endpoint have ended.
    pub(super) fn release(&self) {
        self.is_lost.set(true);
        self.n_lost.set(self.n_lost.get().max(1));
        self.is_closing.set(true);
        let (io, protocol) = (self.io.take(), self.protocol.take());
        drop(io);
        drop(protocol);
        self.queue.borrow_mut().clear();
        if let Some(retry) = self.retry.take() {
            self.lp.core.clear_timer(retry);
        }
        if let Some(key) = self.key.take() {
            self.lp.core.deregister(key);
        }
        let waiters = [self.closed_waiters.take(), self.drain_waiters.take()];
        waiters.into_iter().flatten().for_each(Waker::wake);
        self.membership.leave();
    }
}

impl<S: DatagramIo> Supervisor for DatagramEndpoint<S> {
    fn child_ended(&self, exit: Exit, _is_background: bool) {
        let message = "Fatal error: a task of the datagram endpoint failed.";
        let failure = match exit {
            Exit::Finished | Exit::Cancelled => None,
            Exit::Failed(err) => Some(Failure::Error(err)),
            // The task has panicked and no callback: the protocol is sound.
            Exit::Panicked(payload) => Some(Failure::Error(Failure::Panic(payload).into_error())),
        };
        match failure {
            None => {}
            Some(failure) if self.is_lost.get() => self.report(message, failure),
            Some(failure) => self.fatal(failure, message),
        }
        self.membership.child_ended(self.is_lost.get());
    }
}
