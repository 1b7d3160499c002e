//! `add_reader` and `add_writer`: callbacks for descriptors that the program itself reads and writes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Waker};

use super::event_loop::Loop;
use super::exceptions::RuntimeError;
use super::loop_state::LoopState;
use super::repeated_call::RepeatedCall;
use crate::error::Result;
use crate::nursery::{Descriptor, Direction, Nursery, Outcome};
use crate::runtime::{Core, Event, Exit, NodeId, Source, SourceKey};

const READY: u8 = 0;

/// The readers and writers of one loop, by the number of the descriptor they were given for.
#[derive(Default)]
pub(super) struct Watchers {
    by_number: RefCell<HashMap<RawFd, Pair>>,
}

#[derive(Default)]
struct Pair {
    reader: Option<Rc<Watcher>>,
    writer: Option<Rc<Watcher>>,
}

impl Loop {
    /// Calls `call` in each turn in which `fd` can be read without blocking, until
    /// [`remove_reader`](Loop::remove_reader): `loop.add_reader`. The end of the stream, an error and a hang-up count.
    /// It replaces an earlier reader of the same number.
    ///
    /// The call is a handle that the poll of the loop queues, level triggered: whoever does not read is called again in
    /// the next turn. For one descriptor the reader comes before the writer. An error goes to the exception handler and
    /// the reader stays; after a panic it is removed.
    ///
    /// The reader lives in the loop's nursery, does not keep it open, and ends with it. It watches a duplicate of `fd`,
    /// so the open file lives until it is removed, whatever becomes of `fd`; remove it first, as in asyncio. Differs
    /// from asyncio: a plain number will not do, `fd` must be something that lends its descriptor.
    ///
    /// # Errors
    ///
    /// One of kind `PermissionDenied` for a regular file, which is always ready; the process is out of descriptors;
    /// a [`RuntimeError`], `Event loop is closed`; [`Closed`](crate::Closed) if the nursery has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::rc::Rc;
    /// use foster_compat::{Loop, open_nursery, run};
    ///
    /// run(async {
    ///     open_nursery(async |nursery| {
    ///         let loop_ = Loop::new(&nursery);
    ///         let (ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
    ///         ours.set_nonblocking(true)?;
    ///         let ours = Rc::new(ours);
    ///         let received = loop_.create_future();
    ///         let (reader, inner, done) = (ours.clone(), loop_.clone(), received.clone());
    ///         loop_.add_reader(&ours, move || {
    ///             let mut data = [0; 100];
    ///             let n = (&*reader).read(&mut data)?;
    ///             inner.remove_reader(&*reader);
    ///             Ok(done.set_result(data[..n].to_vec())?)
    ///         })?;
    ///         theirs.write_all(b"hello")?;
    ///         assert_eq!(received.await?, b"hello");
    ///         Ok(())
    ///     })
    ///     .await
    /// })?;
    /// # foster_compat::Ok(())
    /// ```
    pub fn add_reader<F, R>(&self, fd: impl AsFd, call: F) -> Result<()>
    where
        F: FnMut() -> R + 'static,
        R: Outcome,
    {
        self.watch(&fd, Direction::Read, RepeatedCall::new(self.nursery().core(), call))
    }

    /// Calls `call` in each turn in which `fd` can be written without blocking, until
    /// [`remove_writer`](Loop::remove_writer): `loop.add_writer`. Otherwise as [`add_reader`](Loop::add_reader).
    ///
    /// # Errors
    ///
    /// As [`add_reader`](Loop::add_reader).
    pub fn add_writer<F, R>(&self, fd: impl AsFd, call: F) -> Result<()>
    where
        F: FnMut() -> R + 'static,
        R: Outcome,
    {
        self.watch(&fd, Direction::Write, RepeatedCall::new(self.nursery().core(), call))
    }

    /// Forgets the reader of `fd`, also one that is queued, and drops what it holds: `loop.remove_reader`. `false` if
    /// there was none. A plain number will do.
    pub fn remove_reader(&self, fd: &impl AsRawFd) -> bool {
        self.unwatch(fd.as_raw_fd(), Direction::Read)
    }

    /// Forgets the writer of `fd`: `loop.remove_writer`. Otherwise as [`remove_reader`](Loop::remove_reader).
    pub fn remove_writer(&self, fd: &impl AsRawFd) -> bool {
        self.unwatch(fd.as_raw_fd(), Direction::Write)
    }

    fn watch(&self, fd: &impl AsFd, direction: Direction, call: RepeatedCall) -> Result<()> {
        let core = self.nursery().core();
        if self.is_closed() || core.is_over() {
            return Err(RuntimeError::new("Event loop is closed").into());
        }
        let fd = fd.as_fd();
        let watcher = Rc::new(Watcher {
            lp: LoopState::of(core),
            nursery: self.nursery().clone(),
            node: Cell::new(NodeId::NONE),
            key: Cell::new(None),
            waker: RefCell::new(Waker::noop().clone()),
            number: fd.as_raw_fd(),
            direction,
            descriptor: RefCell::new(Some(Descriptor::new(fd, direction)?)),
            is_queued: Cell::new(false),
            call,
        });
        watcher.node.set(self.nursery().adopt_in_background(watcher.clone())?);
        watcher.begin();
        Ok(())
    }

