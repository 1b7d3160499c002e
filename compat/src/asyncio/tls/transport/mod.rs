//! [`TlsTransport`]: TLS between a transport and a protocol.
//!
//! ```text
//!   UNWRAPPED ──> HANDSHAKE ──> WRAPPED ──> FLUSHING ──> SHUTDOWN ──> UNWRAPPED
//!                     └──────── error, abort, time-out ───────────────────┘
//! ```
//!
//! In WRAPPED bytes go both ways, and a protocol that has paused reading stays there after the end of the peer's stream.
//! FLUSHING hands over what has been read; it lasts no longer than the callback that has closed. In SHUTDOWN the own
//! close_notify is under way, the peer's is awaited, and what it still sends is dropped.

mod calling;
mod ending;
mod handshake;
mod reading;
mod writing;

use std::cell::{Cell, RefCell};
use std::future::Future as StdFuture;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::parameters::TlsParameters;
use super::session::Session;
use crate::asyncio::extra_info::ExtraInfo;
use crate::asyncio::future::Future;
use crate::asyncio::loop_state::LoopState;
use crate::asyncio::out_buffer::OutBuffer;
use crate::asyncio::own_extras::OwnExtras;
use crate::asyncio::protocol_cell::ProtocolCell;
use crate::asyncio::transport::{BaseTransport, Transport};
use crate::asyncio::transport_ref::TransportRef;
use crate::asyncio::waiters::add_waiter;
use crate::error::{Error, Result};
use crate::nursery::Nursery;
use crate::runtime::{Alarm, Callback, Item, TimerKey, log_warning};

pub(in crate::asyncio) struct TlsTransport {
    me: Weak<Self>,
    lp: Rc<LoopState>,
    parameters: Rc<TlsParameters>,
    session: RefCell<Session>,
    /// The transport below: none before the handshake begins, and none after `connection_lost`.
    below: RefCell<Option<TransportRef>>,
    protocol: RefCell<Option<ProtocolCell>>,
    state: Cell<State>,
    told: Cell<Told>,
    /// Who waits for the end of the handshake.
    waiter: RefCell<Option<Future<()>>>,
    /// That of the handshake, then that of the shutdown.
    timer: Cell<Option<TimerKey>>,
    /// TLS bytes that came while nothing was read.
    incoming: RefCell<Vec<u8>>,
    /// Plain bytes that were not handed over yet.
    plain: RefCell<BytesMut>,
    /// TLS bytes that the transport below has no room for.
    outgoing: RefCell<OutBuffer>,
    marks: Cell<(usize, usize)>,
    /// Writes to a closed connection: asyncio's `_conn_lost`.
    n_lost_writes: Cell<u32>,
    flags: Flags,
    exc: RefCell<Option<Error>>,
    rest: RefCell<Option<Box<Rest>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unwrapped,
    Handshake,
    Wrapped,
    Flushing,
    Shutdown,
}

/// What the protocol has been told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Made,
    Eof,
    Lost,
}

#[derive(Default)]
struct Flags {
    /// `connection_made` is called when the handshake is done.
    calls_made: Cell<bool>,
    /// The handshake was completed once.
    is_secure: Cell<bool>,
    /// `close`, `abort` or the end of the connection.
    is_closed: Cell<bool>,
    has_sent_close: Cell<bool>,
    /// The stream of the transport below has ended.
    has_eof: Cell<bool>,
    is_reading_paused: Cell<bool>,
    is_writing_paused: Cell<bool>,
    is_sending_file: Cell<bool>,
    /// The transport below reads no more until what was read is handed over.
    is_reading_below_paused: Cell<bool>,
    is_writing_below_paused: Cell<bool>,
    is_poisoned: Cell<bool>,
    /// `connection_lost` was called, or never will be.
    is_over: Cell<bool>,
}

/// What few connections have.
#[derive(Default)]
struct Rest {
    extras: OwnExtras,
    closed_waiters: Vec<Waker>,
    drain_waiters: Vec<Waker>,
    resume_waiters: Vec<Waker>,
    read_marks: Option<(usize, usize)>,
    /// TLS bytes that were read before there was TLS.
    leftover: Vec<u8>,
}

/// How a connection begins.
pub(in crate::asyncio::tls) struct Begin {
    /// Whether `connection_made` is called when the handshake is done.
    pub(in crate::asyncio::tls) calls_made: bool,
    /// Whether it was called before, in plain, so that `connection_lost` is due in any case.
    pub(in crate::asyncio::tls) was_made: bool,
    /// Whether the transport below has paused the protocol, which is then resumed by this one.
    pub(in crate::asyncio::tls) is_writing_paused: bool,
    pub(in crate::asyncio::tls) leftover: Vec<u8>,
}

