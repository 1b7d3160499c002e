//! [`Connection`] and the callbacks of its transport.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};

use bytes::Bytes;
use foster_compat::{Error, Event, Result, SharedProtocol, TransportRef};

use super::deadline::Deadline;
use super::exchange::Keeper;
use super::reading::Holds;
use super::site::Site;
use crate::handler::{Connected, Ends, Handler, Upgraded};
use crate::http::{BodyError, BodyWriter, HeaderList, HttpError, StatusCode};
use crate::http1::ServerConnection;
use crate::outbox::Outbox;
use crate::serve::{Drain, Entry, Seat};

/// A connection of HTTP/1.1 as its transport calls it.
pub(crate) struct Http1Protocol<H: Handler> {
    connection: Rc<Connection<H>>,
}

/// The state of a connection, which its tasks share.
pub(super) struct Connection<H: Handler> {
    pub(super) me: Weak<Self>,
    pub(super) site: Rc<Site<H>>,
    pub(super) transport: OnceCell<TransportRef>,
    /// Once somebody has asked.
    ends: OnceCell<Box<Ends>>,
    pub(super) machine: RefCell<ServerConnection>,
    /// Empty, and without memory, but while something is being written.
    pub(super) outbox: RefCell<Outbox>,
    /// What came behind the request that is being answered.
    pub(super) held: RefCell<Vec<u8>>,
    /// Where the body of the current request goes.
    pub(super) body: RefCell<Option<BodyWriter>>,
    /// How much of a body that nobody reads may still come.
    pub(super) drain_budget: Cell<usize>,
    /// It was told that the connection closes, and may still send: what comes is thrown away.
    pub(super) is_lingering: Cell<bool>,
    /// The client sends, or may, what is not read any more.
    pub(super) has_unread: Cell<bool>,
    pub(super) deadline: Deadline,
    pub(super) holds: Holds,
    pub(super) n_requests: Cell<u32>,
    /// Bytes that were given to the transport.
    pub(super) n_written: Cell<u64>,
    /// The current request is of HTTP/1.0, and the end of the connection may be the end of its response.
    pub(super) is_10: Cell<bool>,
    /// A request waits for its answer.
    pub(super) is_answering: Cell<bool>,
    /// Bytes are being processed: what is written goes out when that is done.
    pub(super) is_processing: Cell<bool>,
    /// The client has ended its stream.
    pub(super) has_eof: Cell<bool>,
    /// Another protocol has the transport, or the transport is lost.
    pub(super) is_over: Cell<bool>,
    /// The handler has given the transport to another protocol, and what comes of it is not this connection's.
    pub(super) is_given: Cell<bool>,
    /// What the access log will say of the current request, if there is one.
    pub(super) entry: RefCell<Option<Box<Entry>>>,
    seat: RefCell<Option<Seat>>,
    /// Holds the connection for a handler that waits, unless it gives the connection away.
    pub(super) keeper: RefCell<Option<Keeper<H>>>,
}

impl<H: Handler> Http1Protocol<H> {
    pub(crate) fn new(site: &Rc<Site<H>>) -> Self {
        let connection = Rc::new_cyclic(|me| Connection {
            me: me.clone(),
            site: site.clone(),
            transport: OnceCell::new(),
            ends: OnceCell::new(),
            machine: RefCell::new(ServerConnection::new(site.limits.clone())),
            outbox: RefCell::default(),
            held: RefCell::default(),
            body: RefCell::default(),
            drain_budget: Cell::new(0),
            is_lingering: Cell::new(false),
            has_unread: Cell::new(false),
            deadline: Deadline::default(),
            holds: Holds::default(),
            n_requests: Cell::new(0),
            n_written: Cell::new(0),
            is_10: Cell::new(false),
            is_answering: Cell::new(false),
            is_processing: Cell::new(false),
            has_eof: Cell::new(false),
            is_over: Cell::new(false),
            is_given: Cell::new(false),
            entry: RefCell::default(),
            seat: RefCell::default(),
            keeper: RefCell::default(),
        });
        Http1Protocol { connection }
    }
}

