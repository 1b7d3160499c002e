//! The connection of a client: its machine on a transport, and the exchange that is under way.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use bytes::Bytes;

use crate::http::{Body, BodyError, BodySource, BodyWriter, HeaderList, HttpError, ResponseHead};
use crate::http1::client_connection::{ClientConnection, ClientEvent, IncomingResponse};
use crate::http1::server::BodySize;
use crate::{Error, Event, Result, SharedProtocol, TransportRef};

use super::error::ClientError;
use super::request::{ClientRequest, OnInformational};
use super::response::{ClientResponse, Tunnel, Upgraded};
use super::sending::send_body;

/// Reading pauses when more than this waits for the reader of a body: the high-water mark of transports. One read of at
/// most 256 KiB comes on top.
const MAX_BUFFERED: usize = 64 * 1024;

/// What the protocol, the request and the bodies share.
///
/// No cell is borrowed while a callback of the user, a waker or the transport is called: all of them may come back here.
pub(super) struct Connection {
    me: Weak<Connection>,
    transport: RefCell<TransportRef>,
    pub(super) machine: RefCell<ClientConnection>,
    /// The request that waits for the head of its response.
    waiting: RefCell<Option<Waiting>>,
    /// The body of the response, until its end.
    body: RefCell<Option<Rc<BodyWriter>>>,
    /// The client was dropped: close once the exchange is over.
    is_closing: Cell<bool>,
    /// Bytes have come since the request.
    has_received: Cell<bool>,
    /// What ended the connection.
    exc: RefCell<Option<Error>>,
}

struct Waiting {
    response: Option<Result<ClientResponse, ClientError>>,
    is_answered: Event,
    /// The body may be sent, or need not.
    go_ahead: Event,
    on_informational: Option<OnInformational>,
}

impl Connection {
    pub(super) fn new(machine: ClientConnection) -> Rc<Self> {
        Rc::new_cyclic(|me| Connection {
            me: me.clone(),
            transport: RefCell::default(),
            machine: RefCell::new(machine),
            waiting: RefCell::default(),
            body: RefCell::default(),
            is_closing: Cell::new(false),
            has_received: Cell::new(false),
            exc: RefCell::default(),
        })
    }

    pub(super) fn transport(&self) -> TransportRef {
        self.transport.borrow().clone()
    }

    /// Whether a request can be sent.
    pub(super) fn is_idle(&self) -> bool {
        !self.transport().is_closing() && self.machine.borrow().is_idle() && self.waiting.borrow().is_none()
    }

    /// Sends the head of a request, and has its body sent.
    pub(super) fn begin(&self, request: ClientRequest) -> Result<Pending, ClientError> {
        let transport = self.transport();
        if transport.is_closing() || self.is_closing.get() {
            return Err(ClientError::Closed { source: self.exc.borrow().clone() });
        }
        if !self.is_idle() {
            return Err(ClientError::Busy);
        }
        let ClientRequest { connection, method, target, headers, body, on_informational, .. } = request;
        let size = match body.content_length() {
            Some(0) => None,
            Some(length) => Some(BodySize::Known(length)),
            None => Some(BodySize::Unknown),
        };
        let mut out = Vec::new();
        let sent = {
            let mut machine = self.machine.borrow_mut();
            let sent = machine.send_request(&method, &target, &headers, size, &mut out);
            if size.is_none() { sent.and_then(|()| machine.send_end(&HeaderList::new(), &mut out)) } else { sent }
        };
        sent.map_err(ClientError::Request)?;
        self.has_received.set(false);
        let go_ahead = Event::new();
        self.waiting.replace(Some(Waiting {
            response: None,
            is_answered: Event::new(),
            go_ahead: go_ahead.clone(),
            on_informational,
        }));
        let pending = Pending { connection: connection.clone() };
        if size.is_some() {
            transport.start_eagerly(send_body(connection, body, out, go_ahead));
        } else if let Err(err) = transport.write(&out) {
            return Err(ClientError::Closed { source: Some(err) });
        }
        Ok(pending)
    }

