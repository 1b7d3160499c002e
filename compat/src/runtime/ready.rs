//! What stands in the loop's one queue.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::context::Context;
use super::core::Core;
use super::tasks::TaskId;
use crate::error::Result;

/// One entry of the queue: what asyncio calls a handle.
pub(crate) enum Item {
    /// A step of a task. `by_cancel` says that only a cancellation asks for it, so the task is dropped instead of polled.
    Task { id: TaskId, by_cancel: bool },
    /// A callback of `call_soon` or of a timer.
    Call(Rc<Callback>),
    /// An event of a connection, a listener or the like.
    Event { source: Rc<dyn Source>, event: Event },
}

/// What a source asked to be called with; the numbers are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: u8,
    /// Tells an event that is still wanted from one queued before the source changed its mind.
    pub(crate) generation: u32,
}

impl Event {
    /// The nursery that the source lives in was cancelled.
    pub(crate) const CANCELLED: Event = Event { kind: u8::MAX, generation: 0 };
}

/// Something that lives on the loop without being a task: a connection costs no future and an event no allocation.
pub(crate) trait Source {
    /// A waker of this source fired. Called while the batch is gathered, so it may queue events but runs nothing.
    fn woken(self: Rc<Self>, core: &Core, kind: u8);

    /// A queued event has come to its turn. Panics of user code are the source's own to catch.
    fn run(self: Rc<Self>, event: Event);

    /// Foreign code dropped the nursery that the source lives in: end soon. Nobody waits for it any more.
    fn orphaned(self: Rc<Self>);

    /// The loop is being dropped: end now, there is no other turn.
    fn abandoned(self: Rc<Self>);
}

type Call = Box<dyn FnOnce() -> Result<()>>;

/// A callback that can be cancelled until it runs.
pub(crate) struct Callback {
    cancelled: Cell<bool>,
    call: RefCell<Option<Call>>,
    context: Context,
}

impl Callback {
    pub(crate) fn new(call: impl FnOnce() -> Result<()> + 'static, context: Context) -> Rc<Self> {
        Rc::new(Callback { cancelled: Cell::new(false), call: RefCell::new(Some(Box::new(call))), context })
    }

    /// One that sees no context variables.
    pub(crate) fn without_context(call: impl FnOnce() -> Result<()> + 'static) -> Rc<Self> {
        Callback::new(call, Context::new())
    }

    /// Forgets the callback and what it holds; nothing happens if it has run.
    pub(crate) fn cancel(&self) {
        self.cancelled.set(true);
        let call = self.call.borrow_mut().take();
        drop(call);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Moves the call to a callback of its own, so that this one does nothing where it is queued; `None` if it has run
    /// or was cancelled.
    pub(crate) fn renew(&self) -> Option<Rc<Self>> {
        let call = self.call.take();
        call.map(|call| Callback::new(call, self.context.clone()))
    }

    pub(crate) fn take(&self) -> Option<Call> {
        self.call.borrow_mut().take()
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }
}
