//! A room of a chat: who is in it, and what it may cost that one of them does not read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use foster::{Loop, Result, TimerHandle, TransportRef};

/// The longest name in characters.
pub(crate) const MAX_NAME: usize = 20;

/// How many may be in the room; more wait to be accepted.
pub(crate) const MAX_MEMBERS: usize = 1000;

/// What somebody may cost the others.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// How long saying a name may take, and how long the last words to somebody who has to leave are offered.
    pub(crate) politeness: Duration,
    /// How long writing to somebody may stay paused: the transport pauses it above 64 KiB.
    pub(crate) patience: Duration,
    /// The most bytes that may wait for somebody to read.
    pub(crate) max_backlog: usize,
}

pub(crate) const LIMITS: Limits =
    Limits { politeness: Duration::from_secs(60), patience: Duration::from_secs(10), max_backlog: 256 * 1024 };

/// How the room reaches somebody.
pub(crate) trait Hears {
    fn transport(&self) -> &TransportRef;

    /// Shows a line, which has no end.
    fn hear(&self, line: &str) -> Result<()>;
}

/// Who is in the room.
pub(crate) struct Room<M> {
    pub(crate) loop_: Loop,
    pub(crate) limits: Limits,
    members: RefCell<BTreeMap<String, M>>,
}

impl<M: Hears> Room<M> {
    pub(crate) fn new(loop_: Loop, limits: Limits) -> Self {
        Room { loop_, limits, members: RefCell::default() }
    }

    /// Tells everybody. A reader who is too far behind is dropped, so that nobody else waits for it.
    pub(crate) fn say(&self, line: &str) -> Result<()> {
        for member in self.members.borrow().values().filter(|member| !member.transport().is_closing()) {
            member.hear(line)?;
            if member.transport().get_write_buffer_size() > self.limits.max_backlog {
                // `connection_lost` comes in the next turn of the loop, not in the middle of this loop.
                member.transport().abort();
            }
        }
        Ok(())
    }

    /// Takes somebody in; `false` if the name is taken.
    pub(crate) fn enter(&self, name: &str, member: M) -> bool {
        let mut members = self.members.borrow_mut();
        let is_free = !members.contains_key(name);
        if is_free {
            members.insert(name.to_owned(), member);
        }
        is_free
    }

    #[allow(dead_code, reason = "not every chat tells")]
    pub(crate) fn names(&self) -> Vec<String> {
        self.members.borrow().keys().cloned().collect()
    }

    pub(crate) fn leave(&self, name: &str) {
        self.members.borrow_mut().remove(name);
    }
}

/// Waits for somebody, and drops them if they take too long.
#[derive(Default)]
pub(crate) struct Patience(pub(crate) Option<TimerHandle>);

impl Patience {
    pub(crate) fn begin(&mut self, loop_: &Loop, patience: Duration, transport: &TransportRef) {
        self.end();
        let transport = transport.clone();
        self.0 = Some(loop_.call_later(patience, move || transport.abort()));
    }

    pub(crate) fn end(&mut self) {
        if let Some(timer) = self.0.take() {
            timer.cancel();
        }
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.chars().count()) && name.chars().all(char::is_alphanumeric)
}

/// The text of a line without what could play tricks on the terminals of those who read it.
pub(crate) fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().filter(|char| !char.is_control()).collect()
}