    /// Closes once the exchange that is under way is over.
    pub(super) fn close_when_idle(&self) {
        self.is_closing.set(true);
        self.settle();
    }

    /// Closes at once: `connection_lost` tells who waits for something.
    pub(super) fn abandon(&self) {
        self.transport().abort();
    }

    /// Closes the connection if there is nothing left to do on it.
    pub(super) fn settle(&self) {
        let is_over = {
            let machine = self.machine.borrow();
            machine.must_close() || (self.is_closing.get() && machine.is_idle())
        };
        if is_over {
            self.shut();
        }
    }

    /// What is not sent yet nobody wants any more, and a server that reads nothing would hold up `close`.
    fn shut(&self) {
        let transport = self.transport();
        if transport.get_write_buffer_size() > 0 { transport.abort() } else { transport.close() }
    }

    /// The body of the request has failed; gives what then ends the connection and is reported, because the response
    /// has come and nobody waits.
    pub(super) fn sending_failed(&self, err: ClientError) -> Result<()> {
        // `connection_lost` tells who waits, and why it was.
        if matches!(err, ClientError::Closed { source: None }) {
            return Ok(());
        }
        let is_waiting = self.waiting.borrow().as_ref().is_some_and(|waiting| waiting.response.is_none());
        if !is_waiting {
            return Err(err.into());
        }
        self.answer(Err(err));
        self.transport().abort();
        Ok(())
    }

    /// Gives the response to the request that waits for it.
    fn answer(&self, response: Result<ClientResponse, ClientError>) {
        let events = match &mut *self.waiting.borrow_mut() {
            Some(waiting) if waiting.response.is_none() => {
                waiting.response = Some(response);
                (waiting.go_ahead.clone(), waiting.is_answered.clone())
            }
            _ => return,
        };
        events.0.set();
        events.1.set();
    }

    fn end_body(&self, end: Result<HeaderList, BodyError>) {
        let body = self.body.take();
        if let Some(body) = body {
            body.end(end);
        }
    }

    /// Nothing more will come: whoever waits is told.
    fn fail(&self, err: ClientError, body_err: BodyError) {
        self.answer(Err(err));
        self.end_body(Err(body_err));
    }

    fn on_informational(&self, head: ResponseHead) {
        let is_continue = head.status().as_u16() == 100;
        let (go_ahead, call) = match &mut *self.waiting.borrow_mut() {
            Some(waiting) => (waiting.go_ahead.clone(), waiting.on_informational.take()),
            None => return,
        };
        if is_continue {
            go_ahead.set();
        }
        if let Some(mut call) = call {
            call(head);
            if let Some(waiting) = &mut *self.waiting.borrow_mut() {
                waiting.on_informational = Some(call);
            }
        }
    }

    fn on_response(&self, response: IncomingResponse) {
        let declared = match response.body {
            BodySize::Known(length) => Some(length),
            BodySize::Unknown => None,
        };
        let body = match self.me.upgrade() {
            Some(me) if declared != Some(0) => {
                let (writer, body) = Body::channel(me, declared);
                self.body.replace(Some(Rc::new(writer)));
                body.of_response()
            }
            _ => Body::empty(),
        };
        self.answer(Ok(ClientResponse { head: response.head, body, tunnel: None }));
    }

    fn on_switched(&self, head: ResponseHead, data: &[u8]) {
        let transport = self.transport();
        transport.pause_reading();
        let upgraded = Upgraded { transport, data: Bytes::copy_from_slice(data) };
        let tunnel = self.me.upgrade().map(|me| Tunnel::new(upgraded, me));
        self.answer(Ok(ClientResponse { head, body: Body::empty(), tunnel }));
    }

