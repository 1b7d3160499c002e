//! Publish/subscribe.

use std::collections::{HashMap, HashSet};
use std::mem;

use foster::TransportRef;

use super::commands::Args;
use super::database::{Key, matches};
use super::wire::{Refusal, Reply};
use super::{MAX_BACKLOG, RedisServerProtocol};

/// The most channels and patterns that one client subscribes to; Redis has no limit.
const MAX_SUBSCRIPTIONS: usize = 1024;

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

impl RedisServerProtocol {
    pub(crate) fn n_subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    pub(crate) fn subscribe(&mut self, names: &Args, is_pattern: bool) -> Result<(), Refusal> {
        for name in names {
            if self.n_subscriptions() >= MAX_SUBSCRIPTIONS {
                return Err("ERR too many subscriptions".into());
            }
            let key = Key::from(&**name);
            let mut pubsub = self.redis.pubsub.borrow_mut();
            pubsub.topics(is_pattern).entry(key.clone()).or_default().insert(self.transport.clone());
            if is_pattern { &mut self.patterns } else { &mut self.channels }.insert(key);
            drop(pubsub);
            self.tell(if is_pattern { b"psubscribe" } else { b"subscribe" }, &**name);
        }
        Ok(())
    }

    pub(crate) fn unsubscribe(&mut self, names: &Args, is_pattern: bool) {
        let own = if is_pattern { &self.patterns } else { &self.channels };
        let word: &[u8] = if is_pattern { b"punsubscribe" } else { b"unsubscribe" };
        let names: Vec<Key> = match names {
            [] if own.is_empty() => return self.tell(word, None),
            [] => own.iter().cloned().collect(),
            names => names.iter().map(|name| Key::from(&**name)).collect(),
        };
        for name in names {
            if is_pattern { &mut self.patterns } else { &mut self.channels }.remove(&name);
            self.redis.pubsub.borrow_mut().leave(is_pattern, &name, &self.transport);
            self.tell(word, &*name);
        }
    }

    pub(crate) fn unsubscribe_from_all(&mut self) {
        for (is_pattern, names) in [(false, mem::take(&mut self.channels)), (true, mem::take(&mut self.patterns))] {
            names.iter().for_each(|name| self.redis.pubsub.borrow_mut().leave(is_pattern, name, &self.transport));
        }
    }

    /// What a client hears of its own subscriptions.
    fn tell<'a>(&mut self, word: &[u8], name: impl Into<Option<&'a [u8]>>) {
        self.reply.array(3);
        self.reply.bulk(word);
        self.reply.bulk(name);
        self.reply.integer(self.n_subscriptions() as i64);
    }
}
