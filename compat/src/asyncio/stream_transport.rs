//! The transport of a connected stream socket.
//!
//! ```text
//!   FACTORY ──> MADE ──> ADD_READER ──> (READ | WRITE)* ──────> LOST ──> children gone ──> released
//!                          close, abort, error, CANCELLED ────────┘
//! ```
//!
//! Every arrow is an event in the loop's queue, so the order relative to callbacks and task steps is asyncio's. The
//! connection is one child of the nursery it was started in; what the protocol starts with `start_soon` is a child
//! of the connection.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::SockRef;
use tokio::time::Instant;

use super::exceptions::{RuntimeError, TimeoutError, ValueError, connection_lost};
use super::extra_info::{ExtraInfo, SocketAccess, TransportSocket};
use super::loop_state::{Deferred, Later, LoopState};
use super::out_buffer::OutBuffer;
use super::protocol_cell::{Call, Kind, ProtocolCell};
use super::stream_io::StreamIo;
use super::transport::{BaseTransport, ReadTransport, WriteTransport};
use super::transport_ref::TransportRef;
use crate::error::{Error, Result};
use crate::nursery::{Closed, Nursery};
use crate::runtime::{
    Alarm, CancelReason, Core, Event, ExceptionContext, Exit, Failure, NewTask, NodeId, Source, SourceKey, Supervisor,
    TaskName, TimerKey, log_warning,
};

/// asyncio's default high-water mark.
pub(crate) const DEFAULT_HIGH: usize = 64 * 1024;
/// asyncio's default low-water mark, a quarter of the high one.
pub(crate) const DEFAULT_LOW: usize = DEFAULT_HIGH / 4;
/// Writes to a lost connection that are dropped silently: asyncio's `LOG_THRESHOLD_FOR_CONNLOST_WRITES`.
const SILENT_LOST_WRITES: u32 = 5;

// The events of a connection.
const READ: u8 = 0;
const WRITE: u8 = 1;
const FACTORY: u8 = 2;
const MADE: u8 = 3;
const ADD_READER: u8 = 4;
const LOST: u8 = 5;
const IDLE: u8 = 6;
const CANCELLED: u8 = Event::CANCELLED.kind;

/// Where accepted connections come from, as a connection sees it.
pub(crate) trait Acceptor {
    /// Makes the protocol of an accepted connection; `None` if the server was closed since.
    fn make_protocol(&self) -> Option<Result<ProtocolCell, Failure>>;
    /// The connection is over; `client` is what `add_client` gave.
    fn detach(&self, client: usize);
    /// Remembers an accepted connection.
    fn add_client(&self, client: Weak<dyn Client>) -> usize;
    fn options(&self) -> &ConnectionOptions;
}

/// A connection as its server closes it.
pub(crate) trait Client {
    fn close_client(&self);
    fn abort_client(&self);
}

/// What a connection starts with.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionOptions {
    pub(crate) high: usize,
    pub(crate) low: usize,
    pub(crate) is_strict: bool,
    pub(crate) idle_timeout: Option<Duration>,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        ConnectionOptions { high: DEFAULT_HIGH, low: DEFAULT_LOW, is_strict: false, idle_timeout: None }
    }
}

/// The two directions of a connection as the loop watches them.
#[derive(Default)]
struct Watch {
    /// Registered, as after asyncio's `add_reader`.
    is_on: Cell<bool>,
    /// An event of this generation stands in the queue.
    is_queued: Cell<bool>,
    /// Raised when the direction is switched on or off: an event that was queued before is not run.
    generation: Cell<u32>,
}

impl Watch {
    fn switch(&self, is_on: bool) {
        self.is_on.set(is_on);
        self.is_queued.set(false);
        self.generation.set(self.generation.get().wrapping_add(1));
    }
}

