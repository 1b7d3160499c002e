//! [`Hub`]: what the WebSockets of one loop share, so that none needs a callback, or memory to write, of its own.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use foster_compat::Loop;

use super::session::{Inbox, Session};
use crate::outbox::Outbox;
use crate::serve::Alarms;

/// Outboxes that are kept for who has something to send next: a broadcast wants one for each member until the turn ends.
const MAX_SPARE_OUTBOXES: usize = 128;

/// Inboxes that are kept for whoever is sent a message next, and the most messages that one of them has room for.
const MAX_SPARE_INBOXES: usize = 128;
const MAX_SPARE_ROOM: usize = 16;

/// Who has something to send, and where all are looked after.
pub(crate) struct Hub {
    me: Weak<Hub>,
    loop_: Loop,
    /// What these have to send goes out in the next turn, if it has not by then.
    unsent: RefCell<Vec<Rc<Session>>>,
    /// Empty ones, kept for who writes next: no session holds memory for it while it is idle.
    outboxes: RefCell<Vec<Outbox>>,
    /// Empty ones, too.
    inboxes: RefCell<Vec<Inbox>>,
    pub(super) alarms: Rc<Alarms>,
}

impl Hub {
    pub(crate) fn new(loop_: Loop, alarms: Rc<Alarms>) -> Rc<Self> {
        Rc::new_cyclic(|me| Hub {
            me: me.clone(),
            loop_,
            unsent: RefCell::default(),
            outboxes: RefCell::default(),
            inboxes: RefCell::default(),
            alarms,
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
    pub(super) fn keep_outbox(&self, mut outbox: Outbox) {
        let mut outboxes = self.outboxes.borrow_mut();
        if outboxes.len() < MAX_SPARE_OUTBOXES && outbox.clean() {
            outboxes.push(outbox);
        }
    }

    pub(super) fn take_inbox(&self) -> Inbox {
        self.inboxes.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes back an inbox that is empty.
    pub(super) fn keep_inbox(&self, inbox: Inbox) {
        let mut inboxes = self.inboxes.borrow_mut();
        if inboxes.len() < MAX_SPARE_INBOXES && inbox.capacity() <= MAX_SPARE_ROOM {
            inboxes.push(inbox);
        }
    }
}
