//! [`Session`]: one WebSocket, as its handles and its transport share it.
//!
//! ```text
//!   data_received ──> machine ──Message──> inbox (10) ──> receive
//!                        ├──Ping──> pong, at once
//!                        └──Close, error──> the ending, once the inbox is empty
//!   send ──> machine ──> outbox ──one write a turn──> transport
//! ```
//!
//! While the inbox is full, bytes are held as they came. Above a limit reading stops, and the peer with it.

mod ending;
mod inbox;
mod keep_alive;
mod opening;
mod receiving;
mod sending;

pub(super) use self::inbox::Inbox;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::task::Waker;

use bytes::Bytes;
use foster_compat::{CancelScope, Error, SharedProtocol, TransportRef};
use slab::Slab;
use tokio::time::Instant;

use self::ending::Ending;
use self::opening::Handshake;
use self::receiving::Held;
use super::batch::Follower;
use super::config::{Config, Settings};
use super::hub::Hub;
use crate::http::SharedHead;
use crate::outbox::Outbox;
use crate::serve::{Alarm, Alarmed, Drain, Roster, Seat};
use crate::websocket::close::{CloseCode, CloseFrame};
use crate::websocket::connection::{Connection, Role};
use crate::websocket::error::WebSocketError;
use crate::websocket::prepared::PreparedMessage;

pub(super) use self::sending::{MAX_OUTBOX, MIN_SHARED};

/// Where a WebSocket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The handshake is not answered.
    Connecting,
    /// Messages go both ways.
    Open,
    /// This end has sent its close frame, and waits for the peer's.
    Closing,
    /// Nothing is said or read any more, but for what is in the inbox.
    Over,
}

/// The state of a WebSocket.
pub(crate) struct Session {
    me: Weak<Self>,
    pub(super) config: Config,
    role: Role,
    phase: Cell<Phase>,
    /// Of a server, until it is answered.
    handshake: Cell<Option<Box<Handshake>>>,
    /// Of the request that was accepted.
    head: OnceCell<SharedHead>,
    #[expect(clippy::box_collection, reason = "few have it, and all carry the room for it")]
    subprotocol: OnceCell<Box<String>>,
    machine: RefCell<Connection>,
    hub: OnceCell<Rc<Hub>>,
    transport: OnceCell<TransportRef>,
    seat: Cell<Option<Seat>>,
    inbox: Cell<Option<Inbox>>,
    n_queued: Cell<u32>,
    /// Reading is paused because too much is held.
    is_held: Cell<bool>,
    /// Nobody will receive any more: messages are dropped.
    is_deaf: Cell<bool>,
    /// Messages beyond the inbox are dropped, so that the peer's close frame is reached.
    drops_excess: Cell<bool>,
    /// The peer has gone, though not all that it has sent may have been read.
    is_peer_gone: Cell<bool>,
    /// Nothing more will be read.
    has_read_all: Cell<bool>,
    /// `connection_lost` was called.
    is_lost: Cell<bool>,
    /// The task that waited for a message last: mostly it will wait for the next one, too.
    receiver: Cell<Option<Waker>>,
    /// It waits.
    is_awaited: Cell<bool>,
    /// Only while there is something in it.
    outbox: Cell<Outbox>,
    /// What a broadcast has it send behind that, with others. Only while it is open, and sends nothing in pieces.
    follower: Cell<Option<Follower>>,
    /// The hub will flush it.
    is_unsent: Cell<bool>,
    /// A message is being sent in pieces, of which none may have been sent yet.
    is_streaming: Cell<bool>,
    /// Something came since the last ping.
    has_heard: Cell<bool>,
    /// When the last ping was sent, or the session opened.
    pinged_at: Cell<Option<Instant>>,
    /// The last ping has a time-out, and nothing was heard since.
    awaits_answer: Cell<bool>,
    /// When it wants to be looked after.
    due: Cell<Option<Instant>>,
    alarm: Alarm,
    /// The scope of the handler: a server's WebSocket has one.
    scope: Option<CancelScope>,
    is_handler_over: Cell<bool>,
    /// The time of the handler is counted.
    is_lingering: Cell<bool>,
    n_handles: Cell<u32>,
    rest: OnceCell<Box<RefCell<Rest>>>,
}

