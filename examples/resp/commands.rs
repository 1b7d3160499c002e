//! What the commands do, by name.

use std::borrow::Cow;
use std::mem;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use super::database::{Database, Key, MAX_MEMORY, Value, matches};
use super::redis::{Redis, Waiter};
use super::wire::{MAX_BULK, Refusal, integer};
use super::{MAX_CLIENTS, RedisServerProtocol};

/// The version of Redis that this one answers as.
const VERSION: &str = "7.0.15";

const COMMANDS: &[&str] = &[
    "append",
    "blpop",
    "brpop",
    "client",
    "command",
    "config",
    "dbsize",
    "decr",
    "decrby",
    "del",
    "echo",
    "exists",
    "expire",
    "flushall",
    "flushdb",
    "get",
    "getdel",
    "hello",
    "incr",
    "incrby",
    "info",
    "keys",
    "lindex",
    "llen",
    "lpop",
    "lpush",
    "lrange",
    "mget",
    "mset",
    "persist",
    "pexpire",
    "ping",
    "psetex",
    "psubscribe",
    "pttl",
    "publish",
    "punsubscribe",
    "quit",
    "rename",
    "reset",
    "rpop",
    "rpush",
    "scan",
    "select",
    "set",
    "setex",
    "setnx",
    "strlen",
    "subscribe",
    "ttl",
    "type",
    "unlink",
    "unsubscribe",
];

/// The commands that are refused where there is no room.
const GROWING: &[&[u8]] = &[
    b"set", b"setex", b"psetex", b"setnx", b"mset", b"append", b"incr", b"decr", b"incrby", b"decrby", b"lpush",
    b"rpush",
];

/// The most channels and patterns that one client subscribes to; Redis has no limit.
const MAX_SUBSCRIPTIONS: usize = 1024;

const OK: &[u8] = b"+OK\r\n";
const SYNTAX: Refusal = Cow::Borrowed("ERR syntax error");
const NO_INTEGER: Refusal = Cow::Borrowed("ERR value is not an integer or out of range");

type Args<'a> = [Cow<'a, [u8]>];