    /// Hands over what one read has brought of the body, in one piece however it was cut into chunks.
    fn push(&self, gathered: &mut Vec<u8>) {
        if gathered.is_empty() {
            return;
        }
        let body = self.body.borrow().clone();
        if let Some(body) = body {
            body.push(Bytes::from(std::mem::take(gathered)));
        }
    }
}

impl BodySource for Connection {
    fn body_wanted(&self) {
        let transport = self.transport();
        if !transport.is_reading() {
            transport.resume_reading();
        }
    }

    fn body_abandoned(&self) {
        self.abandon();
    }
}

/// What the transport calls.
pub(super) struct ClientProtocol {
    pub(super) connection: Rc<Connection>,
}

impl SharedProtocol for ClientProtocol {
    fn connection_made(&self, transport: TransportRef) -> Result<()> {
        self.connection.transport.replace(transport);
        Ok(())
    }

    fn data_received(&self, mut data: &[u8]) -> Result<()> {
        let connection = &self.connection;
        connection.has_received.set(true);
        let mut gathered = Vec::new();
        loop {
            let event = connection.machine.borrow_mut().receive_data(&mut data);
            match event {
                Ok(Some(ClientEvent::Informational(head))) => connection.on_informational(head),
                Ok(Some(ClientEvent::Response(response))) => connection.on_response(response),
                Ok(Some(ClientEvent::Data(piece))) => gathered.extend_from_slice(piece),
                Ok(Some(ClientEvent::EndOfMessage(trailers))) => {
                    connection.push(&mut gathered);
                    connection.end_body(Ok(trailers));
                }
                Ok(Some(ClientEvent::Switched(head))) => {
                    connection.on_switched(head, data);
                    return Ok(());
                }
                Ok(None) => break,
                Err(err) => {
                    connection.push(&mut gathered);
                    connection.exc.replace(Some(err.clone().into()));
                    connection.fail(ClientError::Response(err.clone()), BodyError::Malformed(err));
                    break;
                }
            }
        }
        connection.push(&mut gathered);
        let body = connection.body.borrow().clone();
        if body.is_some_and(|body| body.n_buffered() > MAX_BUFFERED) {
            connection.transport().pause_reading();
        }
        connection.settle();
        Ok(())
    }

    fn eof_received(&self) -> Result<bool> {
        let connection = &self.connection;
        let event = connection.machine.borrow_mut().receive_eof();
        match event {
            Ok(Some(_)) => connection.end_body(Ok(HeaderList::new())),
            Ok(None) => {}
            Err(_) if !connection.has_received.get() => {
                connection.fail(ClientError::closed(), BodyError::Disconnected);
            }
            Err(HttpError::Incomplete) => {
                connection.fail(ClientError::Response(HttpError::Incomplete), BodyError::Disconnected);
            }
            Err(err) => connection.fail(ClientError::Response(err.clone()), BodyError::Malformed(err)),
        }
        connection.shut();
        Ok(false)
    }

    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        let connection = &self.connection;
        if exc.is_some() {
            connection.exc.replace(exc.clone());
        }
        connection.fail(ClientError::Closed { source: exc }, BodyError::Disconnected);
        Ok(())
    }
}

/// A request that was sent and waits for its response. Dropped, it closes the connection.
pub(super) struct Pending {
    connection: Rc<Connection>,
}

impl Pending {
    pub(super) async fn response(self) -> Result<ClientResponse, ClientError> {
        let is_answered = self.connection.waiting.borrow().as_ref().map(|waiting| waiting.is_answered.clone());
        if let Some(is_answered) = is_answered {
            is_answered.wait().await;
        }
        let waiting = self.connection.waiting.take();
        waiting.and_then(|waiting| waiting.response).unwrap_or(Err(ClientError::closed()))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let waiting = self.connection.waiting.take();
        if waiting.is_some_and(|waiting| waiting.response.is_none()) {
            self.connection.abandon();
        }
    }
}
