//! Calling the protocol: now, or when the running callback has returned.

use std::rc::Rc;

use super::{State, TlsTransport, Told};
use crate::asyncio::exceptions::is_expected;
use crate::asyncio::loop_state::{Deferred, Later};
use crate::asyncio::protocol_cell::{Call, Kind, ProtocolCell};
use crate::asyncio::transport_ref::TransportRef;
use crate::error::Result;
use crate::runtime::{ExceptionContext, Failure};

impl TlsTransport {
    pub(super) fn call(&self, call: Call) -> Result<bool, Failure> {
        let protocol = self.protocol.borrow().clone();
        match protocol {
            Some(protocol) => protocol.call_in(&self.lp, &self.flags.is_poisoned, call),
            None => Ok(false),
        }
    }

    /// Calls `pause_writing` or `resume_writing`, now or when the running callback has returned.
    pub(super) fn call_flow(&self, later: Later) {
        let is_exclusive = self.protocol.borrow().as_ref().is_some_and(ProtocolCell::is_exclusive);
        if is_exclusive && self.lp.is_calling() {
            self.lp.defer(self.me(), later);
        } else {
            self.deliver_flow(later);
        }
    }

    fn deliver_flow(&self, later: Later) {
        if self.flags.is_poisoned.get() || self.flags.is_over.get() {
            return;
        }
        let (call, message) = match later {
            Later::PauseWriting => (Call::Pause, "protocol.pause_writing() failed"),
            Later::ResumeWriting => (Call::Resume, "protocol.resume_writing() failed"),
            Later::Own => return self.do_flush(),
        };
        match self.call(call) {
            Ok(_) => {}
            Err(failure @ Failure::Error(_)) => self.report(message, failure),
            Err(failure @ Failure::Panic(_)) => self.fatal(failure, message),
        }
    }

    /// Tells the protocol, once, that the peer will send no more. Over TLS it cannot keep the connection.
    pub(super) fn call_eof_received(&self) {
        if self.told.get() != Told::Made || self.flags.is_poisoned.get() {
            return;
        }
        self.told.set(Told::Eof);
        match self.call(Call::Eof) {
            Ok(false) => {}
            // A layer means that it is not done yet.
            Ok(true) if matches!(&*self.protocol.borrow(), Some(ProtocolCell(Kind::Layer(_), _))) => {}
            Ok(true) => {
                crate::runtime::log_warning("returning true from eof_received() has no effect when using ssl");
            }
            Err(failure) => self.fatal(failure, "Error calling eof_received()"),
        }
    }

    /// Reports a failure, unless it is one of the operating system's or of TLS, and ends the connection with it.
    pub(super) fn fatal(&self, failure: Failure, message: &'static str) {
        if matches!(failure, Failure::Panic(_)) {
            self.flags.is_poisoned.set(true);
        }
        let err = failure.into_error();
        if !is_expected(&err) {
            self.report(message, Failure::Error(err.clone()));
        }
        self.state.set(State::Unwrapped);
        self.flags.is_closed.set(true);
        if let Some(below) = self.below() {
            below.abort_with(err);
        }
    }

    pub(super) fn report(&self, message: &'static str, failure: Failure) {
        let err = failure.into_error();
        if !is_expected(&err) {
            if let Some(nursery) = self.below().and_then(|below| below.strict_nursery()) {
                nursery.fail(err.clone());
            }
        }
        let mut context = ExceptionContext::new(message, Some(err)).with("transport", TransportRef::new(self.me()));
        if let Some(protocol) = self.protocol.borrow().clone() {
            context = context.with("protocol", protocol);
        }
        self.lp.core.call_exception_handler(&context);
    }
}

impl Deferred for TlsTransport {
    fn deliver(self: Rc<Self>, later: Later) {
        self.deliver_flow(later);
    }
}
