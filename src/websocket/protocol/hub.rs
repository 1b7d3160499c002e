//! [`Hub`]: what the WebSockets of one loop share, so that none needs a timer, or a callback, of its own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use foster_compat::{Loop, TimerHandle};
use tokio::time::Instant;

use super::session::Session;
use crate::outbox::Outbox;

/// Outboxes that are kept for who has something to send next: a broadcast wants one for each member until the turn ends.
const MAX_SPARE_OUTBOXES: usize = 128;

/// Who has something to send, and who is to be looked after when.
pub(crate) struct Hub {
    me: Weak<Hub>,
    loop_: Loop,
    /// What these have to send goes out in the next turn, if it has not by then.
    unsent: RefCell<Vec<Rc<Session>>>,
    /// Empty ones, kept for who writes next: no session holds memory for it while it is idle.
    outboxes: RefCell<Vec<Outbox>>,
    alarms: RefCell<BTreeMap<Alarm, Weak<Session>>>,
    n_alarms: Cell<u64>,
    /// When the timer fires.
    armed: Cell<Option<Instant>>,
    timer: RefCell<Option<TimerHandle>>,
}

/// When a session wants to be looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alarm {
    at: Instant,
    /// Those for the same moment fire in the order they were set.
    n: u64,
}

impl Alarm {
    pub(super) fn at(self) -> Instant {
        self.at
    }
}

impl Hub {
    pub(crate) fn new(loop_: Loop) -> Rc<Self> {
        Rc::new_cyclic(|me| Hub {
            me: me.clone(),
            loop_,
            unsent: RefCell::default(),
            outboxes: RefCell::default(),
            alarms: RefCell::default(),
            n_alarms: Cell::new(0),
            armed: Cell::new(None),
            timer: RefCell::default(),
        })
    }

    pub(super) fn loop_(&self) -> &Loop {
        &self.loop_
    }

    /// Has `session` write what it has to send in the next turn: several messages of one turn leave together.
    pub(super) fn send_soon(&self, session: Rc<Session>) {
        let mut unsent = self.unsent.borrow_mut();
        unsent.push(session);
        if unsent.len() > 1 {
            return;
        }
        let me = self.me.clone();
        self.loop_.call_soon(move || {
            if let Some(hub) = me.upgrade() {
                hub.send();
            }
        });
    }

    fn send(&self) {
        let mut unsent = self.unsent.take();
        for session in unsent.drain(..) {
            session.flush_in_turn();
        }
        // Keeps the memory, unless somebody has come meanwhile.
        let mut now_unsent = self.unsent.borrow_mut();
        if now_unsent.is_empty() {
            *now_unsent = unsent;
        }
    }

    pub(super) fn take_outbox(&self) -> Outbox {
        self.outboxes.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes back an outbox that was written.
    pub(super) fn keep_outbox(&self, outbox: Outbox) {
        let mut outboxes = self.outboxes.borrow_mut();
        if outboxes.len() < MAX_SPARE_OUTBOXES {
            outboxes.extend(outbox.cleaned());
        }
    }

    /// Has `session` looked after at `at`.
    pub(super) fn set_alarm(&self, at: Instant, session: Weak<Session>) -> Alarm {
        let n = self.n_alarms.get();
        self.n_alarms.set(n + 1);
        let alarm = Alarm { at, n };
        self.alarms.borrow_mut().insert(alarm, session);
        self.arm(at);
        alarm
    }

    /// Forgets an alarm, and with it what it keeps of its session's memory.
    pub(super) fn clear_alarm(&self, alarm: Alarm) {
        let session = self.alarms.borrow_mut().remove(&alarm);
        drop(session);
    }

    fn arm(&self, at: Instant) {
        if self.armed.get().is_some_and(|armed| armed <= at) {
            return;
        }
        self.armed.set(Some(at));
        let me = self.me.clone();
        let timer = self.loop_.call_later(at.saturating_duration_since(Instant::now()), move || {
            if let Some(hub) = me.upgrade() {
                hub.fire();
            }
        });
        let old = self.timer.replace(Some(timer));
        if let Some(old) = old {
            old.cancel();
        }
    }

    fn fire(&self) {
        self.armed.set(None);
        let now = Instant::now();
        while let Some(session) = self.take_due(now) {
            if let Some(session) = session.upgrade() {
                session.alarm(now);
            }
        }
        let next = self.alarms.borrow().keys().next().map(|alarm| alarm.at);
        if let Some(next) = next {
            self.arm(next);
        }
    }

    fn take_due(&self, now: Instant) -> Option<Weak<Session>> {
        let mut alarms = self.alarms.borrow_mut();
        let first = alarms.first_entry().filter(|first| first.key().at <= now)?;
        Some(first.remove())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.get_mut().take() {
            timer.cancel();
        }
    }
}
