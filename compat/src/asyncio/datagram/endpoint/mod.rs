//! The transport of a datagram socket.
//!
//! ```text
//!   MADE ──> ADD_READER ──> (READ | WRITE)* ──────> LOST ──> children gone ──> released
//!              close, abort, panic, CANCELLED ────────┘
//! ```
//!
//! Every arrow is an event in the loop's queue, as in `stream_transport/mod.rs`. No datagram and no error of the network
//! ends it.

mod calling;
mod ending;
mod receiving;
mod sending;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use socket2::SockRef;

use super::datagram_io::DatagramIo;
use super::protocol_cell::{Call, DatagramProtocolCell};
use super::send_queue::SendQueue;
use super::transport_ref::DatagramTransportRef;
use crate::asyncio::acceptor::{DEFAULT_HIGH, DEFAULT_LOW};
use crate::asyncio::extra_info::{Address, ExtraInfo, SocketAccess, TransportSocket};
use crate::asyncio::loop_state::LoopState;
use crate::asyncio::membership::Membership;
use crate::asyncio::own_extras::OwnExtras;
use crate::asyncio::transport::BaseTransport;
use crate::asyncio::waiters::add_waiter;
use crate::asyncio::watch::Watch;
use crate::error::{Error, Result};
use crate::nursery::{Closed, Nursery};
use crate::runtime::{Core, Event, Source, SourceKey, TimerKey, log_warning};

// The events of an endpoint.
const READ: u8 = 0;
const WRITE: u8 = 1;
const MADE: u8 = 2;
const ADD_READER: u8 = 3;
const LOST: u8 = 4;
/// Only a waker's: the socket has an error, which a read finds.
const ERROR: u8 = 5;
const CANCELLED: u8 = Event::CANCELLED.kind;

pub(crate) struct DatagramEndpoint<S: DatagramIo> {
    me: Weak<Self>,
    lp: Rc<LoopState>,
    membership: Membership,
    key: Cell<Option<SourceKey>>,
    /// Set once the transport is registered.
    wakers: OnceCell<[Waker; 3]>,
    /// Closed when `connection_lost` has returned.
    io: RefCell<Option<S>>,
    protocol: RefCell<Option<DatagramProtocolCell>>,
    /// The only address that datagrams may go to.
    remote: Option<Address>,
    /// The kernel knows the peer. Not so of a remote address with `allow_broadcast`.
    is_connected: bool,
    reader: Watch,
    writer: Watch,
    queue: RefCell<SendQueue>,
    /// Sends again when the kernel will not say that it can.
    retry: Cell<Option<TimerKey>>,
    /// Errors of sends in a callback, for `error_received` when it has returned.
    send_errors: RefCell<VecDeque<Error>>,
    marks: Cell<(usize, usize)>,
    /// 1 from the moment `connection_lost` is due, and one more for each send after it: asyncio's `_conn_lost`.
    n_lost: Cell<u32>,
    is_made: Cell<bool>,
    is_closing: Cell<bool>,
    is_reading_paused: Cell<bool>,
    is_writing_paused: Cell<bool>,
    /// `connection_lost` was called.
    is_lost: Cell<bool>,
    /// A callback panicked: the protocol gets `connection_lost` and nothing else.
    is_poisoned: Cell<bool>,
    is_strict: bool,
    exc: RefCell<Option<Error>>,
    extras: RefCell<OwnExtras>,
    closed_waiters: RefCell<Vec<Waker>>,
    drain_waiters: RefCell<Vec<Waker>>,
}

impl<S: DatagramIo> DatagramEndpoint<S> {
    /// Takes a socket in with its protocol; `connection_made` comes in the next turn.
    pub(crate) fn start(
        lp: &Rc<LoopState>,
        nursery: &Nursery,
        protocol: DatagramProtocolCell,
        io: S,
        remote: Option<Address>,
        is_strict: bool,
    ) -> Result<Rc<Self>, Closed> {
        let is_connected = remote.is_some() && io.peername().is_some();
        let endpoint = Rc::new_cyclic(|me| DatagramEndpoint {
            me: me.clone(),
            lp: lp.clone(),
            membership: Membership::new(nursery),
            key: Cell::new(None),
            wakers: OnceCell::new(),
            io: RefCell::new(Some(io)),
            protocol: RefCell::new(Some(protocol)),
            remote,
            is_connected,
            reader: Watch::default(),
            writer: Watch::default(),
            queue: RefCell::default(),
            retry: Cell::new(None),
            send_errors: RefCell::default(),
            marks: Cell::new((DEFAULT_LOW, DEFAULT_HIGH)),
            n_lost: Cell::new(0),
            is_made: Cell::new(false),
            is_closing: Cell::new(false),
            is_reading_paused: Cell::new(false),
            is_writing_paused: Cell::new(false),
            is_lost: Cell::new(false),
            is_poisoned: Cell::new(false),
            is_strict,
            exc: RefCell::new(None),
            extras: RefCell::default(),
            closed_waiters: RefCell::default(),
            drain_waiters: RefCell::default(),
        });
        endpoint.membership.join(endpoint.clone())?;
        let key = lp.core.register(endpoint.clone());
        endpoint.key.set(Some(key));
        endpoint.wakers.get_or_init(|| [READ, WRITE, ERROR].map(|kind| lp.core.source_waker(key, kind)));
        endpoint.push(MADE);
        endpoint.push(ADD_READER);
        Ok(endpoint)
    }

