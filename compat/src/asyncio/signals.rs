//! Signal handlers of the loop.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::event_loop::Loop;
use super::exceptions::{RuntimeError, ValueError};
use super::loop_state::LoopState;
use super::repeated_call::RepeatedCall;
use crate::error::Result;
use crate::nursery::{Nursery, Outcome};
use crate::runtime::{Core, Event, Exit, NodeId, Source, SourceKey};

/// The highest signal number of Linux; the BSDs have fewer.
const MAX_SIGNAL: i32 = 64;

const CAME: u8 = 0;

/// The handlers of one loop, by signal.
#[derive(Default)]
pub(super) struct SignalHandlers {
    by_number: RefCell<HashMap<i32, Rc<SignalHandler>>>,
}

impl Loop {
    /// Calls `call` in the loop whenever the process gets `signal`: `loop.add_signal_handler`. It replaces an earlier
    /// one, and for SIGINT and SIGTERM what [`run`](crate::run) does.
    ///
    /// The call is a handle in the queue, not in a signal's context. What comes again before it has run may count as
    /// one, as the system counts it. An error goes to the exception handler and the handler stays; after a panic it is
    /// removed. It lives in the loop's nursery, does not keep it open, and ends with it.
    ///
    /// Differs from asyncio: it works in a loop of any thread, and the signals of faults (SIGSEGV, SIGFPE, SIGILL)
    /// cannot be caught.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] for a number that is no signal; a [`RuntimeError`] for one that cannot be caught, or
    /// `Event loop is closed`; [`Closed`](crate::Closed) if the nursery has ended.
    pub fn add_signal_handler<F, R>(&self, number: i32, call: F) -> Result<()>
    where
        F: FnMut() -> R + 'static,
        R: Outcome,
    {
        if !(1..=MAX_SIGNAL).contains(&number) {
            return Err(ValueError::new(format!("invalid signal number {number}")).into());
        }
        let core = self.nursery().core();
        if self.is_closed() || core.is_over() {
            return Err(RuntimeError::new("Event loop is closed").into());
        }
        let stream = signal(SignalKind::from_raw(number))
            .map_err(|_| RuntimeError::new(format!("sig {number} cannot be caught")))?;
        let handler = Rc::new(SignalHandler {
            lp: LoopState::of(core),
            nursery: self.nursery().clone(),
            node: Cell::new(NodeId::NONE),
            key: Cell::new(None),
            waker: RefCell::new(Waker::noop().clone()),
            number,
            stream: RefCell::new(Some(stream)),
            is_queued: Cell::new(false),
            call: RepeatedCall::new(core, call),
        });
        handler.node.set(self.nursery().adopt_in_background(handler.clone())?);
        handler.begin()
    }

    /// Forgets the handler of `signal`, also one that is queued; `false` if there was none.
    ///
    /// SIGINT and SIGTERM then end the loop again. Differs from asyncio: any other signal is ignored from then on,
    /// because the default action of the system is not brought back.
    pub fn remove_signal_handler(&self, number: i32) -> bool {
        let handlers = LoopState::of(self.nursery().core()).signal_handlers.clone();
        let handler = handlers.by_number.borrow().get(&number).cloned();
        handler.inspect(|handler| handler.end(Exit::Finished)).is_some()
    }
}

/// A handler in the background of its nursery until it is removed.
struct SignalHandler {
    lp: Rc<LoopState>,
    nursery: Nursery,
    node: Cell<NodeId>,
    key: Cell<Option<SourceKey>>,
    waker: RefCell<Waker>,
    number: i32,
    /// `None` once it has ended.
    stream: RefCell<Option<Signal>>,
    is_queued: Cell<bool>,
    call: RepeatedCall,
}

impl SignalHandler {
    fn begin(self: &Rc<Self>) -> Result<()> {
        let core = &self.lp.core;
        let key = core.register(self.clone());
        self.key.set(Some(key));
        self.waker.replace(core.source_waker(key, CAME));
        let earlier = self.lp.signal_handlers.by_number.borrow_mut().insert(self.number, self.clone());
        if let Some(earlier) = earlier {
            earlier.end(Exit::Finished);
        }
        if let Err(err) = core.set_handled_by_program(self.number, true) {
            self.end(Exit::Finished);
            return Err(err.into());
        }
        self.clone().woken(core, CAME);
        Ok(())
    }

    fn is_on(&self) -> bool {
        self.stream.borrow().is_some()
    }

    /// Whether the signal has come since the last look; leaves the waker for the next time.
    fn has_come(&self) -> bool {
        let (mut stream, waker) = (self.stream.borrow_mut(), self.waker.borrow());
        let mut cx = Context::from_waker(&waker);
        let mut has_come = false;
        while let Some(Poll::Ready(Some(()))) = stream.as_mut().map(|stream| stream.poll_recv(&mut cx)) {
            has_come = true;
        }
        has_come
    }

    fn end(&self, exit: Exit) {
        let stream = self.stream.take();
        if stream.is_none() {
            return;
        }
        drop(stream);
        let mut by_number = self.lp.signal_handlers.by_number.borrow_mut();
        let is_last = by_number.get(&self.number).is_some_and(|other| std::ptr::eq(&**other, self));
        let removed = if is_last { by_number.remove(&self.number) } else { None };
        drop(by_number);
        drop(removed);
        if is_last {
            // Taking a handler back can fail nowhere, and nobody could do anything about it.
            let _ = self.lp.core.set_handled_by_program(self.number, false);
        }
        if let Some(key) = self.key.take() {
            self.lp.core.deregister(key);
        }
        self.waker.replace(Waker::noop().clone());
        self.call.forget(&self.lp.core);
        self.nursery.release(self.node.replace(NodeId::NONE), exit);
    }
}

impl Source for SignalHandler {
    fn woken(self: Rc<Self>, core: &Core, kind: u8) {
        if self.has_come() && !self.is_queued.replace(true) {
            core.push_event(self, kind, 0);
        }
    }

    fn run(self: Rc<Self>, event: Event) {
        if event == Event::CANCELLED {
            return self.end(Exit::Cancelled);
        }
        self.is_queued.set(false);
        let is_wanted = self.is_on() && !self.nursery.is_cancelled();
        if is_wanted && !self.call.run(&self.lp.core, || self.is_on()) {
            self.end(Exit::Finished);
        }
    }

    fn orphaned(self: Rc<Self>) {
        self.end(Exit::Cancelled);
    }

    fn abandoned(self: Rc<Self>) {
        self.end(Exit::Cancelled);
    }
}
