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
    /// When the bytes that are processed came in.
    pub(crate) now: Cell<Instant>,
    date: Cell<Date>,
    pub(super) last_head: RefCell<LastHead>,
}

#[derive(Clone, Copy)]
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
            date: Cell::new(Date { text: [b' '; DATE_LEN], until: Instant::now() }),
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

    /// The value of `Date`, made once a second.
    pub(crate) fn date(&self, now: Instant) -> Option<[u8; DATE_LEN]> {
        if !self.config.include_date_header {
            return None;
        }
        let date = self.date.get();
        if now < date.until {
            return Some(date.text);
        }
        Some(self.make_date(now))
    }

    #[cold]
    fn make_date(&self, now: Instant) -> [u8; DATE_LEN] {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut text = [b' '; DATE_LEN];
        let formatted = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
        let n = formatted.len().min(DATE_LEN);
        text[..n].copy_from_slice(&formatted.as_bytes()[..n]);
        let until = now + Duration::from_nanos(1_000_000_000 - u64::from(since.subsec_nanos()));
        self.date.set(Date { text, until });
        self.last_head.borrow_mut().clear();
        text
    }

    pub(crate) fn take_outbox(&self) -> Outbox {
        self.outbox.take()
    }

    /// Keeps the memory of an outbox that has some.
    pub(crate) fn keep_outbox(&self, outbox: Outbox) {
        if let Some(outbox) = outbox.cleaned() {
            self.outbox.replace(outbox);
        }
    }
}
