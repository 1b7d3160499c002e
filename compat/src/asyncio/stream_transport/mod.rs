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

mod calling;
mod ending;
mod idle;
mod one_way;
mod reading;
mod sendfile;
mod writing;

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use socket2::SockRef;

use self::idle::Idle;
use super::acceptor::{Acceptor, Client, ConnectionOptions};
use super::extra_info::{ExtraInfo, SocketAccess, TransportPipe, TransportSocket};
use super::loop_state::LoopState;
use super::membership::Membership;
use super::out_buffer::OutBuffer;
use super::own_extras::OwnExtras;
use super::protocol_cell::{Call, ProtocolCell};
use super::stream_io::{Half, StreamIo};
use super::transport::{BaseTransport, ReadTransport, Transport};
use super::transport_ref::TransportRef;
use super::waiters::add_waiter;
use super::watch::Watch;
use crate::error::{Error, Result};
use crate::nursery::{Closed, Nursery};
use crate::runtime::{Core, Event, Source, SourceKey, log_warning};

// The events of a connection.
const READ: u8 = 0;
const WRITE: u8 = 1;
const FACTORY: u8 = 2;
const MADE: u8 = 3;
const ADD_READER: u8 = 4;
const LOST: u8 = 5;
const IDLE: u8 = 6;
const LAYER_LOST: u8 = 7;
const EOF: u8 = 8;
const CANCELLED: u8 = Event::CANCELLED.kind;

pub(crate) struct StreamTransport<S: StreamIo> {
    me: Weak<Self>,
    lp: Rc<LoopState>,
    membership: Membership,
    key: Cell<Option<SourceKey>>,
    /// Set once the transport is registered. That for writing is made by the first write that has to wait.
    on_read: OnceCell<Waker>,
    /// Closed when `connection_lost` has returned.
    io: RefCell<Option<S>>,
    protocol: RefCell<Option<ProtocolCell>>,
    /// Set in `accepted` and not handed to `new`, which serves connected sockets too: the optimizer would put the one
    /// acceptor that there is in its place, and a program with `lto = "thin"` and `codegen-units = 1` that only connects
    /// would not link, because all else about servers was found unused before.
    acceptor: OnceCell<Rc<dyn Acceptor>>,
    client: Cell<u32>,
    reader: Watch,
    writer: Watch,
    out: RefCell<OutBuffer>,
    marks: Cell<(usize, usize)>,
    /// 1 from the moment `connection_lost` is due, and one more for each write after it: asyncio's `_conn_lost`.
    n_lost: Cell<u32>,
    is_made: Cell<bool>,
    is_closing: Cell<bool>,
    is_reading_paused: Cell<bool>,
    is_writing_paused: Cell<bool>,
    has_eof: Cell<bool>,
    /// `connection_lost` was called.
    is_lost: Cell<bool>,
    /// A callback panicked: the protocol gets `connection_lost` and nothing else.
    is_poisoned: Cell<bool>,
    is_strict: bool,
    is_batching: Cell<bool>,
    is_sending_file: Cell<bool>,
    has_idle_timeout: Cell<bool>,
    is_flush_due: Cell<bool>,
    rest: RefCell<Option<Box<Rest>>>,
}

