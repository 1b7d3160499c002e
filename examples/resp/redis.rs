//! What all clients share.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use foster::{Loop, ProtocolHandle, TimerHandle, TransportRef};

use super::database::{Database, Key, Value, matches};
use super::wire::{Refusal, Reply};
use super::{FLUSH_AT, MAX_BACKLOG, RedisServerProtocol};

/// How many keys the timer removes before others have their turn.
const MAX_EXPIRED: usize = 1000;

pub(crate) struct Redis {
    pub(crate) loop_: Loop,
    pub(crate) db: RefCell<Database>,
    pub(crate) pubsub: RefCell<PubSub>,
    pub(crate) key_blocker: RefCell<KeyBlocker>,
    /// Where replies are written, so that no read allocates.
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
                let redis = self.clone();
                let delay = Duration::from_millis(at.saturating_sub(now));
                (at, self.loop_.call_later(delay, move || redis.on_alarm()))
            });
        }
    }

    fn on_alarm(self: &Rc<Self>) {
        self.alarm.take();
        let reply = self.begin();
        self.db.borrow_mut().remove_expired(MAX_EXPIRED);
        self.end(reply);
    }

    /// Gives the items of a list to those who wait for them.
    pub(crate) fn serve(&self, db: &mut Database, key: &[u8]) -> Result<(), Refusal> {
        let mut key_blocker = self.key_blocker.borrow_mut();
        while let Some(waiter) = key_blocker.first(key) {
            if db.get(key).is_none_or(|value| value.items().is_err()) {
                break;
            }
            let Some(item) = db.change(key, Value::NEW_LIST, |list| list.pop(waiter.is_left))? else { break };
            key_blocker.forget(&waiter);
            waiter.end(&self.loop_, Some([key, &item]));
        }
        Ok(())
    }
}

/// Who has subscribed to what.
#[derive(Default)]
pub(crate) struct PubSub {
    channels: HashMap<Key, HashSet<TransportRef>>,
    patterns: HashMap<Key, HashSet<TransportRef>>,
}

impl PubSub {
    pub(crate) fn topics(&mut self, is_pattern: bool) -> &mut HashMap<Key, HashSet<TransportRef>> {
        if is_pattern { &mut self.patterns } else { &mut self.channels }
    }

    pub(crate) fn leave(&mut self, is_pattern: bool, name: &Key, transport: &TransportRef) {
        let topics = self.topics(is_pattern);
        let Some(subscribers) = topics.get_mut(name) else { return };
        subscribers.remove(transport);
        if subscribers.is_empty() {
            topics.remove(name);
        }
    }

    /// Tells those who have subscribed, and gives their number. Who is too far behind is dropped, so that nobody waits
    /// for it.
    pub(crate) fn publish(&self, channel: &[u8], message: &[u8]) -> usize {
        let mut n_told = 0;
        let mut tell = |subscribers: &HashSet<TransportRef>, parts: &[&[u8]]| {
            let mut text = Reply::default();
            text.bulks(parts);
            for transport in subscribers.iter().filter(|transport| !transport.is_closing()) {
                // It fails only after write_eof, which nobody calls.
                let _ = transport.write(&text.0);
                if transport.get_write_buffer_size() > MAX_BACKLOG {
                    transport.abort();
                }
                n_told += 1;
            }
        };
        if let Some(subscribers) = self.channels.get(channel) {
            tell(subscribers, &[b"message", channel, message]);
        }
        for (pattern, subscribers) in self.patterns.iter().filter(|(pattern, _)| matches(pattern, channel)) {
            tell(subscribers, &[b"pmessage", pattern, channel, message]);
        }
        n_told
    }
}

/// Who waits for an item of one of the keys, those who came first in front.
#[derive(Default)]
pub(crate) struct KeyBlocker {
    waiters: HashMap<Key, VecDeque<Rc<Waiter>>>,
}

pub(crate) struct Waiter {
    pub(crate) keys: HashSet<Key>,
    pub(crate) is_left: bool,
    pub(crate) transport: TransportRef,
    pub(crate) protocol: ProtocolHandle<RedisServerProtocol>,
    pub(crate) timer: Option<TimerHandle>,
}

impl Waiter {
    /// Answers, and lets the client go on in the next turn: a chain of clients that wait for each other is no recursion.
    pub(crate) fn end(&self, loop_: &Loop, found: Option<[&[u8]; 2]>) {
        let mut reply = Reply::default();
        match found {
            Some(parts) => reply.bulks(&parts),
            None => reply.raw(b"*-1\r\n"),
        }
        let (transport, protocol, text) = (self.transport.clone(), self.protocol.clone(), reply.0);
        loop_.call_soon(move || {
            transport.write(&text)?;
            protocol.with(|client| {
                client.waiter = None;
                client.resume()
            })
        });
    }
}

impl KeyBlocker {
    pub(crate) fn wait(&mut self, waiter: &Rc<Waiter>) {
        for key in &waiter.keys {
            self.waiters.entry(key.clone()).or_default().push_back(waiter.clone());
        }
    }

    pub(crate) fn forget(&mut self, waiter: &Rc<Waiter>) {
        waiter.timer.as_ref().inspect(|timer| timer.cancel());
        for key in &waiter.keys {
            let Some(queue) = self.waiters.get_mut(key) else { continue };
            queue.retain(|other| !Rc::ptr_eq(other, waiter));
            if queue.is_empty() {
                self.waiters.remove(key);
            }
        }
    }

    fn first(&self, key: &[u8]) -> Option<Rc<Waiter>> {
        self.waiters.get(key)?.front().cloned()
    }
}
