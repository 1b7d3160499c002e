//! What the commands do, by name.

use std::borrow::Cow;
use std::ops::Range;

use super::RedisServerProtocol;
use super::database::{Database, MAX_MEMORY, Value};
use super::introspection::info;
use super::key_blocker::pop;
use super::keys::{add, deadline, expire};
use super::wire::{MAX_BULK, Refusal, integer};

const COMMANDS: &str = "append blpop brpop client command config dbsize decr decrby del echo exists expire flushall flushdb get getdel \
    hello incr incrby info keys lindex llen lpop lpush lrange mget mset persist pexpire ping psetex psubscribe pttl \
    publish punsubscribe quit rename reset rpop rpush scan select set setex setnx strlen subscribe ttl type unlink \
    unsubscribe";

/// Those that a subscriber may use.
const SUBSCRIBERS: &str = "subscribe psubscribe unsubscribe punsubscribe ping quit reset";

/// Those that are refused where there is no room.
const GROWING: &str = "set setex psetex setnx mset append incr decr incrby decrby lpush rpush";

pub(crate) const OK: &[u8] = b"+OK\r\n";
pub(crate) const SYNTAX: Refusal = Cow::Borrowed("ERR syntax error");
const NO_INTEGER: Refusal = Cow::Borrowed("ERR value is not an integer or out of range");

pub(crate) type Args<'a> = [Cow<'a, [u8]>];

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
        if is_subscriber && !has(SUBSCRIBERS, name) {
            let name = String::from_utf8_lossy(name);
            return Err(format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed \
                 in this context"
            )
            .into());
        }
        if db.n_bytes > MAX_MEMORY && has(GROWING, name) {
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
            (b"flushdb" | b"flushall", options) => {
                let mode = match options {
                    [] => Vec::new(),
                    [mode] => mode.to_ascii_lowercase(),
                    _ => return Err(SYNTAX),
                };
                if !matches!(&*mode, b"" | b"sync" | b"async") {
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
                b"count" => reply.integer(COMMANDS.split(' ').count() as i64),
                _ => reply.raw(b"*0\r\n"),
            },
            (b"info", _) => reply.bulk(info(&redis, db).as_bytes()),
            _ => return Err(refused(given_name, name, args)),
        }
        Ok(())
    }
}

pub(crate) fn number(text: &[u8]) -> Result<i64, Refusal> {
    integer(text).ok_or(NO_INTEGER)
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

/// Why there is no such command, or not with these arguments.
fn refused(given_name: &[u8], name: &[u8], args: &Args) -> Refusal {
    const MAX_QUOTED: usize = 128;
    let quoted = |text: &[u8], len: usize| String::from_utf8_lossy(text.get(..len).unwrap_or(text)).into_owned();
    if has(COMMANDS, name) {
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

fn has(names: &str, name: &[u8]) -> bool {
    names.split(' ').any(|known| known.as_bytes() == name)
}