/// What few connections have.
#[derive(Default)]
struct Rest {
    on_write: Option<Waker>,
    /// What the connection has ended with.
    exc: Option<Error>,
    extras: OwnExtras,
    closed_waiters: Vec<Waker>,
    drain_waiters: Vec<Waker>,
    resume_waiters: Vec<Waker>,
    idle: Option<Idle>,
    /// Of a pipe that is closing.
    n_dropped_writes: u32,
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
        let transport = StreamTransport::new(lp, nursery, &options, io)?;
        transport.acceptor.get_or_init(|| acceptor.clone());
        let client: Weak<dyn Client> = transport.me.clone();
        transport.client.set(acceptor.add_client(client));
        transport.push(FACTORY);
        Ok(())
    }

    /// Takes a connected stream in with its protocol; `connection_made` comes in the next turn.
    pub(crate) fn connected(
        lp: &Rc<LoopState>,
        nursery: &Nursery,
        protocol: ProtocolCell,
        options: &ConnectionOptions,
        io: S,
    ) -> Result<Rc<Self>, Closed> {
        let transport = StreamTransport::new(lp, nursery, options, io)?;
        transport.begin(protocol);
        Ok(transport)
    }

    fn new(lp: &Rc<LoopState>, nursery: &Nursery, options: &ConnectionOptions, io: S) -> Result<Rc<Self>, Closed> {
        let transport = Rc::new_cyclic(|me| StreamTransport {
            me: me.clone(),
            lp: lp.clone(),
            membership: Membership::new(nursery),
            key: Cell::new(None),
            on_read: OnceCell::new(),
            io: RefCell::new(Some(io)),
            protocol: RefCell::new(None),
            acceptor: OnceCell::new(),
            client: Cell::new(0),
            reader: Watch::default(),
            writer: Watch::default(),
            out: RefCell::default(),
            marks: Cell::new((options.low, options.high)),
            n_lost: Cell::new(0),
            is_made: Cell::new(false),
            is_closing: Cell::new(false),
            is_reading_paused: Cell::new(false),
            is_writing_paused: Cell::new(false),
            has_eof: Cell::new(false),
            is_lost: Cell::new(false),
            is_poisoned: Cell::new(false),
            is_strict: options.is_strict,
            is_batching: Cell::new(false),
            is_sending_file: Cell::new(false),
            has_idle_timeout: Cell::new(false),
            is_flush_due: Cell::new(false),
            rest: RefCell::new(None),
        });
        transport.membership.join(transport.clone())?;
        let key = lp.core.register(transport.clone());
        transport.key.set(Some(key));
        transport.on_read.get_or_init(|| lp.core.source_waker(key, READ));
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

    fn on_factory(&self) {
        if self.n_lost.get() > 0 {
            return self.release();
        }
        let Some(acceptor) = self.acceptor.get() else { return };
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
            if let Some(layer) = self.layer() {
                layer.connection_lost(self.exc());
            }
            return self.release();
        }
        self.is_made.set(true);
        if let Err(failure) = self.call(Call::Made(TransportRef::new(self.me()))) {
            self.report_callback_failure(failure, "Exception in callback connection_made");
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
        let Some(io) = &*io else { return false };
        if kind == READ {
            self.on_read.get().is_some_and(|waker| io.poll_read_ready(&mut Context::from_waker(waker)).is_ready())
        } else {
            self.on_write_waker().is_some_and(|waker| io.poll_write_ready(&mut Context::from_waker(&waker)).is_ready())
        }
    }

    fn on_write_waker(&self) -> Option<Waker> {
        let key = self.key.get()?;
        Some(self.rest(|rest| rest.on_write.get_or_insert_with(|| self.lp.core.source_waker(key, WRITE)).clone()))
    }

    /// What the connection has ended with, if it has and it was something.
    fn exc(&self) -> Option<Error> {
        self.rest.borrow().as_ref().and_then(|rest| rest.exc.clone())
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
            LAYER_LOST => self.on_layer_lost(),
            CANCELLED => self.on_cancelled(),
            IDLE => self.on_idle(),
            EOF => self.on_pipe_end(),
            other => debug_assert!(false, "no such event: {other}"),
        }
    }

    fn orphaned(self: Rc<Self>) {
        self.force_close(None);
    }

    fn abandoned(self: Rc<Self>) {
        self.force_close(None);
        self.on_lost();
        self.on_layer_lost();
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
        let own = self.rest.borrow().as_ref().and_then(|rest| rest.extras.get(name));
        if own.is_some() {
            return own;
        }
        let io = self.io.borrow();
        let io = io.as_ref()?;
        match name {
            "peername" => io.peername().map(ExtraInfo::Address),
            "sockname" => io.sockname().map(ExtraInfo::Address),
            "pipe" if S::HALF != Half::Both => Some(ExtraInfo::Pipe(TransportPipe::new(self.me()))),
            "socket" if S::HALF == Half::Both => Some(ExtraInfo::Socket(TransportSocket::new(self.me()))),
            _ => None,
        }
    }

    fn set_extra_info(&self, name: &'static str, value: ExtraInfo) {
        let old = self.rest(|rest| rest.extras.set(name, value));
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

    fn start_soon_boxed(&self, name: &'static str, task: Pin<Box<dyn Future<Output = Result<()>>>>) {
        if self.is_lost.get() {
            return log_warning(&format!("a task of a lost connection was not started: {name}"));
        }
        self.membership.start_soon(self.me(), name, task);
    }

    fn run_in_scope(&self, step: &mut dyn FnMut()) {
        self.membership.run_in_scope(step);
    }

    fn strict_nursery(&self) -> Option<Nursery> {
        self.is_strict.then(|| self.membership.nursery().clone())
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        if self.is_lost.get() {
            return Poll::Ready(self.exc());
        }
        self.rest(|rest| add_waiter(&mut rest.closed_waiters, cx.waker()));
        Poll::Pending
    }
}

impl<S: StreamIo> Transport for StreamTransport<S> {
    fn set_protocol_cell(&self, protocol: ProtocolCell) {
        if !self.is_lost.get() {
            let old = self.protocol.replace(Some(protocol));
            drop(old);
        }
    }

    fn get_protocol(&self) -> Option<ProtocolCell> {
        self.protocol.borrow().clone()
    }

    fn is_start_tls_compatible(&self) -> bool {
        S::HALF == Half::Both
    }
}

pub(super) fn would_block(err: &io::Error) -> bool {
    matches!(err.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
