//! Calling the protocol: now, or when the running callback has returned.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::Child;
use crate::asyncio::exceptions::is_expected;
use crate::asyncio::loop_state::{Deferred, Later};
use crate::asyncio::subprocess::protocol_cell::{Call, SubprocessProtocolCell};
use crate::asyncio::subprocess::transport_ref::SubprocessTransportRef;
use crate::asyncio::transport::BaseTransport;
use crate::error::Error;
use crate::runtime::{ExceptionContext, Failure};

impl Child {
    /// Calls the protocol, if it is to hear of this. A failure is dealt with.
    pub(super) fn call(&self, call: Call<'_>) {
        let is_heard = self.is_made.get() && (!self.is_poisoned.get() || matches!(call, Call::Lost(_)));
        let protocol = self.protocol.borrow().clone().filter(|_| is_heard);
        let Some(protocol) = protocol else { return };
        let message = call.failure_message();
        // A panic poisons the protocol before what the callback put off is delivered.
        let outcome = self.lp.call(|| match catch_unwind(AssertUnwindSafe(|| protocol.call(call))) {
            Ok(result) => result,
            Err(payload) => {
                self.is_poisoned.set(true);
                resume_unwind(payload)
            }
        });
        match outcome {
            Ok(()) => {}
            Err(Failure::Error(err)) => self.report(message, err),
            Err(failure @ Failure::Panic(_)) => self.fatal(failure.into_error(), message),
        }
    }

    pub(in crate::asyncio::subprocess) fn on_pipe_data(&self, fd: i32, data: &[u8]) {
        self.call(Call::PipeData(fd, data));
    }

    pub(in crate::asyncio::subprocess) fn on_pipe_lost(&self, fd: i32, exc: Option<Error>) {
        self.call(Call::PipeLost(fd, exc));
        if let Some(pipe) = self.pipe(fd) {
            pipe.is_disconnected.set(true);
        }
        self.try_finish();
    }

    /// Calls `pause_writing` or `resume_writing`, now or when the running callback has returned.
    pub(in crate::asyncio::subprocess) fn call_flow(&self, later: Later) {
        let is_exclusive = self.protocol.borrow().as_ref().is_some_and(SubprocessProtocolCell::is_exclusive);
        if is_exclusive && self.lp.is_calling() {
            self.lp.defer(self.me(), later);
        } else {
            self.deliver_flow(later);
        }
    }

    fn deliver_flow(&self, later: Later) {
        match later {
            _ if self.is_lost.get() => {}
            Later::PauseWriting => self.call(Call::Pause),
            Later::ResumeWriting => self.call(Call::Resume),
            // What else there is, is the business of the pipes.
            Later::Own => {}
        }
    }

    /// Ends the process because of an error, which is reported unless it is one of the operating system's.
    pub(super) fn fatal(&self, err: Error, message: &'static str) {
        if !is_expected(&err) {
            self.report(message, err.clone());
        }
        if self.exc.borrow().is_none() {
            self.exc.replace(Some(err));
        }
        self.close();
    }

    pub(super) fn report(&self, message: &'static str, err: Error) {
        let transport = SubprocessTransportRef::new(self.me());
        let mut context = ExceptionContext::new(message, Some(err)).with("transport", transport);
        if let Some(protocol) = self.protocol.borrow().clone() {
            context = context.with("protocol", protocol);
        }
        self.lp.core.call_exception_handler(&context);
    }
}

impl Deferred for Child {
    fn deliver(self: Rc<Self>, later: Later) {
        self.deliver_flow(later);
    }
}
