//! What all clients share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use foster::{Loop, TimerHandle};

use super::FLUSH_AT;
use super::database::Database;
use super::key_blocker::KeyBlocker;
use super::pubsub::PubSub;
use super::wire::Reply;

/// How many keys the timer removes before others have their turn.
const MAX_EXPIRED: usize = 1000;

pub(crate) struct Redis {
    pub(crate) loop_: Loop,
    pub(crate) db: RefCell<Database>,
    pub(crate) pubsub: RefCell<PubSub>,
    pub(crate) key_blocker: RefCell<KeyBlocker>,
    /// Where replies are written, lent to one read after the other.
    reply: Cell<Reply>,
    pub(crate) n_clients: Cell<usize>,
    n_ids: Cell<i64>,
    /// The one timer, and the time that it is set to.
    alarm: RefCell<Option<(u64, TimerHandle)>>,
}

impl Redis {
    pub(crate) fn new(loop_: Loop) -> Self {
        Redis {
            loop_,
            db: RefCell::default(),
            pubsub: RefCell::default(),
            key_blocker: RefCell::default(),
            reply: Cell::default(),
            n_clients: Cell::default(),
            n_ids: Cell::default(),
            alarm: RefCell::default(),
        }
    }

    pub(crate) fn next_id(&self) -> i64 {
        self.n_ids.set(self.n_ids.get() + 1);
        self.n_ids.get()
    }

    /// Begins to deal with a read: it has one time, and is answered in what this gives.
    pub(crate) fn begin(&self) -> Reply {
        self.db.borrow_mut().now = (self.loop_.time() * 1000.0) as u64;
        self.reply.take()
    }

    pub(crate) fn end(self: &Rc<Self>, reply: Reply) {
        if reply.0.capacity() <= 2 * FLUSH_AT {
            self.reply.set(reply);
        }
        self.set_alarm();
    }

    /// Sets the timer to when the next key expires.
    fn set_alarm(self: &Rc<Self>) {
        let (next, now) = (self.db.borrow().next_expiry(), self.db.borrow().now);
        let mut alarm = self.alarm.borrow_mut();
        if alarm.as_ref().map(|(at, _)| *at) != next {
            alarm.take().inspect(|(_, timer)| timer.cancel());
            *alarm = next.map(|at| {
                // The timer is the database's own: a strong reference would keep both for ever.
                let redis = Rc::downgrade(self);
                let delay = Duration::from_millis(at.saturating_sub(now));
                (at, self.loop_.call_later(delay, move || redis.upgrade().iter().for_each(Redis::on_alarm)))
            });
        }
    }

    fn on_alarm(self: &Rc<Self>) {
        self.alarm.take();
        let reply = self.begin();
        self.db.borrow_mut().remove_expired(MAX_EXPIRED);
        self.end(reply);
    }
}
