//! What comes in: to the machine, to the body of the request, or held until its turn.

use std::cell::Cell;

use tokio::time::Instant;

use super::connection::Connection;
use crate::handler::{Handler, Request};
use crate::http::{Body, BodyError, BodySource, HttpError, StatusCode, Version};
use crate::http1::{BodySize, IncomingRequest, ServerEvent};
use crate::serve::{Count, Known};

/// Held bytes of requests behind the one that is answered, above which reading stops.
const MAX_HELD: usize = 16 * 1024;

/// Bytes of a body that wait for the handler, above which reading stops; asyncio's default for a stream is the same.
const MAX_BODY_BUFFER: usize = 64 * 1024;

/// How much of a body that no handler has read is skipped, so that the connection can go on: beyond it closing is
/// cheaper. Go's net/http skips 256 KiB.
const MAX_DRAINED: usize = 256 * 1024;

/// Answers are written once this much is there, though more requests have been read.
const MAX_OUTBOX: usize = 64 * 1024;

/// Why reading is paused.
#[derive(Default)]
pub(super) struct Holds(Cell<u8>);

impl Holds {
    /// The client does not take its answers.
    pub(super) const WRITING: u8 = 1;
    /// Too much came behind the request that is answered.
    pub(super) const HELD: u8 = 2;
    /// The handler does not take the body.
    pub(super) const BODY: u8 = 4;

    pub(super) fn is_held(&self) -> bool {
        self.0.get() != 0
    }

    fn has(&self, reason: u8) -> bool {
        self.0.get() & reason != 0
    }
}

impl<H: Handler> Connection<H> {
    pub(super) fn hold(&self, reason: u8) {
        let before = self.holds.0.replace(self.holds.0.get() | reason);
        if before == 0 && !self.is_over.get() {
            self.with_transport(|transport| transport.pause_reading());
        }
    }

    pub(super) fn release(&self, reason: u8) {
        let before = self.holds.0.replace(self.holds.0.get() & !reason);
        if before != 0 && !self.holds.is_held() && !self.is_over.get() {
            self.with_transport(|transport| transport.resume_reading());
        }
    }

    pub(super) fn receive(&self, data: &[u8]) {
        if self.is_over.get() || self.is_lingering.get() {
            return;
        }
        if self.must_hold() || !self.held.borrow().is_empty() {
            self.keep(data);
            return self.rearm();
        }
        self.process(data);
    }

    /// Whether what comes now belongs to a request whose turn has not come.
    fn must_hold(&self) -> bool {
        (self.is_answering.get() || self.holds.has(Holds::WRITING)) && !self.machine.borrow().is_receiving_body()
    }

    fn keep(&self, data: &[u8]) {
        let mut held = self.held.borrow_mut();
        held.extend_from_slice(data);
        if held.len() > MAX_HELD {
            drop(held);
            self.hold(Holds::HELD);
        }
    }

    /// Takes up what was held, if its turn has come.
    pub(super) fn go_on(&self) {
        if self.is_over.get() || self.is_processing.get() {
            return;
        }
        if !self.must_hold() && !self.held.borrow().is_empty() {
            let held = self.held.take();
            self.release(Holds::HELD);
            self.process(&held);
        } else {
            self.settle(Instant::now());
        }
    }

    fn process(&self, data: &[u8]) {
        let now = Instant::now();
        self.site.set_now(now);
        self.process_once(data);
        // A request that might have switched protocols, and did not, has held what stood behind it.
        while !self.is_over.get() && !self.must_hold() && !self.held.borrow().is_empty() {
            let held = self.held.take();
            self.release(Holds::HELD);
            self.process_once(&held);
            if self.held.borrow().len() == held.len() {
                // Whatever it waits for, asking again at once is no answer.
                break;
            }
        }
        if self.has_eof.get() && self.held.borrow().is_empty() {
            self.end_body();
        }
        self.settle(now);
    }

