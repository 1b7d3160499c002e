//! What the transports of one loop share.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::resolver::Resolver;
use crate::error::Result;
use crate::runtime::{Core, Failure, try_current};

/// The most that one read takes: asyncio's `max_size`.
pub(crate) const MAX_READ: usize = 256 * 1024;

/// State of the asyncio layer of one loop.
pub(crate) struct LoopState {
    pub(crate) core: Rc<Core>,
    /// One buffer for every plain read of the loop, so that an idle connection holds none. Taken out while user code
    /// sees it.
    read_buffer: RefCell<Vec<u8>>,
    /// How many protocol callbacks and `with` closures are on the stack.
    depth: Cell<u32>,
    /// Calls that wait for the outermost of them to return.
    deferred: RefCell<VecDeque<(Rc<dyn Deferred>, Later)>>,
    pub(super) resolver: RefCell<Resolver>,
    #[cfg(unix)]
    pub(super) signal_handlers: Rc<super::signals::SignalHandlers>,
    #[cfg(unix)]
    pub(super) watchers: super::add_reader::Watchers,
}

/// A transport that has calls to make when the running callback has returned.
pub(crate) trait Deferred {
    fn deliver(self: Rc<Self>, later: Later);
}

/// What is put off until the running callback has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Later {
    PauseWriting,
    ResumeWriting,
    /// What is the transport's own: batched writes of a stream go out as one, a close of TLS goes on, an error of a
    /// datagram is told.
    Own,
}

impl LoopState {
    /// The state of the running loop.
    pub(crate) fn try_current() -> Option<Rc<Self>> {
        try_current().map(|core| LoopState::of(&core))
    }

    /// The state of a loop, made at first use.
    pub(crate) fn of(core: &Rc<Core>) -> Rc<Self> {
        core.extension(|| LoopState {
            core: core.clone(),
            read_buffer: RefCell::default(),
            depth: Cell::new(0),
            deferred: RefCell::default(),
            resolver: RefCell::default(),
            #[cfg(unix)]
            signal_handlers: Rc::default(),
            #[cfg(unix)]
            watchers: super::add_reader::Watchers::default(),
        })
    }

    /// Calls user code on behalf of a protocol: whatever it does comes back as a result, and what it put off is
    /// delivered first.
    pub(crate) fn call<R>(self: &Rc<Self>, call: impl FnOnce() -> Result<R>) -> Result<R, Failure> {
        let depth = self.go_deeper();
        let result = catch_unwind(AssertUnwindSafe(call));
        drop(depth);
        match result {
            Ok(result) => result.map_err(Failure::Error),
            Err(payload) => Err(Failure::Panic(payload)),
        }
    }

    /// As [`call`](LoopState::call). A panic poisons the protocol before what the callback put off is delivered.
    pub(crate) fn call_poisoning<R>(
        self: &Rc<Self>,
        is_poisoned: &Cell<bool>,
        call: impl FnOnce() -> Result<R>,
    ) -> Result<R, Failure> {
        self.call(|| {
            let poison = PoisonOnUnwind { is_poisoned };
            let result = call();
            std::mem::forget(poison);
            result
        })
    }

    /// Counts as a running callback until it is dropped.
    pub(crate) fn go_deeper(self: &Rc<Self>) -> Depth<'_> {
        self.depth.set(self.depth.get() + 1);
        Depth { lp: self }
    }

    pub(crate) fn is_calling(&self) -> bool {
        self.depth.get() > 0
    }

    pub(crate) fn defer(&self, target: Rc<dyn Deferred>, later: Later) {
        self.deferred.borrow_mut().push_back((target, later));
    }

    pub(crate) fn take_read_buffer(&self) -> Vec<u8> {
        let mut buffer = self.read_buffer.take();
        if buffer.is_empty() {
            buffer = vec![0; MAX_READ];
        }
        buffer
    }

    pub(crate) fn put_read_buffer(&self, buffer: Vec<u8>) {
        self.read_buffer.replace(buffer);
    }
}

/// Marks a protocol whose callback unwinds.
struct PoisonOnUnwind<'a> {
    is_poisoned: &'a Cell<bool>,
}

impl Drop for PoisonOnUnwind<'_> {
    fn drop(&mut self) {
        self.is_poisoned.set(true);
    }
}

/// A protocol callback or a `with` on the stack; the outermost delivers what was put off.
pub(crate) struct Depth<'a> {
    lp: &'a Rc<LoopState>,
}

impl Drop for Depth<'_> {
    fn drop(&mut self) {
        let lp = self.lp;
        lp.depth.set(lp.depth.get() - 1);
        while lp.depth.get() == 0 {
            let next = lp.deferred.borrow_mut().pop_front();
            let Some((target, later)) = next else { break };
            target.deliver(later);
        }
    }
}
