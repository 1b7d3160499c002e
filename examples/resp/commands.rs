//! What the commands do, by name.

use std::rc::Rc;
use std::time::Duration;

use super::RedisServerProtocol;
use super::database::{Database, List, Value};
use super::wire::{Refusal, integer};

const COMMANDS: &str = "command config dbsize decr decrby del echo exists expire flushall get hello incr incrby llen \
    lpop lpush lrange mget mset persist ping publish quit rpop rpush select set subscribe ttl unsubscribe";

/// The most channels that one client subscribes to; Redis has no limit.
const MAX_SUBSCRIPTIONS: usize = 1024;

const OK: &[u8] = b"+OK\r\n";
const SYNTAX: &str = "ERR syntax error";
const NO_DECREMENT: &str = "ERR decrement would overflow";
const NO_SUBSCRIBER: &str = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";

impl RedisServerProtocol {
    pub(crate) fn execute(&mut self, args: &[&[u8]]) -> Result<(), Refusal> {
        let Some((given_name, args)) = args.split_first() else { return Ok(()) };
        // Lower case without an allocation; no name is longer.
        let mut name = [0; 12];
        name.iter_mut().zip(*given_name).for_each(|(to, from)| *to = from.to_ascii_lowercase());
        let name = name.get(..given_name.len()).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        let is_subscriber = !self.channels.is_empty();
        let shared = self.db.clone();
        let db = &mut *shared.borrow_mut();
        let reply = &mut self.reply;
        match (name, args) {
            // Publish/subscribe
            ("subscribe", _) if self.channels.len() + args.len() > MAX_SUBSCRIPTIONS => Err("ERR too many channels")?,
            ("unsubscribe", []) if !is_subscriber => reply.raw(b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"),
            ("unsubscribe", []) => self.channels.clone().iter().for_each(|channel| self.subscribe(name, channel)),
            ("subscribe" | "unsubscribe", [_, ..]) => args.iter().for_each(|channel| self.subscribe(name, channel)),
            ("ping", []) if is_subscriber => reply.bulks([&b"pong"[..], b""].map(Some).into_iter()),
            ("ping", [message]) if is_subscriber => reply.bulks([b"pong", *message].map(Some).into_iter()),
            ("quit", _) => {
                reply.raw(OK);
                self.is_quitting = true;
            }
            _ if is_subscriber => Err(format!("ERR Can't execute '{name}': {NO_SUBSCRIBER}"))?,
            ("publish", [channel, message]) => reply.integer(self.pubsub.borrow().publish(channel, message) as i64),

            // Strings
            ("get", [key]) => reply.bulk(db.string(key)?),
            ("set", [key, value, options @ ..]) => self.set(db, key, value, options)?,
            ("mget", keys @ [_, ..]) => reply.bulks(keys.iter().map(|key| db.string(key).unwrap_or_default())),
            ("mset", pairs @ [_, ..]) if pairs.len() % 2 == 0 => {
                for pair in pairs.chunks_exact(2) {
                    let [key, value] = pair else { continue };
                    db.put(key, Value::String(value.to_vec()));
                    db.set_timer(key, None);
                }
                reply.raw(OK);
            }
            ("incr", [key]) => reply.integer(add(db, key, 1)?),
            ("decr", [key]) => reply.integer(add(db, key, -1)?),
            ("incrby", [key, n]) => reply.integer(add(db, key, integer(n)?)?),
            ("decrby", [key, n]) => reply.integer(add(db, key, integer(n)?.checked_neg().ok_or(NO_DECREMENT)?)?),

            // Lists
            ("lpush" | "rpush", [key, items @ ..]) if !items.is_empty() => {
                let push = if name == "lpush" { List::push_front } else { List::push_back };
                db.change(key, |list| items.iter().for_each(|item| push(list, item.to_vec())))?;
                reply.integer(db.list(key)?.len() as i64);
            }
            ("lpop", [key]) => reply.bulk(db.change(key, List::pop_front)?.as_deref()),
            ("rpop", [key]) => reply.bulk(db.change(key, List::pop_back)?.as_deref()),
            ("llen", [key]) => reply.integer(db.list(key)?.len() as i64),
            ("lrange", [key, start, stop]) => {
                let list = db.list(key)?;
                let from_end = |n: i64| if n < 0 { n.saturating_add(list.len() as i64) } else { n };
                let (start, stop) = (from_end(integer(start)?).max(0), from_end(integer(stop)?));
                let n_items = stop.saturating_sub(start).saturating_add(1).max(0);
                reply.bulks(list.iter().skip(start as usize).take(n_items as usize).map(|item| Some(&**item)));
            }

            // Keys
            ("del", [_, ..]) => reply.integer(args.iter().filter(|key| db.keys.remove(**key).is_some()).count() as i64),
            ("exists", [_, ..]) => reply.integer(args.iter().filter(|key| db.keys.contains_key(**key)).count() as i64),
            ("expire", [key, n]) => self.reply.integer(self.expire(db, key, millis(n, 1000, "expire")?).into()),
            ("ttl", [key]) => reply.integer(match db.keys.get(*key).map(|entry| &entry.timer) {
                None => -2,
                Some(None) => -1,
                Some(Some(timer)) => (timer.when() - self.loop_.time()).round() as i64,
            }),
            ("persist", [key]) => reply.integer(db.set_timer(key, None).into()),
            ("dbsize", []) => reply.integer(db.keys.len() as i64),
            ("flushall", []) => {
                db.keys.clear();
                reply.raw(OK);
            }

            // The server
            ("ping", []) => reply.raw(b"+PONG\r\n"),
            ("ping" | "echo", [message]) => reply.bulk(*message),
            ("select", [index]) if integer(index)? == 0 => reply.raw(OK),
            ("select", [_]) => Err("ERR DB index is out of range")?,
            ("hello", [] | [b"2"]) => reply.raw(b"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2\r\n"),
            ("hello", _) => Err("NOPROTO unsupported protocol version")?,
            // What redis-cli and redis-benchmark ask for.
            ("command", _) => reply.array(0),
            ("config", [_, b"save"]) => reply.raw(b"*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
            ("config", [_, b"appendonly"]) => reply.raw(b"*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"),
            ("config", [get, _]) if get.eq_ignore_ascii_case(b"get") => reply.array(0),
            _ => Err(refused(given_name, name, args))?,
        }
        Ok(())
    }

    /// SET with its options.
    fn set(&mut self, db: &mut Database, key: &[u8], value: &[u8], options: &[&[u8]]) -> Result<(), Refusal> {
        let (mut must_exist, mut expiry) = (None, None);
        let mut options = options.iter();
        while let Some(option) = options.next() {
            match &*option.to_ascii_lowercase() {
                b"nx" if must_exist != Some(true) => must_exist = Some(false),
                b"xx" if must_exist != Some(false) => must_exist = Some(true),
                b"ex" if expiry.is_none() => expiry = Some(millis(options.next().ok_or(SYNTAX)?, 1000, "set")?),
                b"px" if expiry.is_none() => expiry = Some(millis(options.next().ok_or(SYNTAX)?, 1, "set")?),
                _ => return Err(SYNTAX.into()),
            }
        }
        if must_exist.is_some_and(|must| must != db.keys.contains_key(key)) {
            self.reply.bulk(None);
            return Ok(());
        }
        db.put(key, Value::String(value.to_vec()));
        match expiry {
            None => db.set_timer(key, None),
            Some(millis) => self.expire(db, key, millis),
        };
        self.reply.raw(OK);
        Ok(())
    }

    /// Lets a key expire so many milliseconds from now, and tells whether it is there.
    fn expire(&self, db: &mut Database, key: &[u8], millis: i64) -> bool {
        if millis <= 0 || !db.keys.contains_key(key) {
            return db.keys.remove(key).is_some();
        }
        // The timer is the database's own: a strong reference would keep both for ever.
        let (shared, name) = (Rc::downgrade(&self.db), key.to_vec());
        let remove = move || shared.upgrade().into_iter().for_each(|db| _ = db.borrow_mut().keys.remove(&name));
        db.set_timer(key, Some(self.loop_.call_later(Duration::from_millis(millis.unsigned_abs()), remove)));
        true
    }

    /// SUBSCRIBE or UNSUBSCRIBE for one channel, and what the client hears of it.
    fn subscribe(&mut self, name: &str, channel: &[u8]) {
        if name == "subscribe" {
            self.channels.insert(channel.to_vec());
            self.pubsub.borrow_mut().subscribe(channel, &self.transport);
        } else {
            self.channels.remove(channel);
            self.pubsub.borrow_mut().unsubscribe(channel, &self.transport);
        }
        self.reply.array(3);
        self.reply.bulk(name.as_bytes());
        self.reply.bulk(channel);
        self.reply.integer(self.channels.len() as i64);
    }
}

fn add(db: &mut Database, key: &[u8], n: i64) -> Result<i64, Refusal> {
    let old = db.string(key)?.map_or(Ok(0), integer)?;
    let new = old.checked_add(n).ok_or("ERR increment or decrement would overflow")?;
    db.put(key, Value::String(new.to_string().into_bytes()));
    Ok(new)
}

/// So many units, of so many milliseconds each. Only EXPIRE may look back.
fn millis(n: &[u8], unit: i64, name: &str) -> Result<i64, Refusal> {
    // Half of what Redis's clock can count, so that now may be added.
    let (min, max) = (if name == "expire" { i64::MIN } else { 1 }, i64::MAX / 2);
    let millis = integer(n)?.checked_mul(unit).filter(|millis| (min..max).contains(millis));
    millis.ok_or_else(|| format!("ERR invalid expire time in '{name}' command").into())
}

/// Why there is no such command, or not with these arguments.
fn refused(given_name: &[u8], name: &str, args: &[&[u8]]) -> Refusal {
    if COMMANDS.split(' ').any(|known| known == name) {
        return format!("ERR wrong number of arguments for '{name}' command").into();
    }
    let given_name = String::from_utf8_lossy(given_name);
    let args: String = args.iter().map(|arg| format!("'{:.128}' ", String::from_utf8_lossy(arg))).collect();
    format!("ERR unknown command '{given_name:.128}', with args beginning with: {args:.128}").into()
}