    fn unwatch(&self, number: RawFd, direction: Direction) -> bool {
        let watcher = LoopState::of(self.nursery().core()).watchers.get(number, direction);
        watcher.inspect(|watcher| watcher.end(Exit::Finished)).is_some()
    }
}

impl Watchers {
    fn get(&self, number: RawFd, direction: Direction) -> Option<Rc<Watcher>> {
        let by_number = self.by_number.borrow();
        let pair = by_number.get(&number)?;
        match direction {
            Direction::Read => pair.reader.clone(),
            Direction::Write => pair.writer.clone(),
        }
    }

    /// Gives the one that was there before.
    fn put(&self, watcher: &Rc<Watcher>) -> Option<Rc<Watcher>> {
        let mut by_number = self.by_number.borrow_mut();
        by_number.entry(watcher.number).or_default().slot(watcher.direction).replace(watcher.clone())
    }

    fn remove(&self, watcher: &Watcher) {
        let mut by_number = self.by_number.borrow_mut();
        let Some(pair) = by_number.get_mut(&watcher.number) else { return };
        let removed = pair.slot(watcher.direction).take_if(|other| std::ptr::eq(&**other, watcher));
        if pair.reader.is_none() && pair.writer.is_none() {
            by_number.remove(&watcher.number);
        }
        drop(by_number);
        drop(removed);
    }
}

impl Pair {
    fn slot(&mut self, direction: Direction) -> &mut Option<Rc<Watcher>> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }
}

/// A reader or a writer: in the background of its nursery until it is removed.
struct Watcher {
    lp: Rc<LoopState>,
    nursery: Nursery,
    node: Cell<NodeId>,
    key: Cell<Option<SourceKey>>,
    waker: RefCell<Waker>,
    number: RawFd,
    direction: Direction,
    /// `None` once it has ended.
    descriptor: RefCell<Option<Descriptor>>,
    is_queued: Cell<bool>,
    call: RepeatedCall,
}

impl Watcher {
    fn begin(self: &Rc<Self>) {
        let core = &self.lp.core;
        let key = core.register(self.clone());
        self.key.set(Some(key));
        self.waker.replace(core.source_waker(key, READY));
        let earlier = self.lp.watchers.put(self);
        if let Some(earlier) = earlier {
            earlier.end(Exit::Finished);
        }
        // Leaves the waker: the poll after this turn finds out.
        self.queue_if(core, Watcher::poll_ready);
    }

    fn is_on(&self) -> bool {
        self.descriptor.borrow().is_some()
    }

    fn queue_if(self: &Rc<Self>, core: &Core, is_ready: impl Fn(&Self) -> bool) {
        if !self.is_queued.get() && is_ready(self) {
            self.is_queued.set(true);
            core.push_event(self.clone(), READY, 0);
        }
    }

    fn poll_ready(&self) -> bool {
        let (descriptor, waker) = (self.descriptor.borrow(), self.waker.borrow());
        descriptor.as_ref().is_some_and(|it| it.poll_ready(&mut Context::from_waker(&waker)).is_ready())
    }

    fn is_ready(&self) -> bool {
        self.descriptor.borrow().as_ref().is_some_and(Descriptor::is_ready)
    }

    fn end(&self, exit: Exit) {
        let descriptor = self.descriptor.take();
        if descriptor.is_none() {
            return;
        }
        drop(descriptor);
        self.lp.watchers.remove(self);
        if let Some(key) = self.key.take() {
            self.lp.core.deregister(key);
        }
        self.waker.replace(Waker::noop().clone());
        self.call.forget(&self.lp.core);
        self.nursery.release(self.node.replace(NodeId::NONE), exit);
    }
}

impl Source for Watcher {
    fn woken(self: Rc<Self>, core: &Core, _kind: u8) {
        // For one descriptor the reader comes before the writer, whichever was woken first.
        if self.direction == Direction::Write {
            if let Some(reader) = self.lp.watchers.get(self.number, Direction::Read) {
                reader.queue_if(core, Watcher::is_ready);
            }
        }
        self.queue_if(core, Watcher::poll_ready);
    }

    fn run(self: Rc<Self>, event: Event) {
        if event == Event::CANCELLED {
            return self.end(Exit::Cancelled);
        }
        self.is_queued.set(false);
        if !self.is_on() || self.nursery.is_cancelled() {
            return;
        }
        if !self.call.run(&self.lp.core, || self.is_on()) {
            return self.end(Exit::Finished);
        }
        if self.is_on() {
            self.lp.core.recheck(self.clone(), READY);
        }
    }

    fn orphaned(self: Rc<Self>) {
        self.end(Exit::Cancelled);
    }

    fn abandoned(self: Rc<Self>) {
        self.end(Exit::Cancelled);
    }
}