impl<H: Handler> SharedProtocol for Http1Protocol<H> {
    fn connection_made(&self, transport: TransportRef) -> Result<()> {
        let connection = &*self.connection;
        // What the socket does not take has to be taken before more is made, so nothing is copied that need not be.
        transport.set_write_buffer_limits(Some(0), Some(0))?;
        connection.transport.get_or_init(|| transport);
        let me: Weak<dyn Drain> = connection.me.clone();
        connection.seat.replace(Some(connection.site.roster.seat(me)));
        if connection.site.roster.shutdown.is_set() {
            connection.close();
        }
        connection.rearm();
        Ok(())
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.connection.receive(data);
        Ok(())
    }

    fn eof_received(&self) -> Result<bool> {
        Ok(self.connection.receive_eof())
    }

    fn pause_writing(&self) -> Result<()> {
        self.connection.hold(Holds::WRITING);
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        self.connection.release(Holds::WRITING);
        self.connection.go_on();
        Ok(())
    }

    fn connection_lost(&self, _exc: Option<Error>) -> Result<()> {
        self.connection.lost();
        Ok(())
    }
}

impl<H: Handler> Connection<H> {
    pub(super) fn rc(&self) -> Rc<Self> {
        self.me.upgrade().expect("a connection is only reached through its Rc")
    }

    /// The transport; a detached one before `connection_made`.
    pub(super) fn transport(&self) -> TransportRef {
        self.transport.get().cloned().unwrap_or_default()
    }

    pub(super) fn with_transport<R>(&self, look: impl FnOnce(&TransportRef) -> R) -> Option<R> {
        self.transport.get().map(look)
    }

    /// Closes once what is written was sent.
    pub(super) fn close(&self) {
        self.with_transport(|transport| transport.close());
    }

    /// Nothing goes through this connection any more.
    fn lost(&self) {
        if self.is_over.replace(true) {
            return;
        }
        self.clean_up();
        drop(self.seat.take());
        let body = self.body.take();
        if let Some(body) = body {
            // The handler that waits for it is cancelled: only who is shielded from that, or stands elsewhere, is told.
            self.site.roster.loop_.call_soon(move || body.end(Err(BodyError::Disconnected)));
        }
    }

    fn clean_up(&self) {
        self.deadline.clear(&self.site.roster.alarms);
        drop(self.held.take());
        drop(self.outbox.take());
    }
}

impl<H: Handler> Drain for Connection<H> {
    fn drain(self: Rc<Self>) {
        self.machine.borrow_mut().close_after_response();
        if !self.is_answering.get() {
            self.close();
        }
    }
}

impl<H: Handler> Connected for Connection<H> {
    fn transport(&self) -> TransportRef {
        self.transport()
    }

    fn ends(&self) -> &Ends {
        self.ends.get_or_init(|| Box::new(Ends::of(&self.transport())))
    }

    fn shutdown(&self) -> Event {
        self.site.roster.shutdown.clone()
    }

    fn send_informational(&self, status: StatusCode, headers: &HeaderList) -> Result<(), HttpError> {
        if self.is_over.get() {
            return Ok(());
        }
        let sent = {
            let mut outbox = self.outbox.borrow_mut();
            self.machine.borrow_mut().send_informational(status, headers, outbox.bytes())
        };
        self.flush_if_idle();
        sent
    }

    #[cfg(feature = "app")]
    fn report(&self, message: &'static str, err: Error) {
        self.site.roster.report(message, err, Some(self.transport()));
    }

    fn switch(&self, headers: &HeaderList, is_connect: bool) -> Result<Upgraded, HttpError> {
        if self.is_over.get() {
            return Err(HttpError::State("the connection is lost"));
        }
        {
            let mut outbox = self.outbox.borrow_mut();
            let mut machine = self.machine.borrow_mut();
            if is_connect {
                machine.send_connected(headers, outbox.bytes())?;
            } else {
                machine.send_switching_protocols(headers, outbox.bytes())?;
            }
        }
        self.log_status(if is_connect { StatusCode::OK } else { StatusCode::SWITCHING_PROTOCOLS }, "");
        self.flush();
        self.is_over.set(true);
        self.count_end();
        self.is_given.set(true);
        let leftover = Bytes::from(self.held.take());
        self.clean_up();
        if let Some(keeper) = self.keeper.take() {
            // The request that asks for this has the connection, too.
            keeper.take();
        }
        Ok(Upgraded::new(self.transport(), leftover, self.has_eof.get(), self.seat.take()))
    }
}