pub(crate) struct StreamTransport<S: StreamIo> {
    me: Weak<Self>,
    lp: Rc<LoopState>,
    nursery: Nursery,
    /// The connection in the cancel tree; its tasks are below it.
    node: Cell<NodeId>,
    key: Cell<Option<SourceKey>>,
    /// Set once the transport is registered.
    wakers: OnceCell<[Waker; 2]>,
    /// Closed when `connection_lost` has returned.
    io: RefCell<Option<S>>,
    protocol: RefCell<Option<ProtocolCell>>,
    acceptor: Option<Rc<dyn Acceptor>>,
    client: Cell<usize>,
    reader: Watch,
    writer: Watch,
    out: RefCell<OutBuffer>,
    marks: Cell<(usize, usize)>,
    /// 1 from the moment `connection_lost` is due, and one more for each write after it: asyncio's `_conn_lost`.
    n_lost: Cell<u32>,
    n_children: Cell<u32>,
    is_made: Cell<bool>,
    is_closing: Cell<bool>,
    is_reading_paused: Cell<bool>,
    is_writing_paused: Cell<bool>,
    has_eof: Cell<bool>,
    /// `connection_lost` was called.
    is_lost: Cell<bool>,
    /// A callback panicked: the protocol gets `connection_lost` and nothing else.
    is_poisoned: Cell<bool>,
    /// A cancellation has ended it, which its nursery has to know.
    is_cancelled: Cell<bool>,
    is_strict: bool,
    is_batching: Cell<bool>,
    has_idle_timeout: Cell<bool>,
    is_flush_due: Cell<bool>,
    exc: RefCell<Option<Error>>,
    rest: RefCell<Option<Box<Rest>>>,
}

/// What few connections have.
#[derive(Default)]
struct Rest {
    extra: Vec<(&'static str, ExtraInfo)>,
    closed_waiters: Vec<Waker>,
    drain_waiters: Vec<Waker>,
    idle: Option<Idle>,
}

#[derive(Clone, Copy)]
struct Idle {
    timeout: Duration,
    /// When the connection has been idle for too long, as things stand.
    deadline: Instant,
    timer: TimerKey,
}

impl<S: StreamIo> StreamTransport<S> {
    /// Takes an accepted socket in; the factory is called in the next turn.
    pub(crate) fn accepted(
        lp: &Rc<LoopState>,
        nursery: &Nursery,
        acceptor: Rc<dyn Acceptor>,
        io: S,
    ) -> Result<(), Closed> {
        let options = acceptor.options().clone();
        let transport = StreamTransport::new(lp, nursery, Some(acceptor.clone()), &options, io)?;
        let client: Weak<dyn Client> = transport.me.clone();
        transport.client.set(acceptor.add_client(client));
        transport.push(FACTORY);
        Ok(())
    }

    /// Takes a connected stream in with its protocol; `connection_made` comes in the next turn.
    #[cfg(feature = "testing")]
    pub(crate) fn connected(
        lp: &Rc<LoopState>,
        nursery: &Nursery,
        protocol: ProtocolCell,
        io: S,
    ) -> Result<Rc<Self>, Closed> {
        let transport = StreamTransport::new(lp, nursery, None, &ConnectionOptions::default(), io)?;
        transport.begin(protocol);
        Ok(transport)
    }

    fn new(
        lp: &Rc<LoopState>,
        nursery: &Nursery,
        acceptor: Option<Rc<dyn Acceptor>>,
        options: &ConnectionOptions,
        io: S,
    ) -> Result<Rc<Self>, Closed> {
        let transport = Rc::new_cyclic(|me| StreamTransport {
            me: me.clone(),
            lp: lp.clone(),
            nursery: nursery.clone(),
            node: Cell::new(NodeId::NONE),
            key: Cell::new(None),
            wakers: OnceCell::new(),
            io: RefCell::new(Some(io)),
            protocol: RefCell::new(None),
            acceptor,
            client: Cell::new(0),
            reader: Watch::default(),
            writer: Watch::default(),
            out: RefCell::default(),
            marks: Cell::new((options.low, options.high)),
            n_lost: Cell::new(0),
            n_children: Cell::new(0),
            is_made: Cell::new(false),
            is_closing: Cell::new(false),
            is_reading_paused: Cell::new(false),
            is_writing_paused: Cell::new(false),
            has_eof: Cell::new(false),
            is_lost: Cell::new(false),
            is_poisoned: Cell::new(false),
            is_cancelled: Cell::new(false),
            is_strict: options.is_strict,
            is_batching: Cell::new(false),
            has_idle_timeout: Cell::new(false),
            is_flush_due: Cell::new(false),
            exc: RefCell::new(None),
            rest: RefCell::new(None),
        });
        transport.node.set(nursery.adopt(transport.clone())?);
        let key = lp.core.register(transport.clone());
        transport.key.set(Some(key));
        transport.wakers.get_or_init(|| [lp.core.source_waker(key, READ), lp.core.source_waker(key, WRITE)]);
        if let Some(timeout) = options.idle_timeout {
            transport.set_idle_timeout(Some(timeout));
        }
        Ok(transport)
    }

