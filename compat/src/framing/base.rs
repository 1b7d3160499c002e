//! [`Base`]: what a receiver inherits.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::{Rc, Weak};

use bytes::{Bytes, BytesMut};

use super::receives::{State, Step};
use crate::asyncio::TransportRef;
use crate::error::Result;
use crate::nursery::primitive;

/// What a receiver of Twisted reaches through `self`: the transport, and the verbs of its framing.
///
/// Every callback gets it. It is a cheap clone, so a task or a timer that the receiver starts takes one along. `S` is the
/// framing; the aliases [`LineBase`](super::LineBase), [`StringBase`](super::StringBase) and so on are what to write.
pub struct Base<S> {
    /// The transport of the connection; before `connection_made` a detached one.
    pub transport: TransportRef,
    pub(super) core: Rc<Core<S>>,
}

/// What all clones of a base share.
pub(super) struct Core<S> {
    pub(super) state: S,
    /// What has come and was not handed over. Never borrowed while the receiver is called.
    pub(super) buffer: RefCell<BytesMut>,
    /// What the receiver was lent of it, while it is called.
    lent: RefCell<Bytes>,
    /// The end of that, which the receiver has given back: it comes before the buffer.
    given_back: RefCell<Bytes>,
    /// Before `connection_made` there is no transport whose state would count.
    pub(super) is_made: Cell<bool>,
    pub(super) is_eof: Cell<bool>,
    /// The peer's stream has ended, and the receiver is told after the frames that it keeps waiting.
    pub(super) is_eof_due: Cell<bool>,
    /// Frames are being handed over: whatever is added to the buffer will be looked at.
    pub(super) is_delivering: Cell<bool>,
    /// Something was taken from the front of the buffer, whose room is still held.
    pub(super) has_moved: Cell<bool>,
    /// A task waits to hand over what a pause has left in the buffer.
    pub(super) is_due: Cell<bool>,
    /// Frames wait until the peer has read.
    is_stuck: Cell<bool>,
    /// It was for that reason that reading was paused.
    has_paused: Cell<bool>,
    /// The receiver was left once, so that the transport could tell it that writing is paused.
    has_yielded: Cell<bool>,
    receiver: Weak<dyn Deliver>,
}

/// A receiver that can be handed over what is there.
pub(super) trait Deliver {
    fn deliver_due(&self) -> Result<()>;
}

impl<S: State> Base<S> {
    pub(super) fn new(state: S, receiver: Weak<dyn Deliver>) -> Self {
        let core = Core {
            state,
            buffer: RefCell::default(),
            lent: RefCell::default(),
            given_back: RefCell::default(),
            is_made: Cell::new(false),
            is_eof: Cell::new(false),
            is_eof_due: Cell::new(false),
            is_delivering: Cell::new(false),
            has_moved: Cell::new(false),
            is_due: Cell::new(false),
            is_stuck: Cell::new(false),
            has_paused: Cell::new(false),
            has_yielded: Cell::new(false),
            receiver,
        };
        Base { transport: TransportRef::default(), core: Rc::new(core) }
    }

    /// A base for a new connection, or for the same one after `start_tls`: nothing that came before counts.
    pub(super) fn made(&self, transport: TransportRef) -> Self {
        let core = &self.core;
        self.clear();
        core.is_made.set(true);
        for flag in [&core.is_eof, &core.is_eof_due, &core.is_due, &core.is_stuck, &core.has_paused, &core.has_yielded]
        {
            flag.set(false);
        }
        Base { transport, core: core.clone() }
    }

    /// Takes what has come and was not handed over: Twisted's `clearLineBuffer`.
    ///
    /// Inside a callback that is what lies behind the frame: what to hand to another protocol before `set_protocol`, or
    /// to `start_tls`.
    pub fn clear_buffer(&self) -> Vec<u8> {
        self.clear().into()
    }

    /// Hands over no more frames, and reads no more, until [`release`](Base::release): what `pause_writing` does unless
    /// overridden. Idempotent.
    ///
    /// `resume_reading` does not end it, so that a receiver which pauses reading until it has answered is held as well.
    pub fn hold(&self) {
        self.core.is_stuck.set(true);
        self.pause_if_stuck();
    }

    /// Ends [`hold`](Base::hold): reading is resumed if it was paused by it, and not otherwise. Idempotent.
    pub fn release(&self) {
        self.core.is_stuck.set(false);
        if self.core.has_paused.take() {
            self.transport.resume_reading();
        }
        self.deliver_later();
    }