impl TlsTransport {
    pub(in crate::asyncio::tls) fn new(
        lp: &Rc<LoopState>,
        protocol: ProtocolCell,
        parameters: &Rc<TlsParameters>,
        waiter: Option<Future<()>>,
        begin: Begin,
    ) -> Result<Rc<Self>> {
        let session = parameters.session()?;
        let rest = (!begin.leftover.is_empty()).then(|| Box::new(Rest { leftover: begin.leftover, ..Rest::default() }));
        let flags = Flags::default();
        flags.calls_made.set(begin.calls_made);
        flags.is_writing_paused.set(begin.is_writing_paused);
        flags.is_writing_below_paused.set(begin.is_writing_paused);
        Ok(Rc::new_cyclic(|me| TlsTransport {
            me: me.clone(),
            lp: lp.clone(),
            parameters: parameters.clone(),
            session: RefCell::new(session),
            below: RefCell::new(None),
            protocol: RefCell::new(Some(protocol)),
            state: Cell::new(State::Unwrapped),
            told: Cell::new(if begin.was_made { Told::Made } else { Told::Nothing }),
            waiter: RefCell::new(waiter),
            timer: Cell::new(None),
            incoming: RefCell::default(),
            plain: RefCell::default(),
            outgoing: RefCell::default(),
            marks: Cell::new(parameters.marks),
            n_lost_writes: Cell::new(0),
            flags,
            exc: RefCell::new(None),
            rest: RefCell::new(rest),
        }))
    }

    fn me(&self) -> Rc<Self> {
        self.me.upgrade().expect("a transport is only reached through its Rc")
    }

    fn below(&self) -> Option<TransportRef> {
        self.below.borrow().clone()
    }

    fn rest<R>(&self, use_rest: impl FnOnce(&mut Rest) -> R) -> R {
        use_rest(self.rest.borrow_mut().get_or_insert_with(Box::default))
    }

    /// Queues a call of this transport, as `call_soon` does.
    fn call_soon(&self, call: impl FnOnce(&Rc<Self>) + 'static) {
        let me = self.me();
        let call = move || {
            call(&me);
            Ok(())
        };
        self.lp.core.push(Item::Call(Callback::without_context(call)));
    }

    /// Sets the one timer anew; one that the clock cannot count never fires.
    fn arm_timer(&self, timeout: Duration, call: impl FnOnce(&Rc<Self>) + 'static) {
        self.clear_timer();
        let Some(deadline) = Instant::now().checked_add(timeout) else { return };
        let me = self.me.clone();
        let call = move || {
            if let Some(me) = me.upgrade() {
                me.timer.set(None);
                call(&me);
            }
            Ok(())
        };
        let alarm = Alarm::Call(Callback::without_context(call));
        self.timer.set(Some(self.lp.core.set_timer(deadline, alarm)));
    }

    fn clear_timer(&self) {
        if let Some(timer) = self.timer.take() {
            self.lp.core.clear_timer(timer);
        }
    }
}

impl BaseTransport for TlsTransport {
    fn get_extra_info(&self, name: &str) -> Option<ExtraInfo> {
        let own = self.rest.borrow().as_ref().and_then(|rest| rest.extras.get(name));
        if own.is_some() {
            return own;
        }
        let is_secure = self.flags.is_secure.get();
        match name {
            "sslcontext" => Some(ExtraInfo::other(self.parameters.context.clone())),
            "ssl_object" if is_secure => Some(ExtraInfo::other(self.session.borrow().ssl_object())),
            "peercert" if is_secure => self.session.borrow().ssl_object().peercert.map(ExtraInfo::other),
            "cipher" if is_secure => self.session.borrow().ssl_object().cipher.map(ExtraInfo::other),
            _ => self.below()?.get_extra_info(name),
        }
    }

    fn set_extra_info(&self, name: &'static str, value: ExtraInfo) {
        let old = self.rest(|rest| rest.extras.set(name, value));
        drop(old);
    }

    fn is_closing(&self) -> bool {
        self.flags.is_closed.get() || self.below().is_some_and(|below| below.is_closing())
    }

    fn close(&self) {
        if !self.flags.is_closed.replace(true) {
            self.start_shutdown();
        }
    }

    fn start_soon_boxed(&self, name: &'static str, task: Pin<Box<dyn StdFuture<Output = Result<()>>>>) {
        match self.below() {
            Some(below) => below.start_soon_boxed(name, task),
            None => log_warning(&format!("a task of a lost connection was not started: {name}")),
        }
    }

    fn run_in_scope(&self, step: &mut dyn FnMut()) {
        match self.below() {
            Some(below) => below.run_in_scope(step),
            None => step(),
        }
    }

    fn strict_nursery(&self) -> Option<Nursery> {
        self.below()?.strict_nursery()
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        if self.flags.is_over.get() {
            return Poll::Ready(self.exc.borrow().clone());
        }
        self.rest(|rest| add_waiter(&mut rest.closed_waiters, cx.waker()));
        Poll::Pending
    }
}

impl Transport for TlsTransport {
    fn set_protocol_cell(&self, protocol: ProtocolCell) {
        if !self.flags.is_over.get() {
            let old = self.protocol.replace(Some(protocol));
            drop(old);
        }
    }

    fn get_protocol(&self) -> Option<ProtocolCell> {
        self.protocol.borrow().clone()
    }

    fn is_start_tls_compatible(&self) -> bool {
        true
    }
}