    fn begin(&self, protocol: ProtocolCell) {
        self.protocol.replace(Some(protocol));
        self.push(MADE);
        self.push(ADD_READER);
    }

    fn me(&self) -> Rc<Self> {
        self.me.upgrade().expect("a transport is only reached through its Rc")
    }

    fn push(&self, kind: u8) {
        self.lp.core.push_event(self.me(), kind, 0);
    }

    // ---- events

    fn on_factory(&self) {
        if self.n_lost.get() > 0 {
            return self.release();
        }
        let Some(acceptor) = &self.acceptor else { return };
        match acceptor.make_protocol() {
            Some(Ok(protocol)) => self.begin(protocol),
            Some(Err(failure)) => {
                self.shut();
                self.report("Error on transport creation for incoming connection", failure);
                self.release();
            }
            None => self.release(),
        }
    }

    fn on_made(&self) {
        if self.n_lost.get() > 0 {
            return self.release();
        }
        self.is_made.set(true);
        if let Err(failure) = self.call(Call::Made(TransportRef::new(self.me()))) {
            self.report_callback_failure(failure);
        }
    }

    fn on_read(&self) {
        if self.n_lost.get() > 0 {
            return;
        }
        let protocol = self.protocol.borrow().clone();
        let Some(protocol) = protocol else { return };
        match &protocol.0 {
            // tokio takes a new socket, and one that was read with a full buffer, for ready; a protocol that is asked
            // for a buffer would see that guess.
            Kind::Buffered(_) if !self.has_input() => {}
            Kind::Buffered(buffered) => {
                let mut outcome = None;
                let got = self.call_user(|| {
                    let mut protocol = buffered.borrow_mut();
                    let buffer = protocol.get_buffer(None)?;
                    if buffer.is_empty() {
                        return Err(RuntimeError::new("get_buffer() returned an empty buffer").into());
                    }
                    outcome = self.io.borrow().as_ref().map(|io| io.try_read(buffer));
                    Ok(())
                });
                if let Err(failure) = got {
                    return self.fatal(failure, "Fatal error: protocol.get_buffer() call failed.");
                }
                if let Some(n) = self.settle_read(outcome) {
                    if let Err(failure) = self.call_user(|| buffered.borrow_mut().buffer_updated(n)) {
                        self.fatal(failure, "Fatal error: protocol.buffer_updated() call failed.");
                    }
                }
            }
            Kind::Exclusive(_) | Kind::Shared(_) => {
                let mut buffer = self.lp.take_read_buffer();
                let outcome = self.io.borrow().as_ref().map(|io| io.try_read(&mut buffer));
                if let Some(n) = self.settle_read(outcome) {
                    let data = &buffer[..n];
                    let received = self.call_user(|| match &protocol.0 {
                        Kind::Exclusive(protocol) => protocol.borrow_mut().data_received(data),
                        Kind::Shared(protocol) => protocol.data_received(data),
                        Kind::Buffered(_) => Ok(()),
                    });
                    if let Err(failure) = received {
                        self.fatal(failure, "Fatal error: protocol.data_received() call failed.");
                    }
                }
                self.lp.put_read_buffer(buffer);
            }
        }
        self.watch_read();
    }

    /// Gives the number of bytes that were read; the end of the stream and errors are dealt with.
    fn settle_read(&self, outcome: Option<io::Result<usize>>) -> Option<usize> {
        match outcome? {
            Ok(0) => {
                self.on_eof();
                None
            }
            Ok(n) => {
                self.stay_awake();
                Some(n)
            }
            Err(err) if would_block(&err) => None,
            Err(err) => {
                self.fatal(Failure::Error(err.into()), "Fatal read error on socket transport");
                None
            }
        }
    }

    fn on_eof(&self) {
        match self.call(Call::Eof) {
            Ok(true) => self.reader.switch(false),
            Ok(false) => self.close(),
            Err(failure) => self.fatal(failure, "Fatal error: protocol.eof_received() call failed."),
        }
    }

    /// Sends what waits, as asyncio's `_write_ready`.
    fn on_write(&self) {
        if self.n_lost.get() > 0 {
            return;
        }
        if !self.send_queued() {
            return;
        }
        self.maybe_resume();
        if self.out.borrow().is_empty() {
            self.writer.switch(false);
            if self.is_closing.get() {
                if self.n_lost.get() == 0 {
                    self.n_lost.set(1);
                    self.call_lost_or_queue();
                }
            } else if self.has_eof.get() {
                self.shutdown_write();
            }
        } else {
            self.watch_write();
        }
    }