    /// Gives bytes to the machine and answers what they complete, with one write.
    fn process_once(&self, data: &[u8]) {
        let now = self.site.now();
        self.site.lend_outbox(&self.outbox);
        self.is_processing.set(true);
        let mut data = data;
        // Whether a head that is broken begins in what came now: nothing but a log wants to know.
        let begins_here = self.site.access_log.is_some() && self.machine.borrow().is_idle();
        let n_requests = self.n_requests.get();
        while !self.must_hold() {
            let before = data;
            let event = self.machine.borrow_mut().receive_data(&mut data);
            match event {
                Ok(Some(ServerEvent::Request(request))) => self.begin(request, &mut data),
                Ok(Some(event)) => self.take_body_event(event),
                Ok(None) => break,
                Err(err) => {
                    let begins_here = begins_here || self.n_requests.get() > n_requests;
                    self.fail(err, if begins_here { Known::Bytes(before) } else { Known::Nothing }, now);
                    break;
                }
            }
            if self.is_over.get() {
                // The handler has given the connection away: the rest is the other protocol's, which has it already.
                break;
            }
            if self.outbox.borrow().len() > MAX_OUTBOX {
                self.flush();
            }
            if data.is_empty() && !self.machine.borrow().is_receiving_body() {
                break;
            }
        }
        self.is_processing.set(false);
        if self.is_over.get() {
            return;
        }
        self.flush();
        self.site.keep_outbox(&self.outbox);
        if !data.is_empty() {
            if self.machine.borrow().is_closed() {
                self.has_unread.set(true);
            } else {
                self.keep(data);
            }
        }
    }

    /// Begins to answer a request, with what of its body is there already.
    fn begin(&self, request: IncomingRequest, data: &mut &[u8]) {
        let n_requests = self.n_requests.get() + 1;
        self.n_requests.set(n_requests);
        if n_requests >= self.site.config.keep_alive_max_requests || self.site.roster.shutdown.is_set() {
            self.machine.borrow_mut().close_after_response();
        }
        self.is_10.set(request.head.version() == Version::HTTP_10);
        self.is_answering.set(true);
        let body = if self.machine.borrow_mut().take_empty_body() {
            Body::empty()
        } else {
            let body = self.open_body(request.body);
            // The handler gets what has come, so that one that wants a small body need not wait for it.
            if let Err(err) = self.receive_body(data) {
                self.is_answering.set(false);
                drop(body);
                return self.refuse(err.status(), Known::Head(&request.head), self.site.now());
            }
            body
        };
        let head = request.head;
        if request.has_upgrade || *head.method() == crate::http::Method::CONNECT {
            // What stands behind belongs to whoever the handler may give the connection to.
            self.held.borrow_mut().extend_from_slice(std::mem::take(data));
        }
        self.answer(Request::new(head, body, self.rc()));
    }

    fn open_body(&self, size: BodySize) -> Body {
        let declared = if let BodySize::Known(length) = size { Some(length) } else { None };
        let (writer, body) = Body::channel(self.rc(), declared);
        self.body.replace(Some(writer));
        body
    }

    /// Takes what is there of the body, and of no more than the body.
    fn receive_body(&self, data: &mut &[u8]) -> Result<(), HttpError> {
        loop {
            let event = self.machine.borrow_mut().receive_data(data)?;
            let Some(event) = event else { return Ok(()) };
            let is_end = matches!(event, ServerEvent::EndOfMessage(_));
            self.take_body_event(event);
            if is_end {
                return Ok(());
            }
        }
    }

    fn take_body_event(&self, event: ServerEvent<'_>) {
        match event {
            ServerEvent::Data(piece) => {
                let body = self.body.borrow().clone();
                match body {
                    Some(body) if body.copy(piece) > MAX_BODY_BUFFER => self.hold(Holds::BODY),
                    Some(_) => {}
                    None => self.skip(piece.len()),
                }
            }
            ServerEvent::EndOfMessage(trailers) => {
                let body = self.body.take();
                self.release(Holds::BODY);
                if let Some(body) = body {
                    body.end(Ok(trailers));
                }
            }
            ServerEvent::Request(_) => debug_assert!(false, "a request comes behind the end of the last one"),
        }
    }

    /// Counts bytes of a body that nobody reads; too many of them close the connection.
    fn skip(&self, n: usize) {
        match self.drain_budget.get().checked_sub(n) {
            Some(left) => self.drain_budget.set(left),
            None => {
                self.machine.borrow_mut().abandon_request();
                self.has_unread.set(true);
            }
        }
    }

    /// The request breaks the rules.
    fn fail(&self, err: HttpError, known: Known<'_>, now: Instant) {
        if self.is_answering.get() || !self.machine.borrow().may_refuse() {
            return self.break_body(err);
        }
        self.refuse(err.status(), known, now);
    }

    /// The body of a request that is being answered, or was, cannot be read any further.
    fn break_body(&self, err: HttpError) {
        let body = self.body.take();
        self.release(Holds::BODY);
        self.has_unread.set(true);
        if let Some(body) = body {
            body.end(Err(BodyError::Malformed(err)));
        }
    }