    pub(super) fn clear(&self) -> BytesMut {
        self.core.state.reset();
        self.take_back();
        self.core.buffer.take()
    }

    pub(super) fn push(&self, data: &[u8]) {
        self.core.buffer.borrow_mut().extend_from_slice(data);
    }

    /// Calls the receiver with everything that is there, and takes back what it gives back.
    pub(super) fn lend(&self, receive: impl FnOnce(&[u8]) -> Result<()>) -> Result<Step> {
        let data = self.clear().freeze();
        if data.is_empty() {
            return Ok(Step::Starved);
        }
        self.core.lent.replace(data.clone());
        let received = receive(&data);
        self.core.lent.take();
        drop(data);
        self.take_back();
        received.map(|()| Step::Done)
    }

    /// Puts `data` into the buffer. What was lent is not copied for it: a stream that goes back and forth between a
    /// receiver and its buffer would be copied once for every little part that is received.
    pub(super) fn give_back(&self, data: &[u8]) {
        let core = &self.core;
        let is_end_of_lent = {
            let (lent, data) = (core.lent.borrow().as_ptr_range(), data.as_ptr_range());
            lent.end == data.end && lent.start <= data.start
        };
        if is_end_of_lent && !self.has_bytes() && !data.is_empty() {
            let end = core.lent.borrow().slice_ref(data);
            core.given_back.replace(end);
        } else {
            self.push(data);
        }
    }

    fn take_back(&self) {
        let given_back = self.core.given_back.take();
        if given_back.is_empty() {
            return;
        }
        let mut whole = given_back.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let mut buffer = self.core.buffer.borrow_mut();
        whole.extend_from_slice(&buffer);
        *buffer = whole;
    }

    fn has_bytes(&self) -> bool {
        !self.core.buffer.borrow().is_empty() || !self.core.given_back.borrow().is_empty()
    }

    /// Whether the next frame has to wait. `holds_frames` says that there may be one although the buffer is empty.
    pub(super) fn is_held(&self, holds_frames: bool) -> bool {
        let core = &self.core;
        if !core.is_made.get() || !(holds_frames || self.has_bytes()) {
            return false;
        }
        if self.transport.is_closing() {
            self.clear();
            return true;
        }
        self.pause_if_stuck();
        // The transport tells an exclusive protocol that writing is paused once it has returned.
        let is_writing_paused = self.transport.is_writing_paused();
        let has_to_yield = is_writing_paused && !core.has_yielded.get();
        core.has_yielded.set(is_writing_paused);
        let is_held = has_to_yield || !self.transport.is_reading();
        if is_held {
            self.deliver_soon();
        }
        is_held
    }

    /// Hands over in the next turn what is in the buffer, unless that is under way.
    pub(super) fn deliver_later(&self) {
        if !self.core.is_delivering.get() && self.has_bytes() {
            self.deliver_soon();
        }
    }

    /// Starts the task that waits until reading is not paused, and hands over.
    pub(super) fn deliver_soon(&self) {
        if self.transport.is_closing() || self.core.is_due.replace(true) {
            return;
        }
        let (transport, core) = (self.transport.clone(), self.core.clone());
        self.transport.start_soon(async move {
            primitive("reading to be resumed", poll_fn(|cx| transport.poll_resumed(cx))).await;
            core.is_due.set(false);
            match core.receiver.upgrade() {
                Some(receiver) => receiver.deliver_due(),
                None => Ok(()),
            }
        });
    }

    fn pause_if_stuck(&self) {
        if self.core.is_stuck.get() && self.transport.is_reading() {
            self.transport.pause_reading();
            self.core.has_paused.set(true);
        }
    }

    /// Lets go of the room in front of the buffer. What is left then came with the last bytes, so that copying it costs no
    /// more than receiving them.
    pub(super) fn compact(&self) {
        if !self.core.has_moved.take() {
            return;
        }
        let mut buffer = self.core.buffer.borrow_mut();
        let rest = if buffer.is_empty() { BytesMut::new() } else { BytesMut::from(&buffer[..]) };
        *buffer = rest;
    }
}

impl<S> Clone for Base<S> {
    fn clone(&self) -> Self {
        Base { transport: self.transport.clone(), core: self.core.clone() }
    }
}

impl<S> fmt::Debug for Base<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_waiting = self.core.given_back.borrow().len() + self.core.buffer.borrow().len();
        f.debug_struct("Base").field("transport", &self.transport).field("n_waiting", &n_waiting).finish()
    }
}