    /// Tries to send the queue once; `false` if there was no progress.
    fn send_queued(&self) -> bool {
        let outcome = {
            let (io, out) = (self.io.borrow(), self.out.borrow());
            let Some(io) = &*io else { return false };
            out.with_slices(|pieces| io.try_write_vectored(pieces))
        };
        match outcome {
            Ok(n) => {
                self.out.borrow_mut().advance(n);
                self.stay_awake();
                true
            }
            Err(err) if would_block(&err) => {
                self.watch_write();
                false
            }
            Err(err) => {
                self.fatal(Failure::Error(err.into()), "Fatal write error on socket transport");
                false
            }
        }
    }

    /// At the end of a flush `connection_lost` is called directly, as in asyncio, unless the protocol is being called.
    fn call_lost_or_queue(&self) {
        if self.lp.is_calling() { self.push(LOST) } else { self.on_lost() }
    }

    fn on_lost(&self) {
        if self.is_lost.replace(true) {
            return;
        }
        if self.is_made.get() {
            let exc = self.exc.borrow().clone();
            if let Err(failure) = self.call(Call::Lost(exc)) {
                self.report("Exception in callback connection_lost", failure);
            }
        }
        self.shut();
        self.release();
    }

    fn on_cancelled(&self) {
        if self.n_lost.get() == 0 {
            self.is_cancelled.set(true);
            self.force_close(None);
        }
    }

    fn on_idle(&self) {
        let idle = self.rest.borrow_mut().as_mut().and_then(|rest| rest.idle.take());
        // Since the timer was due, it may have been switched off or traffic may have come.
        let Some(idle) = idle else { return };
        if idle.deadline > Instant::now() {
            return self.arm_idle(idle.timeout, idle.deadline);
        }
        self.force_close(Some(TimeoutError::new("the connection was idle for too long").into()));
    }

    // ---- ending

