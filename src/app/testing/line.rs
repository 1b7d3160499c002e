//! [`Line`]: a connection of a test as the task sees it that answers on it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use super::exchange::{Exchange, Informational};
use super::failure::Failure;
use crate::handler::{self, Connected};
use crate::http::{Body, BodyError, BodySource, BodyWriter, HeaderList, StatusCode};
use crate::testing::Peer;
use crate::{Error, Event, Protocol, Result, sleep_forever};

/// Bytes of a body that wait for their reader, above which who sends waits: the high-water mark of transports.
pub(super) const MAX_BUFFERED: usize = 64 * 1024;

/// What a connection and the task that answers on it share.
pub(super) struct Line {
    /// Set when the task is made.
    exchange: RefCell<Option<Rc<Exchange>>>,
    /// The head has come, or will not.
    pub(super) answered: Event,
    head: RefCell<Option<Result<Head, Failure>>>,
    /// What has ended the body of the response.
    failure: RefCell<Option<Failure>>,
    /// The task has ended.
    pub(super) over: Event,
    /// The body of the request.
    sending: BodyWriter,
    pub(super) sender: Rc<Tap>,
    /// The body of the response, once it has begun.
    receiving: RefCell<Option<BodyWriter>>,
    receiver: Rc<Tap>,
}

/// What a view has answered, with a body that the task sends.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderList,
    pub(super) informational: Vec<Informational>,
    pub(super) body: Body,
}

impl Line {
    /// One for a request with a body of that length, if it is known.
    pub(super) fn new(declared: Option<u64>) -> (Rc<Self>, Body) {
        let sender = Rc::new(Tap::default());
        let (sending, body) = Body::channel(sender.clone(), declared);
        let line = Line {
            exchange: RefCell::default(),
            answered: Event::new(),
            head: RefCell::default(),
            failure: RefCell::default(),
            over: Event::new(),
            sending,
            sender,
            receiving: RefCell::default(),
            receiver: Rc::default(),
        };
        (Rc::new(line), body)
    }

    pub(super) fn sending(&self) -> &BodyWriter {
        &self.sending
    }

    /// Answers, and sends the body no faster than it is read.
    pub(super) async fn serve(self: Rc<Self>, exchange: Rc<Exchange>, request: handler::Request) {
        let _over = Over(self.clone());
        self.exchange.replace(Some(exchange.clone()));
        let answered = exchange.answer(request).await;
        let answer = match exchange.settle(answered) {
            Ok(answer) => answer,
            Err(failure) => return self.answer(Err(failure)),
        };
        let mut making = answer.body;
        let (writer, body) = Body::channel(self.receiver.clone(), making.length());
        self.receiving.replace(Some(writer.clone()));
        let (status, headers, informational) = (answer.status, answer.headers, answer.informational);
        self.answer(Ok(Head { status, headers, informational, body }));
        let end = loop {
            self.receiver.wait(|| writer.n_buffered() <= MAX_BUFFERED).await;
            match making.next().await {
                Ok(Some(piece)) => {
                    if writer.push(piece) == 0 {
                        // Nobody reads: the client has gone, and what cancels this is on its way.
                        sleep_forever().await;
                    }
                }
                Ok(None) => break Ok(making.trailers().cloned().unwrap_or_default()),
                Err(failure) => {
                    self.failure.replace(Some(failure));
                    break Err(BodyError::Disconnected);
                }
            }
        };
        writer.end(end);
    }

    fn answer(&self, head: Result<Head, Failure>) {
        self.head.replace(Some(head));
        self.answered.set();
    }

    pub(super) fn take_head(&self) -> Option<Result<Head, Failure>> {
        self.head.take()
    }

    /// Nobody asks any more: what went wrong is told to the exception handler of the loop.
    fn hang_up(&self) {
        let head = self.head.take();
        let failures = [head.and_then(Result::err), self.failure.take()];
        let exchange = self.exchange.borrow().clone();
        if let Some(exchange) = exchange {
            for failure in failures.into_iter().flatten() {
                exchange.report("a view failed, and its test did not ask", failure.into_error());
            }
        }
    }
}

/// A task that answers; dropped, it has ended.
struct Over(Rc<Line>);

impl Drop for Over {
    fn drop(&mut self) {
        let line = &self.0;
        let receiving = line.receiving.take();
        if let Some(writer) = receiving {
            // Unless it has ended otherwise.
            writer.end(Err(BodyError::Disconnected));
        }
        line.answered.set();
        line.over.set();
        line.sender.wake();
        let exchange = line.exchange.borrow().clone();
        if let Some(exchange) = exchange {
            exchange.transport().close();
        }
    }
}

/// A connection as its transport calls it.
pub(super) struct Wire(pub(super) Weak<Line>);

impl Protocol for Wire {
    fn connection_lost(&mut self, _: Option<Error>) -> Result<()> {
        let Some(line) = self.0.upgrade() else { return Ok(()) };
        let exchange = line.exchange.borrow().clone();
        if let Some(exchange) = exchange {
            // The view is cancelled first: only who is shielded from that is told.
            exchange.served.loop_.call_soon(move || line.sending.end(Err(BodyError::Disconnected)));
        }
        Ok(())
    }
}

/// The client's end of a line. Dropped, the client has vanished.
pub(super) struct Hold {
    pub(super) line: Rc<Line>,
    peer: Peer,
    is_hung_up: Cell<bool>,
}

impl Hold {
    pub(super) fn new(line: Rc<Line>, peer: Peer) -> Rc<Self> {
        Rc::new(Hold { line, peer, is_hung_up: Cell::new(false) })
    }

    pub(super) fn take_failure(&self) -> Option<Failure> {
        self.line.failure.take()
    }

    pub(super) fn hang_up(&self) {
        if !self.is_hung_up.replace(true) {
            self.peer.reset();
            self.line.hang_up();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// Where who fills a body waits for its reader.
#[derive(Default)]
pub(super) struct Tap {
    waker: RefCell<Option<Waker>>,
}

impl Tap {
    pub(super) async fn wait(&self, is_room: impl Fn() -> bool) {
        poll_fn(|cx| {
            if is_room() {
                return Poll::Ready(());
            }
            self.waker.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn wake(&self) {
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl BodySource for Tap {
    fn body_wanted(&self) {
        self.wake();
    }

    fn body_abandoned(&self) {
        self.wake();
    }
}
