//! One request and its answer.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use foster_compat::{Error, ExceptionContext, Panicked, Result};
use futures::FutureExt;
use tokio::time::Instant;

use super::connection::Connection;
use crate::handler::{Handler, Request};
use crate::http::{
    BodyError, BodyKind, Fault, HeaderList, HttpError, IntoResponse, Response, ResponseBody, StatusCode, header,
};
use crate::http1::{BodySize, ServerConnection};
use crate::serve::Count;

/// A body in pieces is written once so much of it is there, or when its maker waits.
const MAX_UNSENT: usize = 64 * 1024;

/// Notes that an exchange has ended, or was cancelled.
struct Pending<H: Handler> {
    connection: Rc<Connection<H>>,
    is_done: bool,
}

impl<H: Handler> Drop for Pending<H> {
    fn drop(&mut self) {
        let counters = &self.connection.site.counters;
        counters.add(Count::RequestOver);
        if !self.is_done {
            // A panic in the body of a response ends the connection, which reports it.
            counters.add(if std::thread::panicking() { Count::Failed } else { Count::Cancelled });
        }
    }
}

impl<H: Handler> Connection<H> {
    /// Starts to answer, and takes the first step of it at once.
    pub(super) fn answer(&self, request: Request) {
        self.site.counters.add(Count::Request);
        let exchange = self.rc().exchange(request);
        self.with_transport(|transport| transport.start_eagerly(exchange));
    }

    async fn exchange(self: Rc<Self>, request: Request) {
        let mut pending = Pending { connection: self.clone(), is_done: false };
        // The call itself may panic, too, and so may what makes a response of its answer.
        let answer = async { self.site.handler.call(request).await.into_response() };
        let response = match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(err)) => self.error_response(err),
            Err(payload) => {
                self.report("a handler panicked", Panicked::new(payload).into());
                Response::new(StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        // Nobody is left to be answered, or the handler has given the connection away.
        let was_over = self.is_over.get();
        let sent = if was_over { Ok(()) } else { self.respond(response).await };
        pending.is_done = was_over || !self.is_over.get();
        drop(pending);
        if let Err(err) = sent {
            self.cut(err);
        }
        self.is_answering.set(false);
        self.flush_if_idle();
        self.go_on();
    }

    /// The answer to a request whose handler has failed.
    fn error_response(&self, err: Error) -> Response {
        let status = client_fault(&err).unwrap_or_else(|| {
            self.report("a handler failed", err);
            StatusCode::INTERNAL_SERVER_ERROR
        });
        let mut response = Response::text(status.canonical_reason().unwrap_or_default());
        response.set_status(status);
        response
    }

    /// Counts what is the handler's fault, and tells the exception handler of the loop.
    fn report(&self, message: &'static str, err: Error) {
        self.site.counters.add(Count::Failed);
        let context = ExceptionContext::new(message, Some(err)).with("transport", self.transport());
        self.site.loop_.call_exception_handler(&context);
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

    async fn respond(&self, response: Response) -> Result<()> {
        let mut response = response;
        if !self.is_processing.get() {
            self.site.now.set(Instant::now());
            self.outbox.replace(self.site.take_outbox());
        }
        if let Some(server) = &self.site.config.server_header {
            if !response.headers.contains(&header::SERVER) {
                response.headers.append(header::SERVER, server.clone());
            }
        }
        let mut body = response.take_body();
        let size = match body.content_length() {
            Some(length) => BodySize::Known(length),
            None => BodySize::Unknown,
        };
        if let Err(err) = self.send_head(&response, size) {
            self.report("a response was refused", err.into());
            let date = self.site.date(self.site.now.get());
            let mut outbox = self.outbox.borrow_mut();
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            self.machine.borrow_mut().send_error(status, date.as_ref().map(|date| &date[..]), &mut outbox.bytes);
            return Ok(());
        }
        if let BodyKind::Full(bytes) = &mut body.kind {
            let bytes = std::mem::take(bytes);
            self.send_piece(bytes)?;
            return self.send_end(&HeaderList::new());
        }
        self.stream(body).await
    }

    fn send_head(&self, response: &Response, size: BodySize) -> Result<(), HttpError> {
        let date = self.site.date(self.site.now.get());
        let mut outbox = self.outbox.borrow_mut();
        // Who still has the body will read it while the response is sent, and after the head it is too late to ask.
        if self.body.borrow().is_some() {
            self.machine.borrow_mut().send_continue(&mut outbox.bytes);
        }
        self.watch_for_unread(|machine| {
            machine.send_response(
                response.status,
                response.content_type.as_ref(),
                &response.headers,
                size,
                date.as_ref().map(|date| &date[..]),
                &mut outbox.bytes,
            )
        })
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
    fn send_piece(&self, piece: Bytes) -> Result<bool, HttpError> {
        let mut outbox = self.outbox.borrow_mut();
        let framed = self.machine.borrow_mut().frame_data(piece.len(), &mut outbox.bytes)?;
        let Some(behind) = framed else { return Ok(false) };
        outbox.push(piece);
        outbox.bytes.extend_from_slice(behind);
        Ok(true)
    }

    fn send_end(&self, trailers: &HeaderList) -> Result<()> {
        let mut outbox = self.outbox.borrow_mut();
        self.watch_for_unread(|machine| machine.send_end(trailers, &mut outbox.bytes))?;
        Ok(())
    }

    /// Sends a body as it is made, no faster than the client takes it.
    async fn stream(&self, mut body: ResponseBody) -> Result<()> {
        // A response without a body is over before its maker is asked for anything.
        if !self.send_piece(Bytes::new())? {
            return self.send_end(&HeaderList::new());
        }
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
            self.send_piece(chunk)?;
            if self.must_flush() {
                self.flush();
                self.drained().await?;
            }
        }
        let takes_trailers = self.machine.borrow().takes_trailers();
        let trailers = if takes_trailers { body.take_trailers() } else { HeaderList::new() };
        self.send_end(&trailers)
    }

    fn must_flush(&self) -> bool {
        let outbox = self.outbox.borrow();
        outbox.len() >= MAX_UNSENT || outbox.is_full()
    }

    /// Waits until the client has taken enough.
    async fn drained(&self) -> Result<()> {
        let transport = self.transport();
        poll_fn(|cx| {
            if !transport.is_writing_paused() {
                return Poll::Ready(Ok(()));
            }
            transport.poll_drained(cx)
        })
        .await
    }
}

/// The status of an error that is the client's fault.
fn client_fault(err: &Error) -> Option<StatusCode> {
    match err.downcast_ref::<BodyError>() {
        Some(err) => Some(err.status()),
        None => err.downcast_ref::<HttpError>().filter(|err| err.fault() == Fault::Peer).map(HttpError::status),
    }
}