    /// Closes the socket and lets the protocol go, which breaks the cycle between the two.
    fn shut(&self) {
        let (io, protocol) = (self.io.take(), self.protocol.take());
        drop(io);
        drop(protocol);
        self.out.borrow_mut().clear();
        if let Some(key) = self.key.take() {
            self.lp.core.deregister(key);
        }
        let (waiters, idle) = match &mut *self.rest.borrow_mut() {
            Some(rest) => {
                let mut waiters = std::mem::take(&mut rest.closed_waiters);
                waiters.append(&mut rest.drain_waiters);
                (waiters, rest.idle.take())
            }
            None => (Vec::new(), None),
        };
        if let Some(idle) = idle {
            self.lp.core.clear_timer(idle.timer);
        }
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Leaves the server and, once the tasks of the connection have ended, the nursery.
    fn release(&self) {
        self.is_lost.set(true);
        self.n_lost.set(self.n_lost.get().max(1));
        self.is_closing.set(true);
        self.shut();
        if let (Some(acceptor), Some(client)) = (&self.acceptor, self.take_client()) {
            acceptor.detach(client);
        }
        if self.n_children.get() > 0 {
            self.lp.core.cancel(self.node.get(), || CancelReason::explicit("the connection was lost"));
        } else {
            self.leave_nursery();
        }
    }

    fn take_client(&self) -> Option<usize> {
        let client = self.client.replace(usize::MAX);
        (client != usize::MAX).then_some(client)
    }

    fn leave_nursery(&self) {
        let node = self.node.replace(NodeId::NONE);
        if !node.is_none() {
            self.nursery.release(node, if self.is_cancelled.get() { Exit::Cancelled } else { Exit::Finished });
        }
    }

    fn force_close(&self, exc: Option<Error>) {
        if self.n_lost.get() > 0 {
            return;
        }
        self.out.borrow_mut().clear();
        self.writer.switch(false);
        self.is_closing.set(true);
        self.reader.switch(false);
        self.n_lost.set(1);
        self.exc.replace(exc);
        self.push(LOST);
    }

    /// Reports a failure, unless it is one of the operating system's, and ends the connection with it.
    fn fatal(&self, failure: Failure, message: &'static str) {
        if matches!(failure, Failure::Panic(_)) {
            self.is_poisoned.set(true);
        }
        let err = failure.into_error();
        if !is_expected(&err) {
            self.report(message, Failure::Error(err.clone()));
        }
        self.force_close(Some(err));
    }

    /// A callback whose error is only reported has failed; a panic ends the connection all the same.
    fn report_callback_failure(&self, failure: Failure) {
        match failure {
            Failure::Error(_) => self.report("Exception in callback connection_made", failure),
            Failure::Panic(_) => self.fatal(failure, "Exception in callback connection_made"),
        }
    }

    fn report(&self, message: &'static str, failure: Failure) {
        let err = failure.into_error();
        if self.is_strict && !is_expected(&err) {
            self.nursery.fail(err.clone());
        }
        let mut context = ExceptionContext::new(message, Some(err)).with("transport", TransportRef::new(self.me()));
        if let Some(protocol) = self.protocol.borrow().clone() {
            context = context.with("protocol", protocol);
        }
        self.lp.core.call_exception_handler(&context);
    }

    // ---- calling the protocol

    fn call(&self, call: Call) -> Result<bool, Failure> {
        let protocol = self.protocol.borrow().clone();
        match protocol {
            Some(protocol) => self.call_user(|| protocol.call(call)),
            None => Ok(false),
        }
    }

    /// Calls user code. A panic poisons the protocol before what the callback put off is delivered.
    fn call_user<R>(&self, call: impl FnOnce() -> Result<R>) -> Result<R, Failure> {
        self.lp.call(|| {
            let poison = PoisonOnUnwind { is_poisoned: &self.is_poisoned };
            let result = call();
            std::mem::forget(poison);
            result
        })
    }

    /// Calls `pause_writing` or `resume_writing`, now or when the running callback has returned.
    fn call_flow(&self, later: Later) {
        let is_exclusive = self.protocol.borrow().as_ref().is_some_and(ProtocolCell::is_exclusive);
        if is_exclusive && self.lp.is_calling() {
            self.lp.defer(self.me(), later);
        } else {
            self.deliver_flow(later);
        }
    }

    fn deliver_flow(&self, later: Later) {
        if self.is_poisoned.get() || self.is_lost.get() {
            return;
        }
        let (call, message) = match later {
            Later::PauseWriting => (Call::Pause, "protocol.pause_writing() failed"),
            Later::ResumeWriting => (Call::Resume, "protocol.resume_writing() failed"),
            Later::Flush => return self.flush_batch(),
        };
        match self.call(call) {
            Ok(_) => {}
            Err(failure @ Failure::Error(_)) => self.report(message, failure),
            Err(failure @ Failure::Panic(_)) => self.fatal(failure, message),
        }
    }

    fn maybe_pause(&self) {
        if self.out.borrow().len() > self.marks.get().1 && !self.is_writing_paused.replace(true) {
            self.call_flow(Later::PauseWriting);
        }
    }

    fn maybe_resume(&self) {
        if self.out.borrow().len() <= self.marks.get().0 && self.is_writing_paused.replace(false) {
            let waiters = self.rest.borrow_mut().as_mut().map(|rest| std::mem::take(&mut rest.drain_waiters));
            self.call_flow(Later::ResumeWriting);
            waiters.into_iter().flatten().for_each(Waker::wake);
        }
    }

    // ---- watching the socket

    fn add_reader(&self) {
        if self.is_reading() {
            self.reader.switch(true);
            self.watch_read();
        }
    }

    /// Asks to be told when there is something to read, or looks again in the next turn if there is already.
    fn watch_read(&self) {
        if self.reader.is_on.get() && self.poll_ready(READ) {
            self.lp.core.recheck(self.me(), READ);
        }
    }

    fn watch_write(&self) {
        if !self.writer.is_on.get() {
            self.writer.switch(true);
        }
        if self.poll_ready(WRITE) {
            self.lp.core.recheck(self.me(), WRITE);
        }
    }

    /// Queues a read or a write, unless one is queued or nobody wants it any more. One that finds nothing to do is
    /// harmless.
    fn queue(self: Rc<Self>, core: &Core, kind: u8) {
        let watch = if kind == READ { &self.reader } else { &self.writer };
        if watch.is_on.get() && !watch.is_queued.replace(true) {
            let generation = watch.generation.get();
            core.push_event(self, kind, generation);
        }
    }

    fn poll_ready(&self, kind: u8) -> bool {
        let io = self.io.borrow();
        let (Some(io), Some([on_read, on_write])) = (&*io, self.wakers.get()) else { return false };
        if kind == READ {
            io.poll_read_ready(&mut Context::from_waker(on_read)).is_ready()
        } else {
            io.poll_write_ready(&mut Context::from_waker(on_write)).is_ready()
        }
    }

    fn has_input(&self) -> bool {
        self.io.borrow().as_ref().is_some_and(StreamIo::has_input)
    }

    fn shutdown_write(&self) {
        if let Some(io) = &*self.io.borrow() {
            // It fails only if the peer is gone, which the next read or write finds out.
            let _ = io.shutdown_write();
        }
    }

    // ---- writing

    /// Counts a write to a lost connection; `false` if the connection is not lost.
    fn count_lost_write(&self) -> bool {
        let n = self.n_lost.get();
        if n == 0 {
            return false;
        }
        if n >= SILENT_LOST_WRITES {
            log_warning("socket.send() raised exception.");
        }
        self.n_lost.set(n.saturating_add(1));
        true
    }

    /// Sends now what the socket takes; `None` if the connection has failed.
    fn send_now<'a>(&self, data: &'a [u8]) -> Option<&'a [u8]> {
        let outcome = self.io.borrow().as_ref().map(|io| io.try_write(data))?;
        match outcome {
            Ok(n) => {
                self.stay_awake();
                Some(&data[n..])
            }
            Err(err) if would_block(&err) => Some(data),
            Err(err) => {
                self.fatal(Failure::Error(err.into()), "Fatal write error on socket transport");
                None
            }
        }
    }

