//! What the parts of a test say, in order, and a loop to say it in.

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use foster_compat::{Loop, Nursery, Result, open_nursery, run_here};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// Runs `body` in a nursery on a loop of its own, inside the paused runtime of the test. `None` if it was cancelled.
pub(crate) async fn inside<T>(body: impl AsyncFnOnce(Nursery) -> Result<T>) -> Option<T> {
    run_here(open_nursery(body)).await.expect("nothing in the nursery fails")
}

/// As [`inside`], with a loop on the nursery and a journal in which the exception handler writes.
pub(crate) async fn in_loop<T>(body: impl AsyncFnOnce(Loop, Journal) -> Result<T>) -> Option<T> {
    inside(async |nursery: Nursery| {
        let loop_ = Loop::new(&nursery);
        let journal = Journal::default();
        journal.report(&loop_);
        body(loop_, journal).await
    })
    .await
}

/// Words in the order they were said.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    words: Rc<RefCell<Vec<String>>>,
}

impl Journal {
    pub(crate) fn say(&self, word: impl Into<String>) {
        self.words.borrow_mut().push(word.into());
    }

    /// A callback that says a word.
    pub(crate) fn says(&self, word: &'static str) -> impl FnOnce() + use<> {
        let journal = self.clone();
        move || journal.say(word)
    }

    /// A callback that says a word each time.
    pub(crate) fn says_each(&self, word: &'static str) -> impl FnMut() + use<> {
        let journal = self.clone();
        move || journal.say(word)
    }

    /// Whether nothing was said since the last look.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.borrow().is_empty()
    }

    /// Everything said so far, which is forgotten.
    pub(crate) fn said(&self) -> String {
        self.words.take().join(" ")
    }

    /// Everything said so far, which is kept.
    pub(crate) fn peek(&self) -> String {
        self.words.borrow().join(" ")
    }

    /// Writes down what the exception handler of the loop is told.
    pub(crate) fn report(&self, loop_: &Loop) {
        let journal = self.clone();
        loop_.set_exception_handler(Some(move |_: &Loop, context: &foster_compat::ExceptionContext| {
            let err = context.exception().map(|err| format!(": {err}")).unwrap_or_default();
            journal.say(format!("[{}{err}]", context.message()));
        }));
    }
}

/// Says a word when it is dropped.
pub(crate) struct Drops(pub(crate) Journal, pub(crate) &'static str);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.say(self.1);
    }
}

/// Polls a future once, in this task, and says whether it waits.
pub(crate) async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
}

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// An error that can be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Boom;

impl fmt::Display for Boom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("boom")
    }
}

impl std::error::Error for Boom {}

/// What Foster logs on this thread while the guard lives.
pub(crate) fn logged() -> (Logged, DefaultGuard) {
    let logged = Logged::default();
    let guard = tracing::subscriber::set_default(logged.clone());
    (logged, guard)
}

#[derive(Clone, Default)]
pub(crate) struct Logged {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Logged {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no test panics while it logs").clone()
    }
}

impl Subscriber for Logged {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "foster"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.lines.lock().expect("no test panics while it logs").push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The fields of an event, in their order.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.record_text(&format!("{value:?}"));
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        self.record_text(value);
    }
}

impl Line {
    fn record_text(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0 += ": ";
        }
        self.0 += text;
    }
}
