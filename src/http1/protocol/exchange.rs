//! One request and its answer.

use std::any::Any;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use foster_compat::{Error, Panicked, Result, TransportRef, checkpoint};
use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use super::connection::Connection;
use super::site::Handling;
use super::span::{record_status, request_span};
use crate::handler::{Handler, Request};
use crate::http::{
    BodyKind, HeaderList, HttpError, IntoResponse, Response, ResponseBody, StatusCode, client_fault, header,
};
use crate::http1::{BodySize, ServerConnection};
use crate::serve::{Count, Roster, nobody};

/// A body in pieces is written before it is more than this, or when its maker waits: hyper keeps 400 KiB. Half of it
/// costs the kernel more, and so does a little above: in a write of a few bytes more than 256 or 384 KiB they are a
/// packet of their own, and the client is woken for them.
const MAX_UNSENT: usize = 384 * 1024;

/// How much of a body that is always ready is sent before others have their turn.
const MAX_UNBROKEN: usize = 1024 * 1024;

const FAILED: &str = "a handler failed";
const PANICKED: &str = "a handler panicked";

/// What a handler has come to; a panic is one more way to fail.
type Answer = Result<Result<Response>, Box<dyn Any + Send>>;

/// Where an exchange that waits finds its connection, until that is given away: it is not worth its memory then, of which
/// a weak reference would keep all.
pub(super) type Keeper<H> = Rc<RefCell<Option<Rc<Connection<H>>>>>;

/// Notes that an exchange that had to wait was cancelled, and keeps its connection until then.
struct Waiting<H: Handler> {
    /// None once the exchange is done, and for one that has given its connection away before it had to wait.
    keeper: Option<Keeper<H>>,
    roster: Rc<Roster>,
}

impl<H: Handler> Waiting<H> {
    fn for_handler(connection: &Connection<H>) -> Self {
        if connection.is_given.get() {
            // In the first step of the handler.
            return Waiting { keeper: None, roster: connection.site.roster.clone() };
        }
        let waiting = Waiting::new(connection);
        connection.keeper.replace(waiting.keeper.clone());
        waiting
    }

    fn new(connection: &Connection<H>) -> Self {
        let keeper = Rc::new(RefCell::new(Some(connection.rc())));
        Waiting { keeper: Some(keeper), roster: connection.site.roster.clone() }
    }

    /// It was not cancelled. Gives the connection, if the exchange is still its own.
    fn done(mut self) -> Option<Rc<Connection<H>>> {
        self.take_connection()
    }

    fn take_connection(&mut self) -> Option<Rc<Connection<H>>> {
        let connection = self.keeper.take()?.take()?;
        connection.keeper.take();
        Some(connection)
    }
}

impl<H: Handler> Drop for Waiting<H> {
    fn drop(&mut self) {
        let Some(connection) = self.take_connection() else { return };
        if !connection.is_given.get() {
            self.roster.counters.add(Count::Cancelled);
            connection.count_end();
        }
    }
}

impl<H: Handler> Connection<H> {
    /// Starts to answer. The first step is taken at once: a handler that has its answer at hand is never queued.
    pub(super) fn answer(&self, request: Request) {
        self.site.roster.counters.add(Count::Request);
        self.log_request(&request);
        self.with_transport(|transport| transport.in_scope(|| self.take_first_step(transport, request)));
    }