    /// Keeps a write for the end of the running callback; `false` if it has to go out now.
    fn batch(&self, pieces: &[&[u8]]) -> bool {
        if !self.lp.is_calling() {
            return false;
        }
        for piece in pieces {
            self.out.borrow_mut().push(piece);
        }
        if !self.writer.is_on.get() {
            if self.out.borrow().len() > self.marks.get().1 {
                // A batch keeps no more than a write would; what the socket takes does not pause the protocol.
                self.on_write();
            } else if !self.is_flush_due.replace(true) {
                self.lp.defer(self.me(), Later::Flush);
            }
        }
        self.maybe_pause();
        true
    }

    fn flush_batch(&self) {
        self.is_flush_due.set(false);
        if !self.out.borrow().is_empty() && !self.writer.is_on.get() {
            // Still a part of the callback: a close in it calls connection_lost in the next turn.
            let _depth = self.lp.go_deeper();
            self.on_write();
        }
    }

    // ---- idle time-out

    /// Bytes were read or sent.
    #[inline]
    fn stay_awake(&self) {
        if self.has_idle_timeout.get() {
            self.put_off_idle();
        }
    }

    fn put_off_idle(&self) {
        let moved = match self.rest.borrow_mut().as_mut().and_then(|rest| rest.idle.as_mut()) {
            Some(idle) => {
                idle.deadline = Instant::now().checked_add(idle.timeout).unwrap_or(idle.deadline);
                *idle
            }
            None => return,
        };
        self.lp.core.reset_timer(moved.timer, moved.deadline);
    }

    fn arm_idle(&self, timeout: Duration, deadline: Instant) {
        self.has_idle_timeout.set(true);
        let event = Event { kind: IDLE, generation: 0 };
        let timer = self.lp.core.set_timer(deadline, Alarm::Event { source: self.me(), event });
        self.rest(|rest| rest.idle = Some(Idle { timeout, deadline, timer }));
    }

    fn rest<R>(&self, use_rest: impl FnOnce(&mut Rest) -> R) -> R {
        use_rest(self.rest.borrow_mut().get_or_insert_with(Box::default))
    }
}

impl<S: StreamIo> Source for StreamTransport<S> {
    fn woken(self: Rc<Self>, core: &Core, kind: u8) {
        // For one socket the reader comes before the writer, whichever was woken first: a connection that the peer has
        // reset then ends with the error of the read.
        if kind == WRITE && self.reader.is_on.get() && self.poll_ready(READ) {
            self.clone().queue(core, READ);
        }
        self.queue(core, kind);
    }