impl RedisServerProtocol {
    pub(crate) fn execute(&mut self, args: &Args) -> Result<(), Refusal> {
        let Some((given_name, args)) = args.split_first() else { return Ok(()) };
        // Lower case without an allocation; no name is longer.
        let mut buffer = [0; 16];
        let name = buffer.get_mut(..given_name.len()).unwrap_or_default();
        name.copy_from_slice(given_name.get(..name.len()).unwrap_or_default());
        name.make_ascii_lowercase();
        let name = &*name;
        // Those that count in milliseconds have the same names with a p.
        let unit = if name.starts_with(b"p") { 1 } else { 1000 };

        let redis = self.redis.clone();
        let db = &mut *redis.db.borrow_mut();
        let is_subscriber = self.n_subscriptions() > 0;
        if is_subscriber && !may_subscriber(name) {
            let name = String::from_utf8_lossy(name);
            return Err(format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed \
                 in this context"
            )
            .into());
        }
        if db.n_bytes > MAX_MEMORY && GROWING.contains(&name) {
            return Err("OOM command not allowed when used memory > 'maxmemory'.".into());
        }
        let reply = &mut self.reply;
        match (name, args) {
            // Strings
            (b"get", [key]) => reply.bulk(db.string(key)?),
            (b"set", [key, value, options @ ..]) => self.set(db, key, value, options)?,
            (b"setex" | b"psetex", [key, n, value]) => {
                let at = deadline(db, n, unit, name)?;
                db.set(key, value)?;
                db.expire(key, Some(at));
                reply.raw(OK);
            }
            (b"setnx", [key, value]) => {
                let is_new = db.get(key).is_none();
                if is_new {
                    db.set(key, value)?;
                }
                reply.integer(is_new.into());
            }
            (b"mget", keys @ [_, ..]) => {
                reply.array(keys.len());
                keys.iter().for_each(|key| reply.bulk(db.string(key).unwrap_or_default()));
            }
            (b"mset", pairs @ [_, _, ..]) if pairs.len() % 2 == 0 => {
                for pair in pairs.chunks_exact(2) {
                    let [key, value] = pair else { continue };
                    db.set(key, value)?;
                    db.expire(key, None);
                }
                reply.raw(OK);
            }
            (b"append", [key, more]) => {
                if db.string(key)?.map_or(0, <[u8]>::len) + more.len() > MAX_BULK {
                    return Err("ERR string exceeds maximum allowed size (proto-max-bulk-len)".into());
                }
                let append = |value: &mut Value| {
                    let string = value.string()?;
                    string.extend_from_slice(more);
                    Ok(string.len())
                };
                reply.integer(db.change(key, Value::NEW_STRING, append)? as i64);
            }
            (b"strlen", [key]) => reply.integer(db.string(key)?.map_or(0, <[u8]>::len) as i64),
            (b"incr", [key]) => reply.integer(add(db, key, 1)?),
            (b"decr", [key]) => reply.integer(add(db, key, -1)?),
            (b"incrby", [key, n]) => reply.integer(add(db, key, number(n)?)?),
            (b"decrby", [key, n]) => {
                let n = number(n)?.checked_neg().ok_or("ERR decrement would overflow")?;
                reply.integer(add(db, key, n)?);
            }
            (b"getdel", [key]) => {
                reply.bulk(db.string(key)?);
                db.remove(key);
            }

            // Keys
            (b"del" | b"unlink", keys @ [_, ..]) => {
                let remove = |key: &&Cow<[u8]>| db.entry(key).is_some() && db.remove(key).is_some();
                reply.integer(keys.iter().filter(remove).count() as i64);
            }
            (b"exists", keys @ [_, ..]) => {
                reply.integer(keys.iter().filter(|key| db.get(key).is_some()).count() as i64);
            }
            (b"expire" | b"pexpire", [key, n]) => reply.integer(expire(db, key, n, unit, name)?.into()),
            (b"expire" | b"pexpire", [_, _, option, ..]) => {
                return Err(format!("ERR Unsupported option {}", String::from_utf8_lossy(option)).into());
            }
            (b"ttl" | b"pttl", [key]) => reply.integer(match db.entry(key).map(|entry| entry.expires_at) {
                None => -2,
                Some(None) => -1,
                Some(Some(at)) => ((at - db.now) as i64 + unit / 2) / unit,
            }),
            (b"persist", [key]) => reply.integer(db.expire(key, None).into()),
            (b"type", [key]) => {
                let kind = db.get(key).map_or(&b"none"[..], |value| value.kind());
                reply.raw(&[b"+", kind, b"\r\n"].concat());
            }
            (b"keys", [pattern]) => {
                let keys = db.keys(pattern);
                reply.array(keys.len());
                keys.iter().for_each(|key| reply.bulk(&**key));
            }
            (b"scan", [cursor, options @ ..]) => self.scan(db, cursor, options)?,
            (b"dbsize", []) => reply.integer(db.entries.len() as i64),
            (b"flushdb" | b"flushall", options) if options.len() <= 1 => {
                if options.iter().any(|option| !matches!(&*option.to_ascii_lowercase(), b"sync" | b"async")) {
                    return Err(SYNTAX);
                }
                *db = Database { now: db.now, ..Database::default() };
                reply.raw(OK);
            }
            (b"rename", [from, to]) => {
                db.entry(from);
                let entry = db.remove(from).ok_or("ERR no such key")?;
                db.insert(to, entry);
                reply.raw(OK);
                redis.serve(db, to)?;
            }

            // Lists
            (b"lpush" | b"rpush", [key, items @ ..]) if !items.is_empty() => {
                let push = |list: &mut Value| items.iter().try_fold(0, |_, item| list.push(item, name == b"lpush"));
                reply.integer(db.change(key, Value::NEW_LIST, push)? as i64);
                redis.serve(db, key)?;
            }
            (b"lpop" | b"rpop", [key]) => reply.bulk(pop(db, key, name == b"lpop")?.as_deref()),
            (b"lpop" | b"rpop", [key, n]) => {
                let n = number(n).ok().and_then(|n| usize::try_from(n).ok());
                let n = n.ok_or("ERR value is out of range, must be positive")?;
                match db.items(key)?.map(|items| items.len().min(n)) {
                    None => reply.raw(b"*-1\r\n"),
                    Some(n) => {
                        reply.array(n);
                        for _ in 0..n {
                            reply.bulk(pop(db, key, name == b"lpop")?.as_deref());
                        }
                    }
                }
            }
            (b"llen", [key]) => {
                reply.integer(db.items(key)?.map_or(0, |it| it.len()) as i64);
            }
            (b"lindex", [key, n]) => {
                let n = number(n)?;
                let items = db.items(key)?;
                let item = items.and_then(|items| items.get(usize::try_from(position(n, items.len())).ok()?));
                reply.bulk(item.map(Vec::as_slice));
            }
            (b"lrange", [key, start, stop]) => {
                let (start, stop) = (number(start)?, number(stop)?);
                match db.items(key)? {
                    None => reply.raw(b"*0\r\n"),
                    Some(items) => {
                        let range = range(start, stop, items.len());
                        reply.array(range.len());
                        items.range(range).for_each(|item| reply.bulk(&**item));
                    }
                }
            }
            (b"blpop" | b"brpop", [keys @ .., timeout]) if !keys.is_empty() => {
                self.block(db, keys, timeout, name == b"blpop")?;
            }

            // Publish/subscribe
            (b"subscribe" | b"psubscribe", names @ [_, ..]) => self.subscribe(names, name == b"psubscribe")?,
            (b"unsubscribe" | b"punsubscribe", names) => self.unsubscribe(names, name == b"punsubscribe"),
            (b"publish", [channel, message]) => {
                reply.integer(redis.pubsub.borrow().publish(channel, message) as i64);
            }

            // Connections and the server
            (b"ping", []) if is_subscriber => reply.bulks(&[b"pong", b""]),
            (b"ping", [message]) if is_subscriber => reply.bulks(&[b"pong", message]),
            (b"ping", []) => reply.raw(b"+PONG\r\n"),
            (b"ping" | b"echo", [message]) => reply.bulk(&**message),
            (b"select", [index]) => match number(index)? {
                0 => reply.raw(OK),
                _ => return Err("ERR DB index is out of range".into()),
            },
            (b"quit", _) => {
                reply.raw(OK);
                // It fails only after write_eof, which nobody calls.
                let _ = self.close();
            }
            (b"reset", []) => {
                self.unsubscribe_from_all();
                self.name.clear();
                self.reply.raw(b"+RESET\r\n");
            }
            (b"hello", options) => self.hello(options)?,
            (b"client", [subcommand, args @ ..]) => self.client(subcommand, args)?,
            (b"config", [subcommand, args @ ..]) => self.config(subcommand, args)?,
            (b"command", []) => reply.raw(b"*0\r\n"),
            (b"command", [subcommand, ..]) => match &*subcommand.to_ascii_lowercase() {
                b"count" => reply.integer(COMMANDS.len() as i64),
                _ => reply.raw(b"*0\r\n"),
            },
            (b"info", _) => reply.bulk(info(&redis, db).as_bytes()),
            _ => return Err(refused(given_name, name, args)),
        }
        Ok(())
    }

    /// SET with its options.
    fn set(&mut self, db: &mut Database, key: &[u8], value: &[u8], options: &Args) -> Result<(), Refusal> {
        let (mut must_exist, mut at, mut is_kept, mut is_get) = (None, None, false, false);
        let mut options = options.iter();
        while let Some(option) = options.next() {
            match &*option.to_ascii_lowercase() {
                b"nx" if must_exist != Some(true) => must_exist = Some(false),
                b"xx" if must_exist != Some(false) => must_exist = Some(true),
                b"get" => is_get = true,
                b"keepttl" if at.is_none() => is_kept = true,
                option @ (b"ex" | b"px") if at.is_none() && !is_kept => {
                    let unit = if option == b"px" { 1 } else { 1000 };
                    at = Some(deadline(db, options.next().ok_or(SYNTAX)?, unit, b"set")?);
                }
                _ => return Err(SYNTAX),
            }
        }
        let does_set = must_exist.is_none_or(|must| must == db.get(key).is_some());
        match (is_get, does_set) {
            (true, _) => self.reply.bulk(db.string(key)?),
            (false, true) => self.reply.raw(OK),
            (false, false) => self.reply.bulk(None),
        }
        if does_set {
            db.set(key, value)?;
            if !is_kept {
                db.expire(key, at);
            }
        }
        Ok(())
    }

    /// SCAN gives all keys in its first answer, as Redis does with small collections.
    fn scan(&mut self, db: &mut Database, cursor: &[u8], options: &Args) -> Result<(), Refusal> {
        let cursor = std::str::from_utf8(cursor).ok().and_then(|cursor| cursor.parse::<u64>().ok());
        let (mut pattern, mut wanted) = (&b"*"[..], None);
        for option in options.chunks(2) {
            let [option, value] = option else { return Err(SYNTAX) };
            match &*option.to_ascii_lowercase() {
                b"match" => pattern = value,
                b"count" if number(value)? > 0 => {}
                b"type" => wanted = Some(value.to_ascii_lowercase()),
                _ => return Err(SYNTAX),
            }
        }
        let is_first = cursor.ok_or("ERR invalid cursor")? == 0;
        let mut keys: Vec<Key> = if is_first { db.keys(pattern) } else { Vec::new() };
        keys.retain(|key| wanted.as_ref().is_none_or(|wanted| Some(&**wanted) == db.get(key).map(|it| it.kind())));
        self.reply.array(2);
        self.reply.bulk(&b"0"[..]);
        self.reply.array(keys.len());
        keys.iter().for_each(|key| self.reply.bulk(&**key));
        Ok(())
    }

    /// BLPOP and BRPOP.
    fn block(&mut self, db: &mut Database, keys: &Args, timeout: &[u8], is_left: bool) -> Result<(), Refusal> {
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

    fn n_subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    fn subscribe(&mut self, names: &Args, is_pattern: bool) -> Result<(), Refusal> {
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

    fn unsubscribe(&mut self, names: &Args, is_pattern: bool) {
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

    /// HELLO: there is no other version of the protocol than 2.
    fn hello(&mut self, options: &Args) -> Result<(), Refusal> {
        if let [version, more @ ..] = options {
            let version = integer(version).ok_or("ERR Protocol version is not an integer or out of range")?;
            if version != 2 {
                return Err("NOPROTO unsupported protocol version".into());
            }
            if let [option, ..] = more {
                let option = String::from_utf8_lossy(option);
                return Err(format!("ERR Syntax error in HELLO option '{option}'").into());
            }
        }
        let reply = &mut self.reply;
        reply.array(10);
        for (name, value) in [("server", "redis"), ("version", VERSION), ("mode", "standalone"), ("role", "master")] {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
        }
        reply.bulk(&b"proto"[..]);
        reply.integer(2);
        Ok(())
    }

    fn client(&mut self, subcommand: &[u8], args: &Args) -> Result<(), Refusal> {
        match (&*subcommand.to_ascii_lowercase(), args) {
            (b"id", []) => self.reply.integer(self.id),
            (b"getname", []) => self.reply.bulk(Some(&*self.name).filter(|name| !name.is_empty())),
            (b"setname", [name]) if name.iter().all(u8::is_ascii_graphic) => {
                self.name = name.to_vec();
                self.reply.raw(OK);
            }
            (b"setname", [_]) => {
                return Err("ERR Client names cannot contain spaces, newlines or special characters.".into());
            }
            (b"setinfo", [_, _]) => self.reply.raw(OK),
            _ => return Err(unknown_subcommand(subcommand, "CLIENT")),
        }
        Ok(())
    }

    fn config(&mut self, subcommand: &[u8], patterns: &Args) -> Result<(), Refusal> {
        if !subcommand.eq_ignore_ascii_case(b"get") || patterns.is_empty() {
            return Err(unknown_subcommand(subcommand, "CONFIG"));
        }
        let settings = [
            ("appendonly", "no".to_owned()),
            ("databases", "1".to_owned()),
            ("maxclients", MAX_CLIENTS.to_string()),
            ("maxmemory", MAX_MEMORY.to_string()),
            ("proto-max-bulk-len", MAX_BULK.to_string()),
            ("save", String::new()),
        ];
        let is_wanted = |name: &str| patterns.iter().any(|it| matches(&it.to_ascii_lowercase(), name.as_bytes()));
        let found: Vec<_> = settings.iter().filter(|(name, _)| is_wanted(name)).collect();
        self.reply.array(2 * found.len());
        for (name, value) in found {
            self.reply.bulk(name.as_bytes());
            self.reply.bulk(value.as_bytes());
        }
        Ok(())
    }
}

fn number(text: &[u8]) -> Result<i64, Refusal> {
    integer(text).ok_or(NO_INTEGER)
}

/// The time in so many units from now, which has to be later.
fn deadline(db: &Database, n: &[u8], unit: i64, name: &[u8]) -> Result<u64, Refusal> {
    let millis = number(n)?.checked_mul(unit).and_then(|millis| u64::try_from(millis).ok()).filter(|n| *n > 0);
    let at = millis.and_then(|millis| db.now.checked_add(millis)).filter(|at| i64::try_from(*at).is_ok());
    at.ok_or_else(|| format!("ERR invalid expire time in '{}' command", String::from_utf8_lossy(name)).into())
}

fn expire(db: &mut Database, key: &[u8], n: &[u8], unit: i64, name: &[u8]) -> Result<bool, Refusal> {
    let at = if number(n)? > 0 { Some(deadline(db, n, unit, name)?) } else { None };
    let is_there = db.entry(key).is_some();
    if at.is_some() {
        db.expire(key, at);
    } else {
        db.remove(key);
    }
    Ok(is_there)
}

fn add(db: &mut Database, key: &[u8], n: i64) -> Result<i64, Refusal> {
    let old = db.string(key)?.map_or(Ok(0), number)?;
    let new = old.checked_add(n).ok_or("ERR increment or decrement would overflow")?;
    db.set(key, new.to_string().as_bytes())?;
    Ok(new)
}

fn pop(db: &mut Database, key: &[u8], is_left: bool) -> Result<Option<Vec<u8>>, Refusal> {
    if db.get(key).is_none() { Ok(None) } else { db.change(key, Value::NEW_LIST, |list| list.pop(is_left)) }
}

/// The place of an index, which counts from the end if it is negative.
fn position(n: i64, len: usize) -> i64 {
    if n < 0 { n.saturating_add(len as i64) } else { n }
}

/// What is between two indices, the last one included.
fn range(start: i64, stop: i64, len: usize) -> Range<usize> {
    let (start, stop) = (position(start, len).max(0) as usize, position(stop, len).saturating_add(1).max(0) as usize);
    let stop = stop.min(len);
    start.min(stop)..stop
}

fn info(redis: &Redis, db: &Database) -> String {
    format!(
        "# Server\r\nredis_version:{VERSION}\r\nredis_mode:standalone\r\nprocess_id:{}\r\nuptime_in_seconds:{}\r\n\r\n\
         # Clients\r\nconnected_clients:{}\r\nmaxclients:{MAX_CLIENTS}\r\n\r\n\
         # Memory\r\nused_memory:{}\r\nmaxmemory:{MAX_MEMORY}\r\n\r\n\
         # Keyspace\r\ndb0:keys={},expires={},avg_ttl=0\r\n",
        std::process::id(),
        db.now / 1000,
        redis.n_clients.get(),
        db.n_bytes,
        db.entries.len(),
        db.expiring.len()
    )
}

fn unknown_subcommand(subcommand: &[u8], command: &str) -> Refusal {
    let subcommand = String::from_utf8_lossy(subcommand);
    format!("ERR unknown subcommand '{subcommand}'. Try {command} HELP.").into()
}

/// Why there is no such command, or not with these arguments.
fn refused(given_name: &[u8], name: &[u8], args: &Args) -> Refusal {
    const MAX_QUOTED: usize = 128;
    let quoted = |text: &[u8], len: usize| String::from_utf8_lossy(text.get(..len).unwrap_or(text)).into_owned();
    if COMMANDS.iter().any(|known| known.as_bytes() == name) {
        return format!("ERR wrong number of arguments for '{}' command", quoted(name, MAX_QUOTED)).into();
    }
    let mut list = String::new();
    for arg in args {
        let room = MAX_QUOTED.saturating_sub(list.len());
        if room == 0 {
            break;
        }
        list += &format!("'{}' ", quoted(arg, room));
    }
    format!("ERR unknown command '{}', with args beginning with: {list}", quoted(given_name, MAX_QUOTED)).into()
}

fn may_subscriber(name: &[u8]) -> bool {
    matches!(name, b"subscribe" | b"psubscribe" | b"unsubscribe" | b"punsubscribe" | b"ping" | b"quit" | b"reset")
}
