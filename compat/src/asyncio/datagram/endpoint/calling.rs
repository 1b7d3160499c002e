//! Calling the protocol: now, or when the running callback has returned.

use std::io;
use std::rc::Rc;
use std::task::Waker;

use super::DatagramEndpoint;
use crate::asyncio::datagram::datagram_io::DatagramIo;
use crate::asyncio::datagram::protocol_cell::{Call, DatagramProtocolCell};
use crate::asyncio::loop_state::{Deferred, Later};
use crate::error::{Error, Result};
use crate::runtime::{Failure, log_warning};

/// Errors of sends that are kept for `error_received` while a callback runs; more are logged and dropped. The kernel
/// keeps one for a socket.
const MAX_SEND_ERRORS: usize = 64;

impl<S: DatagramIo> DatagramEndpoint<S> {
    pub(super) fn call(&self, call: Call<'_>) -> Result<(), Failure> {
        let protocol = self.protocol.borrow().clone();
        match protocol {
            Some(protocol) if !self.is_poisoned.get() || matches!(call, Call::Lost(_)) => {
                self.lp.call_poisoning(&self.is_poisoned, || protocol.call(call))
            }
            _ => Ok(()),
        }
    }

    /// Calls `error_received` for a failed send; its error is the caller's, unless it has to wait for the running
    /// callback.
    pub(super) fn send_failed(&self, err: io::Error) -> Result<()> {
        if self.must_wait() {
            let mut send_errors = self.send_errors.borrow_mut();
            if send_errors.len() == MAX_SEND_ERRORS {
                log_warning(&format!("error_received was not called, {MAX_SEND_ERRORS} errors wait already: {err}"));
                return Ok(());
            }
            send_errors.push_back(err.into());
            drop(send_errors);
            self.lp.defer(self.me(), Later::Own);
            return Ok(());
        }
        match self.call(Call::Error(err.into())) {
            Ok(()) => Ok(()),
            Err(Failure::Error(err)) => Err(err),
            Err(failure @ Failure::Panic(_)) => {
                self.fatal(failure, "Exception in callback error_received");
                Ok(())
            }
        }
    }

    /// Calls `error_received` from the loop, where nobody hears its error but the exception handler.
    pub(super) fn deliver_error(&self, err: Error) {
        if let Err(failure) = self.call(Call::Error(err)) {
            self.report_or_end(failure, "Exception in callback error_received");
        }
    }

    pub(super) fn maybe_pause(&self) {
        if self.queue.borrow().size() > self.marks.get().1 && !self.is_writing_paused.replace(true) {
            self.call_flow(Later::PauseWriting);
        }
    }

    pub(super) fn maybe_resume(&self) {
        if self.queue.borrow().size() <= self.marks.get().0 && self.is_writing_paused.replace(false) {
            let waiters = self.drain_waiters.take();
            self.call_flow(Later::ResumeWriting);
            waiters.into_iter().for_each(Waker::wake);
        }
    }

    /// Calls `pause_writing` or `resume_writing`, now or when the running callback has returned.
    fn call_flow(&self, later: Later) {
        if self.must_wait() {
            self.lp.defer(self.me(), later);
        } else {
            self.deliver_later(later);
        }
    }

    /// Whether a callback runs that the protocol could not be called from.
    fn must_wait(&self) -> bool {
        self.lp.is_calling() && self.protocol.borrow().as_ref().is_some_and(DatagramProtocolCell::is_exclusive)
    }

    fn deliver_later(&self, later: Later) {
        if self.is_lost.get() {
            return;
        }
        let (call, message) = match later {
            Later::PauseWriting => (Call::Pause, "protocol.pause_writing() failed"),
            Later::ResumeWriting => (Call::Resume, "protocol.resume_writing() failed"),
            Later::Own => {
                let err = self.send_errors.borrow_mut().pop_front();
                return err.into_iter().for_each(|err| self.deliver_error(err));
            }
        };
        if let Err(failure) = self.call(call) {
            self.report_or_end(failure, message);
        }
    }
}

impl<S: DatagramIo> Deferred for DatagramEndpoint<S> {
    fn deliver(self: Rc<Self>, later: Later) {
        self.deliver_later(later);
    }
}