    fn run(self: Rc<Self>, event: Event) {
        match event.kind {
            READ | WRITE => {
                let watch = if event.kind == READ { &self.reader } else { &self.writer };
                if watch.is_on.get() && watch.generation.get() == event.generation {
                    watch.is_queued.set(false);
                    if event.kind == READ { self.on_read() } else { self.on_write() }
                }
            }
            FACTORY => self.on_factory(),
            MADE => self.on_made(),
            ADD_READER => self.add_reader(),
            LOST => self.on_lost(),
            CANCELLED => self.on_cancelled(),
            IDLE => self.on_idle(),
            other => debug_assert!(false, "no such event: {other}"),
        }
    }

    fn orphaned(self: Rc<Self>) {
        self.force_close(None);
    }

    fn abandoned(self: Rc<Self>) {
        self.force_close(None);
        self.on_lost();
    }
}

impl<S: StreamIo> Supervisor for StreamTransport<S> {
    fn child_ended(&self, exit: Exit, _is_background: bool) {
        self.n_children.set(self.n_children.get() - 1);
        let message = "Fatal error: a task of the connection failed.";
        match exit {
            Exit::Finished | Exit::Cancelled => {}
            Exit::Failed(err) if self.is_lost.get() => self.report(message, Failure::Error(err)),
            Exit::Failed(err) => self.fatal(Failure::Error(err), message),
            Exit::Panicked(payload) if self.is_lost.get() => self.report(message, Failure::Panic(payload)),
            Exit::Panicked(payload) => {
                let err = Failure::Panic(payload).into_error();
                self.fatal(Failure::Error(err), message);
            }
        }
        if self.is_lost.get() && self.n_children.get() == 0 {
            self.leave_nursery();
        }
    }
}

impl<S: StreamIo> Deferred for StreamTransport<S> {
    fn deliver(self: Rc<Self>, later: Later) {
        self.deliver_flow(later);
    }
}

impl<S: StreamIo> Client for StreamTransport<S> {
    fn close_client(&self) {
        self.close();
    }

    fn abort_client(&self) {
        self.abort();
    }
}

impl<S: StreamIo> SocketAccess for StreamTransport<S> {
    fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>)) {
        if let Some(io) = &*self.io.borrow() {
            io.with_socket(look);
        }
    }
}

impl<S: StreamIo> BaseTransport for StreamTransport<S> {
    fn get_extra_info(&self, name: &str) -> Option<ExtraInfo> {
        let own = self.rest.borrow();
        let own = own.as_ref().and_then(|rest| rest.extra.iter().find(|(key, _)| *key == name));
        if let Some((_, value)) = own {
            return Some(value.clone());
        }
        let io = self.io.borrow();
        let io = io.as_ref()?;
        match name {
            "peername" => io.peername().map(ExtraInfo::Address),
            "sockname" => io.sockname().map(ExtraInfo::Address),
            "socket" => Some(ExtraInfo::Socket(TransportSocket::new(self.me()))),
            _ => None,
        }
    }

    fn set_extra_info(&self, name: &'static str, value: ExtraInfo) {
        let old = self.rest(|rest| {
            let old = rest.extra.iter().position(|(key, _)| *key == name).map(|at| rest.extra.swap_remove(at));
            rest.extra.push((name, value));
            old
        });
        drop(old);
    }

    fn is_closing(&self) -> bool {
        self.is_closing.get()
    }

    fn close(&self) {
        if self.is_closing.replace(true) {
            return;
        }
        self.reader.switch(false);
        if self.out.borrow().is_empty() {
            self.n_lost.set(1);
            self.writer.switch(false);
            self.push(LOST);
        }
    }

    fn set_protocol_cell(&self, protocol: ProtocolCell) {
        if !self.is_lost.get() {
            let old = self.protocol.replace(Some(protocol));
            drop(old);
        }
    }

    fn get_protocol(&self) -> Option<ProtocolCell> {
        self.protocol.borrow().clone()
    }

    fn start_soon_boxed(&self, name: &'static str, task: Pin<Box<dyn Future<Output = Result<()>>>>) {
        if self.is_lost.get() || self.node.get().is_none() {
            return log_warning(&format!("a task of a lost connection was not started: {name}"));
        }
        self.n_children.set(self.n_children.get() + 1);
        self.lp.core.spawn(NewTask {
            future: task,
            supervisor: self.me(),
            parent: self.node.get(),
            is_background: false,
            name: TaskName::Type(name),
        });
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        if self.is_lost.get() {
            return Poll::Ready(self.exc.borrow().clone());
        }
        self.rest(|rest| add_waiter(&mut rest.closed_waiters, cx.waker()));
        Poll::Pending
    }
}