    fn take_first_step(&self, transport: &TransportRef, request: Request) {
        let span = request_span(&request);
        let entered = span.enter();
        // The answer stays where it is: most of what a small request would cost here is moving it.
        let mut answer = Poll::Pending;
        // The call itself may panic, too, and so may what makes a response of its answer.
        let waiting = catch_unwind(AssertUnwindSafe(|| {
            let mut handling = self.site.begin_handling(request);
            answer = poll_handling(&mut handling, &mut Context::from_waker(nobody()));
            if answer.is_pending() {
                return Some(handling);
            }
            self.site.keep_handling(handling);
            None
        }));
        match (waiting, &mut answer) {
            (Err(panic), _) => self.answered(Err(panic)),
            (Ok(Some(handling)), _) => {
                drop(entered);
                let unanswered = Unanswered(Some((Waiting::for_handler(self), handling)));
                // A span that nobody listens to would be most of what the task of an idle WebSocket holds.
                if span.is_disabled() {
                    transport.start_soon_boxed(std::any::type_name::<Unanswered<H>>(), Box::pin(unanswered));
                } else {
                    transport.start_soon(unanswered.instrument(span));
                }
            }
            (Ok(None), Poll::Ready(Ok(response))) => self.respond(response),
            (Ok(None), answer) => {
                if let Poll::Ready(answer) = std::mem::replace(answer, Poll::Pending) {
                    self.answered(Ok(answer));
                }
            }
        }
    }

