//! Clients that wait for an item of a list.

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use foster::{Loop, ProtocolHandle, TimerHandle, TransportRef};

use super::RedisServerProtocol;
use super::commands::Args;
use super::database::{Database, Key, Value};
use super::redis::Redis;
use super::wire::{Refusal, Reply};

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

impl Redis {
    /// Gives the items of a list to those who wait for them.
    pub(crate) fn serve(&self, db: &mut Database, key: &[u8]) -> Result<(), Refusal> {
        let mut key_blocker = self.key_blocker.borrow_mut();
        while let Some(waiter) = key_blocker.first(key) {
            if waiter.transport.is_closing() {
                key_blocker.forget(&waiter);
                continue;
            }
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

impl RedisServerProtocol {
    /// BLPOP and BRPOP.
    pub(crate) fn block(
        &mut self,
        db: &mut Database,
        keys: &Args,
        timeout: &[u8],
        is_left: bool,
    ) -> Result<(), Refusal> {
        let timeout = std::str::from_utf8(timeout).ok().and_then(|timeout| timeout.parse::<f64>().ok());
        let timeout =
            timeout.filter(|seconds| seconds.is_finite()).ok_or("ERR timeout is not a float or out of range")?;
        if timeout < 0.0 {
            return Err("ERR timeout is negative".into());
        }
        for key in keys {
            if let Some(item) = pop(db, key, is_left)? {
                self.reply.bulks(&[key, &item]);
                return Ok(());
            }
        }
        let protocol = self.transport.get_protocol().and_then(|protocol| protocol.downcast::<Self>());
        let Some(protocol) = protocol else { return Ok(()) };
        let client = protocol.clone();
        let timer = (timeout > 0.0).then(|| {
            let delay = Duration::try_from_secs_f64(timeout).unwrap_or(Duration::MAX);
            self.redis.loop_.call_later(delay, move || client.with(Self::time_out))
        });
        let keys = keys.iter().map(|key| Key::from(&**key)).collect();
        let waiter = Rc::new(Waiter { keys, is_left, transport: self.transport.clone(), protocol, timer });
        self.redis.key_blocker.borrow_mut().wait(&waiter);
        self.waiter = Some(waiter);
        Ok(())
    }

    fn time_out(&mut self) {
        if let Some(waiter) = &self.waiter {
            self.redis.key_blocker.borrow_mut().forget(waiter);
            waiter.end(&self.redis.loop_, None);
        }
    }
}

pub(crate) fn pop(db: &mut Database, key: &[u8], is_left: bool) -> Result<Option<Vec<u8>>, Refusal> {
    if db.get(key).is_none() { Ok(None) } else { db.change(key, Value::NEW_LIST, |list| list.pop(is_left)) }
}
