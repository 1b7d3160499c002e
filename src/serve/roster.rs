//! [`Roster`]: the connections of one worker, and what they share whatever they speak.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use foster_compat::{Error, Event, ExceptionContext, Loop, TransportRef};
use slab::Slab;

use super::alarms::Alarms;
use super::stats::{Count, Counters};

/// The connections of one worker, as it stops them.
pub(crate) struct Roster {
    pub(crate) loop_: Loop,
    pub(crate) counters: Arc<Counters>,
    /// Set once the server was told to stop.
    pub(crate) shutdown: Event,
    /// How long connections may go on after that.
    #[cfg_attr(not(feature = "websocket"), expect(dead_code, reason = "the server itself has its configuration"))]
    pub(crate) graceful_timeout: Duration,
    pub(crate) alarms: Rc<Alarms>,
    connections: RefCell<Slab<Weak<dyn Drain>>>,
    #[cfg(feature = "websocket")]
    hub: std::cell::OnceCell<Rc<crate::websocket::Hub>>,
}

/// A connection as its server stops it.
pub(crate) trait Drain {
    /// Ends now if nothing is under way, else after it.
    fn drain(self: Rc<Self>);
}

impl Roster {
    pub(crate) fn new(loop_: Loop, counters: Arc<Counters>, graceful_timeout: Duration) -> Rc<Self> {
        Rc::new(Roster {
            alarms: Alarms::new(loop_.clone()),
            loop_,
            counters,
            shutdown: Event::new(),
            graceful_timeout,
            connections: RefCell::default(),
            #[cfg(feature = "websocket")]
            hub: std::cell::OnceCell::new(),
        })
    }

    /// Counts a connection and takes it in.
    pub(crate) fn seat(self: &Rc<Self>, connection: Weak<dyn Drain>) -> Seat {
        self.counters.add(Count::ConnectionMade);
        let key = self.connections.borrow_mut().insert(connection);
        Seat { roster: self.clone(), key }
    }

    /// Tells every connection, and every handler that asks, that the server stops.
    pub(crate) fn begin_shutdown(&self) {
        self.shutdown.set();
        let connections: Vec<_> =
            self.connections.borrow().iter().filter_map(|(_, connection)| connection.upgrade()).collect();
        for connection in connections {
            connection.drain();
        }
    }

    /// Counts what is a handler's fault, and tells the exception handler of the loop.
    pub(crate) fn report(&self, message: &'static str, err: Error, transport: Option<TransportRef>) {
        self.counters.add(Count::Failed);
        let context = ExceptionContext::new(message, Some(err));
        let context = match transport {
            Some(transport) => context.with("transport", transport),
            None => context,
        };
        self.loop_.call_exception_handler(&context);
    }

    /// What the WebSockets of the worker share.
    #[cfg(feature = "websocket")]
    pub(crate) fn hub(&self) -> &Rc<crate::websocket::Hub> {
        self.hub.get_or_init(|| crate::websocket::Hub::new(self.loop_.clone(), self.alarms.clone()))
    }
}

/// A connection's place on the roster, until it is dropped.
pub(crate) struct Seat {
    roster: Rc<Roster>,
    key: usize,
}

impl Seat {
    #[cfg(feature = "websocket")]
    pub(crate) fn roster(&self) -> &Rc<Roster> {
        &self.roster
    }

    /// Another protocol has taken the connection.
    #[cfg(feature = "websocket")]
    pub(crate) fn pass_to(&self, connection: Weak<dyn Drain>) {
        if let Some(place) = self.roster.connections.borrow_mut().get_mut(self.key) {
            *place = connection;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.roster.counters.add(Count::ConnectionLost);
        self.roster.connections.borrow_mut().try_remove(self.key);
    }
}
