//! Commands on keys that take more than a line.

use super::RedisServerProtocol;
use super::commands::{Args, OK, SYNTAX, number};
use super::database::{Database, Key};
use super::wire::Refusal;

impl RedisServerProtocol {
    /// SET with its options.
    pub(crate) fn set(&mut self, db: &mut Database, key: &[u8], value: &[u8], options: &Args) -> Result<(), Refusal> {
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
    pub(crate) fn scan(&mut self, db: &mut Database, cursor: &[u8], options: &Args) -> Result<(), Refusal> {
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
}

/// The time in so many units from now, which has to be later.
pub(crate) fn deadline(db: &Database, n: &[u8], unit: i64, name: &[u8]) -> Result<u64, Refusal> {
    let millis = number(n)?.checked_mul(unit).and_then(|millis| u64::try_from(millis).ok()).filter(|n| *n > 0);
    let at = millis.and_then(|millis| db.now.checked_add(millis)).filter(|at| i64::try_from(*at).is_ok());
    at.ok_or_else(|| format!("ERR invalid expire time in '{}' command", String::from_utf8_lossy(name)).into())
}

pub(crate) fn expire(db: &mut Database, key: &[u8], n: &[u8], unit: i64, name: &[u8]) -> Result<bool, Refusal> {
    let at = if number(n)? > 0 { Some(deadline(db, n, unit, name)?) } else { None };
    let is_there = db.entry(key).is_some();
    if at.is_some() {
        db.expire(key, at);
    } else {
        db.remove(key);
    }
    Ok(is_there)
}

pub(crate) fn add(db: &mut Database, key: &[u8], n: i64) -> Result<i64, Refusal> {
    let old = db.string(key)?.map_or(Ok(0), number)?;
    let new = old.checked_add(n).ok_or("ERR increment or decrement would overflow")?;
    db.set(key, new.to_string().as_bytes())?;
    Ok(new)
}
