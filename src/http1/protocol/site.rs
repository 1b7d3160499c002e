//! [`Site`]: what the connections of one worker share.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use foster_compat::Loop;
use tokio::time::Instant;

use crate::handler::{Handler, Request};
use crate::http::Limits;
use crate::http1::LastHead;
use crate::outbox::Outbox;
use crate::serve::{Config, Counters, Logger, Roster};

/// The handler, the configuration and what is kept once instead of per connection.
pub(crate) struct Site<H: Handler> {
    pub(crate) handler: H,
    pub(crate) config: Config,
    pub(crate) limits: Rc<Limits>,
    pub(crate) access_log: Option<Logger>,
    pub(crate) roster: Rc<Roster>,
    /// The box of the last call that was ready at once, for the next one.
    handling: RefCell<Option<Handling<H>>>,
    /// Kept for the next connection that writes.
    outbox: RefCell<Outbox>,
    now: Cell<Instant>,
    date: RefCell<Date>,
    pub(super) last_head: RefCell<LastHead>,
}

struct Date {
    text: [u8; DATE_LEN],
    until: Instant,
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
const DATE_LEN: usize = 29;

/// A call of the handler; nothing once it has ended.
pub(super) type Handling<H> = Pin<Box<Option<<H as Handler>::Future>>>;

impl<H: Handler> Site<H> {
    pub(crate) fn new(
        handler: H,
        config: Config,
        counters: Arc<Counters>,
        access_log: Option<Logger>,
        loop_: Loop,
    ) -> Self {
        // A listener that is kept here would go on listening after the server has closed it.
        let config = Config { bind: Vec::new(), ..config };
        let max_body_size = handler.max_body_size(config.limits.get_max_body_size());
        Site {
            handler,
            limits: Rc::new(config.limits.clone().max_body_size(max_body_size)),
            access_log,
            roster: Roster::new(loop_, counters, config.graceful_timeout),
            config,
            handling: RefCell::new(None),
            outbox: RefCell::default(),
            now: Cell::new(Instant::now()),
            date: RefCell::new(Date { text: [b' '; DATE_LEN], until: Instant::now() }),
            last_head: RefCell::default(),
        }
    }

    /// Calls the handler, in a box that need not be allocated for every request.
    pub(super) fn begin_handling(&self, request: Request) -> Handling<H> {
        let spare = self.handling.take();
        let call = self.handler.call(request);
        match spare {
            Some(mut handling) => {
                handling.set(Some(call));
                handling
            }
            None => Box::pin(Some(call)),
        }
    }

    /// Drops what is left of a call that has ended, and keeps its box.
    pub(super) fn keep_handling(&self, mut handling: Handling<H>) {
        handling.set(None);
        self.handling.replace(Some(handling));
    }

    /// When the bytes that are processed came in, or the response that is made was there.
    pub(super) fn now(&self) -> Instant {
        self.now.get()
    }

    pub(super) fn set_now(&self, now: Instant) {
        self.now.set(now);
        if now >= self.date.borrow().until {
            self.make_date(now);
        }
    }

    /// Gives the value of `Date`, made once a second.
    pub(super) fn with_date<R>(&self, use_date: impl FnOnce(Option<&[u8]>) -> R) -> R {
        let date = self.date.borrow();
        use_date(self.config.include_date_header.then_some(&date.text))
    }

    #[cold]
    fn make_date(&self, now: Instant) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut text = [b' '; DATE_LEN];
        let formatted = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
        let n = formatted.len().min(DATE_LEN);
        text[..n].copy_from_slice(&formatted.as_bytes()[..n]);
        let until = now + Duration::from_nanos(1_000_000_000 - u64::from(since.subsec_nanos()));
        self.date.replace(Date { text, until });
        self.last_head.borrow_mut().clear();
    }

    /// Gives a connection that is to write the memory for it.
    pub(super) fn lend_outbox(&self, outbox: &RefCell<Outbox>) {
        if !outbox.borrow().has_memory() {
            outbox.swap(&self.outbox);
        }
    }

    /// Takes the memory of an outbox that was written, for the next connection that writes.
    pub(super) fn keep_outbox(&self, outbox: &RefCell<Outbox>) {
        if !self.outbox.borrow().has_memory() && outbox.borrow_mut().clean() {
            outbox.swap(&self.outbox);
        } else {
            drop(outbox.take());
        }
    }
}
