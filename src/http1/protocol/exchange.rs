//! One request and its answer.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use foster_compat::{Error, Result, checkpoint};
use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use super::connection::Connection;
use super::span::{record_status, request_span};
use crate::handler::{Handler, Request};
use crate::http::{
    BodyError, BodyKind, Fault, HeaderList, HttpError, IntoResponse, Response, ResponseBody, StatusCode,
};
use crate::http1::BodySize;
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
        self.connection.log_end();
        if !self.is_done {
            counters.add(Count::Cancelled);
        }
    }
}

impl<H: Handler> Connection<H> {
    /// Starts to answer, and takes the first step of it at once.
    pub(super) fn answer(&self, request: Request) {
        self.site.counters.add(Count::Request);
        self.log_request(&request);
        let span = request_span(&request);
        let exchange = self.rc().exchange(request);
        if span.is_disabled() {
            self.with_transport(|transport| transport.start_eagerly(exchange));
        } else {
            self.with_transport(|transport| transport.start_eagerly(exchange.instrument(span)));
        }
    }

    async fn exchange(self: Rc<Self>, request: Request) {
        let mut pending = Pending { connection: self.clone(), is_done: false };
        let answer = AssertUnwindSafe(self.site.handler.call(request)).catch_unwind().await;
        let response = match answer.map(IntoResponse::into_response) {
            Ok(Ok(response)) => response,
            Ok(Err(err)) => self.error_response(&err),
            Err(_) => {
                self.site.counters.add(Count::Failed);
                tracing::error!("a handler panicked");
                Response::new(StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        let sent = if self.is_over.get() { Ok(()) } else { self.respond(response).await };
        pending.is_done = true;
        drop(pending);
        if let Err(err) = sent {
            self.cut(&err);
        }
        self.is_answering.set(false);
        self.flush_if_idle();
        self.go_on();
    }

    /// The answer to a request whose handler has failed.
    fn error_response(&self, err: &Error) -> Response {
        let status = if let Some(err) = err.downcast_ref::<BodyError>() {
            err.status()
        } else if let Some(err) = err.downcast_ref::<HttpError>().filter(|err| err.fault() == Fault::Peer) {
            err.status()
        } else {
            self.site.counters.add(Count::Failed);
            tracing::error!("a handler failed: {err:#}");
            StatusCode::INTERNAL_SERVER_ERROR
        };
        let mut response = Response::text(status.canonical_reason().unwrap_or_default());
        response.set_status(status);
        response
    }

    /// The response cannot be completed: the client has to see that.
    fn cut(&self, err: &Error) {
        if !self.is_over.get() {
            self.site.counters.add(Count::Failed);
            tracing::error!("a response could not be completed: {err:#}");
            self.flush();
            self.machine.borrow_mut().close_after_response();
            self.with_transport(|transport| transport.abort());
        }
    }

    async fn respond(&self, response: Response) -> Result<()> {
        let mut response = response;
        if !self.is_processing.get() {
            self.site.now.set(Instant::now());
            self.outbox.replace(self.site.take_outbox());
        }
        let mut body = response.take_body();
        let size = match body.content_length() {
            Some(length) => BodySize::Known(length),
            None => BodySize::Unknown,
        };
        if let Err(err) = self.send_head(&response, size) {
            self.site.counters.add(Count::Failed);
            tracing::error!("a response was refused: {err}");
            let date = self.site.date(self.site.now.get());
            let mut outbox = self.outbox.borrow_mut();
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            self.machine.borrow_mut().send_error(status, date.as_ref().map(|date| &date[..]), &mut outbox.bytes);
            record_status(status);
            self.log_status(status, status.canonical_reason().unwrap_or_default());
            return Ok(());
        }
        record_status(response.status());
        self.log_response(&response);
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
        self.machine.borrow_mut().send_response(
            response.status,
            response.content_type.as_ref(),
            &response.headers,
            size,
            date.as_ref().map(|date| &date[..]),
            &mut outbox.bytes,
        )
    }

    /// Adds a piece of the body to what goes out; `false` if the response has no body.
    fn send_piece(&self, piece: Bytes) -> Result<bool, HttpError> {
        let mut outbox = self.outbox.borrow_mut();
        let framed = self.machine.borrow_mut().frame_data(piece.len(), &mut outbox.bytes)?;
        let Some(behind) = framed else { return Ok(false) };
        self.log_sent(piece.len());
        outbox.push(piece);
        outbox.bytes.extend_from_slice(behind);
        Ok(true)
    }

    fn send_end(&self, trailers: &HeaderList) -> Result<()> {
        let mut outbox = self.outbox.borrow_mut();
        self.machine.borrow_mut().send_end(trailers, &mut outbox.bytes)?;
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
                // A body that is always ready must not keep the loop from its other work, nor from hearing of the end.
                checkpoint().await;
                if self.with_transport(|transport| transport.is_closing()) == Some(true) {
                    return Ok(());
                }
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
