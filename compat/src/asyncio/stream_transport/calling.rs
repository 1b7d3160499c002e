//! Calling the protocol: now, or when the running callback has returned.

use std::rc::Rc;
use std::task::Waker;

use super::StreamTransport;
use crate::asyncio::layer::Layer;
use crate::asyncio::loop_state::{Deferred, Later};
use crate::asyncio::protocol_cell::{Call, Kind, ProtocolCell};
use crate::asyncio::stream_io::StreamIo;
use crate::error::Result;
use crate::runtime::Failure;

impl<S: StreamIo> StreamTransport<S> {
    pub(super) fn call(&self, call: Call) -> Result<bool, Failure> {
        let protocol = self.protocol.borrow().clone();
        match protocol {
            Some(protocol) => protocol.call_in(&self.lp, &self.is_poisoned, call),
            None => Ok(false),
        }
    }

    pub(super) fn layer(&self) -> Option<Rc<dyn Layer>> {
        match &*self.protocol.borrow() {
            Some(ProtocolCell(Kind::Layer(layer), _)) => Some(layer.clone()),
            _ => None,
        }
    }

    /// Calls user code of the protocol.
    pub(super) fn call_user<R>(&self, call: impl FnOnce() -> Result<R>) -> Result<R, Failure> {
        self.lp.call_poisoning(&self.is_poisoned, call)
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

    pub(super) fn deliver_flow(&self, later: Later) {
        if self.is_poisoned.get() || self.is_lost.get() {
            return;
        }
        let (call, message) = match later {
            Later::PauseWriting => (Call::Pause, "protocol.pause_writing() failed"),
            Later::ResumeWriting => (Call::Resume, "protocol.resume_writing() failed"),
            Later::Own => return self.flush_batch(),
        };
        match self.call(call) {
            Ok(_) => {}
            Err(failure @ Failure::Error(_)) => self.report(message, failure),
            Err(failure @ Failure::Panic(_)) => self.fatal(failure, message),
        }
    }

    pub(super) fn maybe_pause(&self) {
        if self.out.borrow().len() > self.marks.get().1 && !self.is_writing_paused.replace(true) {
            self.call_flow(Later::PauseWriting);
        }
    }

    pub(super) fn maybe_resume(&self) {
        if self.out.borrow().len() <= self.marks.get().0 && self.is_writing_paused.replace(false) {
            let waiters = self.rest.borrow_mut().as_mut().map(|rest| std::mem::take(&mut rest.drain_waiters));
            self.call_flow(Later::ResumeWriting);
            waiters.into_iter().flatten().for_each(Waker::wake);
        }
    }
}

impl<S: StreamIo> Deferred for StreamTransport<S> {
    fn deliver(self: Rc<Self>, later: Later) {
        self.deliver_flow(later);
    }
}