/// What few sessions have, or only at their end.
#[derive(Default)]
struct Rest {
    /// Bytes that the machine has not seen.
    held: Held,
    /// Tasks that wait for a message beside the one.
    receivers: Vec<Waker>,
    /// A pong that is owed once the peer takes what was written: only the last ping need be answered.
    owed_pong: Option<Bytes>,
    /// What comes behind the messages of the inbox: the peer's close frame, or what it did wrong.
    ending: Option<Ending>,
    /// What the peer did wrong.
    failure: Option<WebSocketError>,
    /// Tasks that wait for the end.
    closers: Slab<Waker>,
    /// Tasks that wait for the peer to take what was sent, or for a message in pieces to be complete.
    senders: Vec<Waker>,
    /// Messages for many that wait for a message in pieces to be complete.
    deferred: Vec<PreparedMessage>,
    /// Their bytes.
    n_deferred: usize,
    /// Pings that wait for their pongs.
    pings: Vec<Ping>,
    n_pings: u64,
    /// The task that counts the time of the handler.
    linger: Option<Waker>,
}

struct Ping {
    payload: u64,
    is_answered: bool,
    waker: Option<Waker>,
}

impl Session {
    /// A session that has no transport yet.
    pub(super) fn new(role: Role, config: Config) -> Rc<Self> {
        Rc::new_cyclic(|me| Session {
            me: me.clone(),
            role,
            phase: Cell::new(Phase::Connecting),
            handshake: Cell::default(),
            head: OnceCell::new(),
            subprotocol: OnceCell::new(),
            machine: RefCell::new(Connection::new(role, config.settings().max_message_size, None)),
            config,
            hub: OnceCell::new(),
            transport: OnceCell::new(),
            seat: Cell::default(),
            inbox: Cell::default(),
            n_queued: Cell::new(0),
            is_held: Cell::new(false),
            is_deaf: Cell::new(false),
            drops_excess: Cell::new(false),
            is_peer_gone: Cell::new(false),
            has_read_all: Cell::new(false),
            is_lost: Cell::new(false),
            receiver: Cell::default(),
            is_awaited: Cell::new(false),
            outbox: Cell::default(),
            follower: Cell::default(),
            is_unsent: Cell::new(false),
            is_streaming: Cell::new(false),
            has_heard: Cell::new(false),
            pinged_at: Cell::new(None),
            awaits_answer: Cell::new(false),
            due: Cell::new(None),
            alarm: Alarm::default(),
            scope: (role == Role::Server).then(CancelScope::new),
            is_handler_over: Cell::new(false),
            is_lingering: Cell::new(false),
            n_handles: Cell::new(0),
            rest: OnceCell::new(),
        })
    }

    /// Begins to talk on `transport`, whose reading is paused: the handshake is done.
    pub(super) fn open(&self, start: Start) {
        let Start { hub, transport, seat, machine, leftover, has_eof } = start;
        self.machine.replace(machine);
        self.hub.get_or_init(|| hub);
        self.transport.get_or_init(|| transport.clone());
        self.phase.set(Phase::Open);
        if let Some(scope) = &self.scope {
            // From here on the handler learns of the end by what it receives.
            scope.set_shield(true);
        }
        if let Some(seat) = &seat {
            let me: Weak<dyn Drain> = self.me.clone();
            seat.pass_to(me);
        }
        let is_stopping = seat.as_ref().is_some_and(|seat| seat.roster().shutdown.is_set());
        self.seat.set(seat);
        // asyncio's own marks, not those of HTTP: a message more or less in the buffer is no matter.
        let _ = transport.set_write_buffer_limits(None, None);
        transport.set_protocol(self.rc());
        self.begin_pinging(Instant::now());
        if !leftover.is_empty() {
            self.take_in(&leftover);
        }
        if has_eof {
            self.peer_ended();
        }
        if is_stopping {
            self.say_goodbye();
        }
        if !self.is_held.get() && !self.is_lost.get() {
            transport.resume_reading();
        }
    }

    fn settings(&self) -> &Settings {
        self.config.settings()
    }

    pub(super) fn scope_of_handler(&self) -> &CancelScope {
        self.scope.as_ref().expect("only a server's WebSocket has a handler")
    }

    pub(super) fn rc(&self) -> Rc<Self> {
        self.me.upgrade().expect("a session is only reached through its Rc")
    }

    pub(super) fn add_handle(&self) {
        self.n_handles.set(self.n_handles.get() + 1);
    }

