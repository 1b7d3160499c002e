//! What the parts of a test say, in order, and a loop to say it in.

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foster_compat::{Error, run_here};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Runs a future on a loop of its own, inside the paused runtime of the test.
pub(crate) async fn inside<F: Future>(future: F) -> F::Output {
    run_here(async { foster_compat::Ok(future.await) }).await.expect("the loop runs in the test's runtime")
}

/// Words in the order they were said.
#[derive(Clone, Default)]
pub(crate) struct Log {
    words: Rc<RefCell<Vec<String>>>,
}

impl Log {
    pub(crate) fn say(&self, word: impl Into<String>) {
        self.words.borrow_mut().push(word.into());
    }

    pub(crate) fn said(&self) -> String {
        self.words.borrow().join(" ")
    }

    /// Says `word` when it is dropped.
    pub(crate) fn at_drop(&self, word: &'static str) -> AtDrop<impl FnMut() + use<>> {
        let log = self.clone();
        AtDrop(move || log.say(word))
    }
}

/// Calls a function when it is dropped.
pub(crate) struct AtDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for AtDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Milliseconds of the test's clock since `start`.
pub(crate) fn ms_since(start: tokio::time::Instant) -> u128 {
    start.elapsed().as_millis()
}

/// An error that is told apart by its number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Numbered(pub(crate) u32);

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {}", self.0)
    }
}

impl std::error::Error for Numbered {}

pub(crate) fn numbered(n: u32) -> Error {
    Numbered(n).into()
}

/// Takes what the loop logs while it is the default subscriber.
#[derive(Clone, Default)]
pub(crate) struct Logged {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Logged {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Whether a line has `part` in it.
    pub(crate) fn has(&self, part: &str) -> bool {
        self.lines().iter().any(|line| line.contains(part))
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
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
                self.0 = format!("{value:?}");
            }
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        self.lines.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