impl<S: StreamIo> ReadTransport for StreamTransport<S> {
    fn is_reading(&self) -> bool {
        !self.is_closing.get() && !self.is_reading_paused.get()
    }

    fn pause_reading(&self) {
        if self.is_reading() {
            self.is_reading_paused.set(true);
            self.reader.switch(false);
        }
    }

    fn resume_reading(&self) {
        if !self.is_closing.get() && self.is_reading_paused.replace(false) {
            self.add_reader();
        }
    }

    fn set_idle_timeout(&self, timeout: Option<Duration>) {
        if self.is_lost.get() {
            return;
        }
        self.has_idle_timeout.set(false);
        let old = self.rest(|rest| rest.idle.take());
        if let Some(old) = old {
            self.lp.core.clear_timer(old.timer);
        }
        let Some((timeout, deadline)) = timeout.and_then(|t| Some((t, Instant::now().checked_add(t)?))) else { return };
        self.arm_idle(timeout, deadline);
    }
}

impl<S: StreamIo> WriteTransport for StreamTransport<S> {
    fn write(&self, data: &[u8]) -> Result<()> {
        if self.has_eof.get() {
            return Err(RuntimeError::new("Cannot call write() after write_eof()").into());
        }
        if data.is_empty() || self.count_lost_write() || (self.is_batching.get() && self.batch(&[data])) {
            return Ok(());
        }
        let mut data = data;
        if self.out.borrow().is_empty() {
            match self.send_now(data) {
                None | Some([]) => return Ok(()),
                Some(left) => data = left,
            }
            self.out.borrow_mut().push(data);
            self.watch_write();
        } else {
            self.out.borrow_mut().push(data);
        }
        self.maybe_pause();
        Ok(())
    }

    fn writelines(&self, pieces: &[&[u8]]) -> Result<()> {
        if self.has_eof.get() {
            return Err(RuntimeError::new("Cannot call writelines() after write_eof()").into());
        }
        if pieces.is_empty() || self.count_lost_write() || (self.is_batching.get() && self.batch(pieces)) {
            return Ok(());
        }
        for piece in pieces {
            self.out.borrow_mut().push(piece);
        }
        if self.out.borrow().is_empty() {
            return Ok(());
        }
        self.on_write();
        self.maybe_pause();
        Ok(())
    }

    fn write_eof(&self) -> Result<()> {
        if !self.is_closing.get() && !self.has_eof.replace(true) && self.out.borrow().is_empty() {
            self.shutdown_write();
        }
        Ok(())
    }

    fn can_write_eof(&self) -> bool {
        true
    }

    fn abort(&self) {
        self.force_close(None);
    }

    fn get_write_buffer_size(&self) -> usize {
        self.out.borrow().len()
    }

    fn get_write_buffer_limits(&self) -> (usize, usize) {
        self.marks.get()
    }

    fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()> {
        self.marks.set(water_marks(high, low)?);
        self.maybe_pause();
        Ok(())
    }

    fn is_writing_paused(&self) -> bool {
        self.is_writing_paused.get()
    }

    fn set_write_batching(&self, is_on: bool) {
        self.is_batching.set(is_on);
    }

    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.is_lost.get() {
            return Poll::Ready(Err(connection_lost()));
        }
        if !self.is_writing_paused.get() {
            return Poll::Ready(Ok(()));
        }
        self.rest(|rest| add_waiter(&mut rest.drain_waiters, cx.waker()));
        Poll::Pending
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

/// The (low, high) marks from what was given, by asyncio's rules.
pub(crate) fn water_marks(high: Option<usize>, low: Option<usize>) -> Result<(usize, usize)> {
    let high = high.unwrap_or_else(|| low.map_or(DEFAULT_HIGH, |low| low.saturating_mul(4)));
    let low = low.unwrap_or(high / 4);
    if high < low {
        return Err(ValueError::new(format!("high ({high}) must be >= low ({low}) must be >= 0")).into());
    }
    Ok((low, high))
}

/// Keeps a waker once: who polls again and again leaves no more than one.
pub(super) fn add_waiter(waiters: &mut Vec<Waker>, waker: &Waker) {
    if !waiters.iter().any(|known| known.will_wake(waker)) {
        waiters.push(waker.clone());
    }
}

fn would_block(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What Python counts among the operating system's errors is not reported, only handed to `connection_lost`.
fn is_expected(err: &Error) -> bool {
    err.is_os_error() || err.is::<TimeoutError>()
}