    /// Sends what the handler has answered, as far as it goes without waiting.
    fn answered(&self, answer: Answer) {
        let mut response = match answer {
            Ok(Ok(response)) => response,
            Ok(Err(err)) => self.error_response(err),
            Err(payload) => {
                self.report(PANICKED, Panicked::new(payload).into());
                Response::new(StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        self.respond(&mut response);
    }

    fn respond(&self, response: &mut Response) {
        // Nobody is left to be answered, or the handler has given the connection away.
        if self.is_over.get() {
            return self.end_exchange(Ok(()));
        }
        match self.begin_response(response) {
            Ok(Some(body)) => self.start_streaming(body),
            Ok(None) => self.end_exchange(Ok(())),
            Err(err) => self.end_exchange(Err(err.into())),
        }
    }

    /// The answer to a request whose handler has failed.
    fn error_response(&self, err: Error) -> Response {
        let status = client_fault(&err).unwrap_or_else(|| {
            self.report(FAILED, err);
            StatusCode::INTERNAL_SERVER_ERROR
        });
        Response::reason(status)
    }

    /// Counts what is the handler's fault, and tells the exception handler of the loop.
    fn report(&self, message: &'static str, err: Error) {
        self.site.roster.report(message, err, Some(self.transport()));
    }

    /// Puts the head, and a body that is there as a whole, into what goes out. Gives a body that is still to be made.
    fn begin_response(&self, response: &mut Response) -> Result<Option<ResponseBody>, HttpError> {
        if !self.is_processing.get() {
            self.site.set_now(Instant::now());
            self.site.lend_outbox(&self.outbox);
        }
        if let Some(server) = &self.site.config.server_header {
            if !response.headers.contains(&header::SERVER) {
                response.headers.append(header::SERVER, server.clone());
            }
        }
        if self.send_whole(response) {
            return Ok(None);
        }
        let size = match response.body.content_length() {
            Some(length) => BodySize::Known(length),
            None => BodySize::Unknown,
        };
        if let Err(err) = self.send_head(response, size) {
            self.report("a response was refused", err.into());
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            self.send_error(status);
            record_status(status);
            self.log_status(status, status.canonical_reason().unwrap_or_default());
            return Ok(None);
        }
        record_status(response.status);
        self.log_response(response);
        let bytes = match &mut response.body.kind {
            BodyKind::Full(bytes) => std::mem::take(bytes),
            BodyKind::Stream(_) | BodyKind::Incoming(_) => Bytes::new(),
        };
        // A response without a body is over before its maker is asked for anything.
        let has_body = self.send_piece(bytes)?;
        if has_body && !matches!(response.body.kind, BodyKind::Full(_)) {
            return Ok(Some(response.take_body()));
        }
        self.send_end(HeaderList::EMPTY)?;
        Ok(None)
    }

    /// Puts a response that is there as a whole, and has nothing special, into what goes out; `false` if it is another.
    fn send_whole(&self, response: &mut Response) -> bool {
        let BodyKind::Full(bytes) = &response.body.kind else { return false };
        if !response.headers.is_empty() {
            return false;
        }
        let (status, content_type) = (response.status, response.content_type.as_ref());
        let length = bytes.len() as u64;
        let mut outbox = self.outbox.borrow_mut();
        let is_sent = self.site.with_date(|date| {
            let mut last_head = self.site.last_head.borrow_mut();
            self.machine.borrow_mut().send_whole(status, content_type, length, date, &mut last_head, outbox.bytes())
        });
        if is_sent {
            record_status(status);
            self.log_response(response);
            if let BodyKind::Full(bytes) = &mut response.body.kind {
                self.log_sent(bytes.len());
                outbox.push(bytes);
            }
        }
        is_sent
    }

    fn send_head(&self, response: &Response, size: BodySize) -> Result<(), HttpError> {
        let mut outbox = self.outbox.borrow_mut();
        // Who still has the body will read it while the response is sent, and after the head it is too late to ask.
        if self.body.borrow().is_some() {
            self.machine.borrow_mut().send_continue(outbox.bytes());
        }
        let (status, content_type, headers) = (response.status, response.content_type.as_ref(), &response.headers);
        self.watch_for_unread(|machine| {
            self.site.with_date(|date| machine.send_response(status, content_type, headers, size, date, outbox.bytes()))
        })
    }

    /// Puts the whole answer to a request that is refused into what goes out.
    pub(super) fn send_error(&self, status: StatusCode) {
        let mut outbox = self.outbox.borrow_mut();
        self.site.with_date(|date| self.machine.borrow_mut().send_error(status, date, outbox.bytes()));
    }

    /// Takes a step that may end the reading within a body, the rest of which the client still sends.
    fn watch_for_unread<R>(&self, step: impl FnOnce(&mut ServerConnection) -> R) -> R {
        let mut machine = self.machine.borrow_mut();
        let was_receiving = machine.is_receiving_body();
        let result = step(&mut machine);
        if was_receiving && machine.is_closed() {
            self.has_unread.set(true);
        }
        result
    }

    /// Adds a piece of the body to what goes out; `false` if the response has no body.
    fn send_piece(&self, mut piece: Bytes) -> Result<bool, HttpError> {
        let mut outbox = self.outbox.borrow_mut();
        let framed = self.machine.borrow_mut().frame_data(piece.len(), outbox.bytes())?;
        let Some(behind) = framed else { return Ok(false) };
        self.log_sent(piece.len());
        outbox.push(&mut piece);
        outbox.bytes().extend_from_slice(behind);
        Ok(true)
    }

    fn send_end(&self, trailers: &HeaderList) -> Result<(), HttpError> {
        let mut outbox = self.outbox.borrow_mut();
        self.watch_for_unread(|machine| machine.send_end(trailers, outbox.bytes()))
    }

    /// Sends a body as far as it is ready, and leaves the rest to a task.
    fn start_streaming(&self, body: ResponseBody) {
        let streaming = self.rc().stream(body).in_current_span();
        self.with_transport(|transport| transport.start_eagerly(streaming));
    }

    async fn stream(self: Rc<Self>, body: ResponseBody) {
        let waiting = Waiting::new(&self);
        let sent = AssertUnwindSafe(self.send_body(body)).catch_unwind().await;
        // A connection that is lost meanwhile has cancelled what is left of the response.
        if !self.is_over.get() {
            waiting.done();
            self.end_exchange(sent.unwrap_or_else(|payload| Err(Panicked::new(payload).into())));
        }
    }

    /// Sends a body as it is made, no faster than the client takes it.
    async fn send_body(&self, mut body: ResponseBody) -> Result<()> {
        let mut n_unbroken = 0;
        loop {
            let chunk = poll_fn(|cx| {
                let chunk = body.poll_chunk(cx);
                if chunk.is_pending() {
                    self.flush_if_idle();
                }
                chunk
            });
            let Some(chunk) = chunk.await.transpose()? else { break };
            if self.is_over.get() {
                return Ok(());
            }
            if chunk.is_empty() {
                continue;
            }
            // Before the piece and not behind it, so that the end goes out with the last one.
            if self.must_flush(chunk.len()) {
                n_unbroken += self.outbox.borrow().len();
                self.flush();
                self.transport().drained().await?;
                // A body that is always ready must not keep the loop from its other work, nor from hearing of the end.
                if n_unbroken >= MAX_UNBROKEN {
                    n_unbroken = 0;
                    checkpoint().await;
                }
                if self.with_transport(|transport| transport.is_closing()) == Some(true) {
                    return Ok(());
                }
            }
            self.send_piece(chunk)?;
        }
        let takes_trailers = self.machine.borrow().takes_trailers();
        let trailers = if takes_trailers { body.take_trailers() } else { HeaderList::new() };
        Ok(self.send_end(&trailers)?)
    }

    /// Whether what is to be written has to go before a piece of `n_next` bytes. A few bytes do not go alone, however
    /// large the piece is.
    fn must_flush(&self, n_next: usize) -> bool {
        let outbox = self.outbox.borrow();
        outbox.is_full() || (outbox.len() > MAX_UNSENT / 2 && outbox.len() + n_next > MAX_UNSENT)
    }

    /// The exchange is over: what came behind it has its turn.
    fn end_exchange(&self, sent: Result<()>) {
        self.count_end();
        if let Err(err) = sent {
            self.cut(err);
        }
        self.is_answering.set(false);
        if !self.is_processing.get() {
            self.flush_if_idle();
            self.go_on();
        }
    }

    pub(super) fn count_end(&self) {
        if self.is_given.get() {
            return;
        }
        self.site.roster.counters.add(Count::RequestOver);
        self.log_end();
    }

    /// The response cannot be completed: the client has to see that.
    fn cut(&self, err: Error) {
        if self.is_over.get() {
            return;
        }
        if client_fault(&err).is_none() {
            self.report("a response could not be completed", err);
        }
        self.flush();
        // What was pipelined behind it waits for a response that never ends.
        self.machine.borrow_mut().abandon_request();
        self.with_transport(|transport| {
            if let Some(socket) = transport.socket().filter(|_| self.is_10.get()) {
                // An end of the stream would look like the end of the body. A socket without a reset has no other way.
                let _ = socket.set_zero_linger();
            }
            transport.abort();
        });
    }
}

/// Goes on with a handler that was not ready. An idle WebSocket has one: written by hand, it is as small as what it holds.
struct Unanswered<H: Handler>(Option<(Waiting<H>, Handling<H>)>);

impl<H: Handler> Future for Unanswered<H> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some((_, handling)) = &mut self.0 else { return Poll::Ready(Ok(())) };
        let answer = match catch_unwind(AssertUnwindSafe(|| poll_handling(handling, cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(answer)) => Ok(answer),
            Err(payload) => Err(payload),
        };
        let Some((waiting, handling)) = self.0.take() else { return Poll::Ready(Ok(())) };
        drop(handling);
        let roster = waiting.roster.clone();
        match (waiting.done(), answer) {
            (Some(connection), answer) => connection.answered(answer),
            // The connection was given away, and has nobody else to hear of this.
            (None, Ok(Ok(_))) => {}
            (None, Ok(Err(err))) => roster.report(FAILED, err, None),
            (None, Err(payload)) => roster.report(PANICKED, Panicked::new(payload).into(), None),
        }
        Poll::Ready(Ok(()))
    }
}

/// Polls a call of the handler up to its response.
fn poll_handling<F>(handling: &mut Pin<Box<Option<F>>>, cx: &mut Context<'_>) -> Poll<Result<Response>>
where
    F: Future<Output: IntoResponse>,
{
    match handling.as_mut().as_pin_mut() {
        Some(call) => call.poll(cx).map(IntoResponse::into_response),
        None => Poll::Pending,
    }
}