    /// Answers without a handler, and closes.
    pub(super) fn refuse(&self, status: StatusCode, known: Known<'_>, now: Instant) {
        self.site.roster.counters.add(Count::Refused);
        self.log_refused(known, status);
        self.has_unread.set(true);
        self.site.set_now(now);
        self.send_error(status);
        self.flush_if_idle();
        self.settle_if_idle(now);
    }

    /// The client has ended its stream; gives whether the transport shall stay open for what is still to be sent.
    pub(super) fn receive_eof(&self) -> bool {
        self.has_eof.set(true);
        if self.is_lingering.get() {
            return false;
        }
        if self.held.borrow().is_empty() {
            self.machine.borrow_mut().close_after_response();
        }
        if self.is_answering.get() || !self.held.borrow().is_empty() {
            self.end_body();
            return true;
        }
        // Within a head there is nobody left who could use an answer.
        let _ = self.machine.borrow_mut().receive_eof();
        false
    }

    /// Nothing more comes of a body that was not complete.
    fn end_body(&self) {
        if self.machine.borrow().is_receiving_body() {
            let _ = self.machine.borrow_mut().receive_eof();
            let body = self.body.take();
            if let Some(body) = body {
                body.end(Err(BodyError::Disconnected));
            }
        }
    }

    fn settle_if_idle(&self, now: Instant) {
        if !self.is_processing.get() {
            self.settle(now);
        }
    }

    /// Closes if nothing more can come, and sets the deadline.
    pub(super) fn settle(&self, now: Instant) {
        if self.is_over.get() {
            return;
        }
        let is_done = !self.is_answering.get() && self.held.borrow().is_empty();
        if is_done && (self.has_eof.get() || self.machine.borrow().must_close()) {
            if self.has_eof.get() || !self.has_unread.get() { self.close() } else { self.linger() }
        }
        self.rearm_at(now);
    }

    /// Ends the own side of the stream and reads on for a while: closed with bytes unread, the kernel would reset the
    /// connection, and the client lose its answer.
    fn linger(&self) {
        if self.is_lingering.get() {
            return;
        }
        let ended = self.with_transport(|transport| transport.can_write_eof() && transport.write_eof().is_ok());
        if ended == Some(true) {
            self.is_lingering.set(true);
            self.release(u8::MAX);
        } else {
            self.close();
        }
    }

    /// Writes what is to be written.
    pub(super) fn flush(&self) {
        let mut outbox = self.outbox.borrow_mut();
        if outbox.is_empty() {
            return;
        }
        let mut full = std::mem::take(&mut *outbox);
        drop(outbox);
        self.n_written.set(self.n_written.get() + full.len() as u64);
        // An error after write_eof is impossible here: only the client's side of the stream is ever ended.
        let _ = self.with_transport(|transport| full.flush(transport));
        let mut outbox = self.outbox.borrow_mut();
        if outbox.is_empty() {
            *outbox = full;
        }
        drop(outbox);
        if !self.is_processing.get() && self.with_transport(|transport| transport.get_write_buffer_size()) > Some(0) {
            self.rearm();
        }
    }

    /// As [`flush`](Connection::flush), unless bytes are being processed, whose end does it.
    pub(super) fn flush_if_idle(&self) {
        if !self.is_processing.get() {
            self.flush();
            self.site.keep_outbox(&self.outbox);
        }
    }
}

impl<H: Handler> BodySource for Connection<H> {
    fn body_wanted(&self) {
        if self.is_over.get() {
            return;
        }
        self.release(Holds::BODY);
        if self.machine.borrow().expects_continue() {
            {
                let mut outbox = self.outbox.borrow_mut();
                self.machine.borrow_mut().send_continue(outbox.bytes());
            }
            self.flush_if_idle();
        }
        // Asking again does not give the client more time.
        if !self.is_processing.get() && !self.is_body_due() {
            self.rearm();
        }
    }

    fn body_abandoned(&self) {
        let body = self.body.take();
        drop(body);
        self.drain_budget.set(MAX_DRAINED);
        let left = self.machine.borrow().body_left();
        if left.is_some_and(|left| left > MAX_DRAINED as u64) {
            self.machine.borrow_mut().abandon_request();
            self.has_unread.set(true);
        }
        self.release(Holds::BODY);
    }
}