    pub(super) fn remove_handle(&self) {
        self.n_handles.set(self.n_handles.get() - 1);
        if self.n_handles.get() == 0 && self.role == Role::Client {
            self.abandon(CloseFrame::new(CloseCode::NORMAL, ""));
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase.get() == Phase::Open && !self.is_peer_gone.get()
    }

    pub(super) fn check_open(&self) -> Result<(), WebSocketError> {
        if self.is_open() { Ok(()) } else { Err(self.not_open()) }
    }

    /// What all connections of a server's worker share; none for a client's, and once it has ended.
    pub(super) fn roster(&self) -> Option<Rc<Roster>> {
        let seat = self.seat.take();
        let roster = seat.as_ref().map(|seat| seat.roster().clone());
        self.seat.set(seat);
        roster
    }

    /// What it shares with others, once it is open.
    pub(super) fn hub(&self) -> Option<Rc<Hub>> {
        self.hub.get().cloned()
    }

    fn with_transport<R>(&self, look: impl FnOnce(&TransportRef) -> R) -> Option<R> {
        self.transport.get().map(look)
    }

    pub(super) fn transport(&self) -> Option<&TransportRef> {
        self.transport.get()
    }

    /// Asks to be looked after no later than `at`.
    fn set_due(&self, at: Option<Instant>) {
        self.due.set(at);
        let (Some(at), Some(hub)) = (at, self.hub.get()) else { return };
        hub.alarms.set(&self.alarm, at, &self.me);
    }

    fn clear_alarm(&self) {
        if let Some(hub) = self.hub.get() {
            hub.alarms.clear(&self.alarm);
        }
    }

    /// What few have, made if it is not there.
    fn rest<R>(&self, use_rest: impl FnOnce(&mut Rest) -> R) -> R {
        use_rest(&mut self.rest.get_or_init(Box::default).borrow_mut())
    }

    /// What few have, if it is there.
    fn with_rest<R: Default>(&self, use_rest: impl FnOnce(&mut Rest) -> R) -> R {
        self.rest.get().map(|rest| use_rest(&mut rest.borrow_mut())).unwrap_or_default()
    }

    fn wake_everybody(&self) {
        self.wake_receivers();
        self.wake_all_but_receivers();
    }

    fn wake_receivers(&self) {
        if self.is_awaited.replace(false) {
            let receiver = self.receiver.take();
            receiver.iter().for_each(Waker::wake_by_ref);
            // Who was woken on the spot may wait again.
            if !self.is_awaited.get() {
                self.receiver.set(receiver);
            }
        }
        let others = self.with_rest(|rest| std::mem::take(&mut rest.receivers));
        others.into_iter().for_each(Waker::wake);
    }

    /// The peer has gone, which all have to hear of but those whom its messages still come to.
    fn wake_all_but_receivers(&self) {
        self.wake_senders();
        self.wake_pingers();
        let closers = self.with_rest(|rest| std::mem::take(&mut rest.closers));
        closers.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Wakes who waits to send.
    fn wake_senders(&self) {
        let senders = self.with_rest(|rest| std::mem::take(&mut rest.senders));
        senders.into_iter().for_each(Waker::wake);
    }

    /// Wakes who waits for a pong.
    fn wake_pingers(&self) {
        let woken: Vec<_> = self.with_rest(|rest| rest.pings.iter_mut().filter_map(|ping| ping.waker.take()).collect());
        woken.into_iter().for_each(Waker::wake);
    }

    /// The error of who talks to a WebSocket that does not listen.
    fn not_open(&self) -> WebSocketError {
        if self.phase.get() == Phase::Connecting {
            return WebSocketError::State("the handshake is not done");
        }
        let failure = self.with_rest(|rest| rest.failure.clone());
        failure.unwrap_or_else(|| WebSocketError::Closed(Box::new(self.closed())))
    }
}

impl Alarmed for Session {
    fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    fn look_after(&self, now: Instant) {
        match self.due.get() {
            None => return,
            Some(due) if due > now => return self.set_due(Some(due)),
            Some(_) => self.due.set(None),
        }
        match self.phase.get() {
            Phase::Open => self.keep_alive(now),
            // The peer does not close, or does not even take what it is told.
            Phase::Closing | Phase::Over => {
                self.with_transport(|transport| transport.abort());
            }
            Phase::Connecting => {}
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.clear_alarm();
    }
}

/// What a session begins with.
pub(super) struct Start {
    pub(super) hub: Rc<Hub>,
    pub(super) transport: TransportRef,
    pub(super) seat: Option<Seat>,
    pub(super) machine: Connection,
    /// What came behind the handshake.
    pub(super) leftover: Bytes,
    pub(super) has_eof: bool,
}

impl SharedProtocol for Session {
    fn data_received(&self, data: &[u8]) -> foster_compat::Result<()> {
        self.take_in(data);
        Ok(())
    }

    fn eof_received(&self) -> foster_compat::Result<bool> {
        Ok(self.peer_ended())
    }

    fn resume_writing(&self) -> foster_compat::Result<()> {
        self.pay_pong();
        self.wake_senders();
        Ok(())
    }

    fn connection_lost(&self, _exc: Option<Error>) -> foster_compat::Result<()> {
        self.lose();
        Ok(())
    }
}

impl Drain for Session {
    fn drain(self: Rc<Self>) {
        self.say_goodbye();
    }
}