    fn me(&self) -> Rc<Self> {
        self.me.upgrade().expect("a transport is only reached through its Rc")
    }

    fn push(&self, kind: u8) {
        self.lp.core.push_event(self.me(), kind, 0);
    }

    fn on_made(&self) {
        if self.n_lost.get() > 0 {
            return self.release();
        }
        self.is_made.set(true);
        if let Err(failure) = self.call(Call::Made(DatagramTransportRef::new(self.me()))) {
            self.report_or_end(failure, "Exception in callback connection_made");
        }
    }

    /// Queues a read or a write, unless one is queued or nobody wants it any more.
    fn queue_event(self: Rc<Self>, core: &Core, kind: u8) {
        let watch = self.watch(kind);
        if watch.is_on.get() && !watch.is_queued.replace(true) {
            let generation = watch.generation.get();
            core.push_event(self, kind, generation);
        }
    }

    fn watch(&self, kind: u8) -> &Watch {
        if kind == READ { &self.reader } else { &self.writer }
    }

    fn poll_recv_ready(&self) -> bool {
        let io = self.io.borrow();
        let (Some(io), Some([on_read, _, on_error])) = (&*io, self.wakers.get()) else { return false };
        io.poll_recv_ready(&mut Context::from_waker(on_read), &mut Context::from_waker(on_error))
    }
}

impl<S: DatagramIo> Source for DatagramEndpoint<S> {
    fn woken(self: Rc<Self>, core: &Core, kind: u8) {
        if kind == ERROR {
            self.io.borrow().iter().for_each(DatagramIo::saw_error);
            return self.queue_event(core, READ);
        }
        // For one socket the reader comes before the writer, whichever was woken first.
        if kind == WRITE && self.reader.is_on.get() && self.poll_recv_ready() {
            self.clone().queue_event(core, READ);
        }
        self.queue_event(core, kind);
    }

    fn run(self: Rc<Self>, event: Event) {
        match event.kind {
            READ | WRITE => {
                let watch = self.watch(event.kind);
                if watch.is_on.get() && watch.generation.get() == event.generation {
                    watch.is_queued.set(false);
                    if event.kind == READ { self.on_read() } else { self.on_write() }
                }
            }
            MADE => self.on_made(),
            ADD_READER => self.add_reader(),
            LOST => self.on_lost(),
            CANCELLED => self.on_cancelled(),
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

impl<S: DatagramIo> SocketAccess for DatagramEndpoint<S> {
    fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>)) {
        if let Some(io) = &*self.io.borrow() {
            io.with_socket(look);
        }
    }
}

impl<S: DatagramIo> BaseTransport for DatagramEndpoint<S> {
    fn get_extra_info(&self, name: &str) -> Option<ExtraInfo> {
        let own = self.extras.borrow().get(name);
        if own.is_some() {
            return own;
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
        let old = self.extras.borrow_mut().set(name, value);
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
        if self.queue.borrow().is_empty() {
            self.n_lost.set(1);
            self.writer.switch(false);
            self.push(LOST);
        }
    }

    fn start_soon_boxed(&self, name: &'static str, task: Pin<Box<dyn Future<Output = Result<()>>>>) {
        if self.is_lost.get() {
            return log_warning(&format!("a task of a closed datagram endpoint was not started: {name}"));
        }
        self.membership.start_soon(self.me(), name, task);
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        if self.is_lost.get() {
            return Poll::Ready(self.exc.borrow().clone());
        }
        add_waiter(&mut self.closed_waiters.borrow_mut(), cx.waker());
        Poll::Pending
    }
}
