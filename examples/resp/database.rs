//! The keys, their values, and when they expire.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use super::wire::Refusal;

/// About as many bytes as all keys and values may take; Redis's `maxmemory`, which is no limit unless set.
pub(crate) const MAX_MEMORY: usize = 1024 * 1024 * 1024;

/// What a key, or an item of a list, takes beside its bytes.
const OVERHEAD: usize = 128;

const WRONG_TYPE: Refusal = Refusal::Borrowed("WRONGTYPE Operation against a key holding the wrong kind of value");

pub(crate) type Key = Rc<[u8]>;

pub(crate) enum Value {
    String(Vec<u8>),
    /// The items, and what they take.
    List(VecDeque<Vec<u8>>, usize),
}

impl Value {
    pub(crate) const NEW_STRING: Value = Value::String(Vec::new());
    pub(crate) const NEW_LIST: Value = Value::List(VecDeque::new(), 0);

    pub(crate) fn string(&mut self) -> Result<&mut Vec<u8>, Refusal> {
        if let Value::String(string) = self { Ok(string) } else { Err(WRONG_TYPE) }
    }

    pub(crate) fn items(&self) -> Result<&VecDeque<Vec<u8>>, Refusal> {
        if let Value::List(items, _) = self { Ok(items) } else { Err(WRONG_TYPE) }
    }

    pub(crate) fn push(&mut self, item: &[u8], is_left: bool) -> Result<usize, Refusal> {
        let Value::List(items, n_bytes) = self else { return Err(WRONG_TYPE) };
        *n_bytes += item.len() + OVERHEAD;
        if is_left {
            items.push_front(item.to_vec())
        } else {
            items.push_back(item.to_vec())
        }
        Ok(items.len())
    }

    pub(crate) fn pop(&mut self, is_left: bool) -> Result<Option<Vec<u8>>, Refusal> {
        let Value::List(items, n_bytes) = self else { return Err(WRONG_TYPE) };
        let item = if is_left { items.pop_front() } else { items.pop_back() };
        *n_bytes -= item.as_ref().map_or(0, |item| item.len() + OVERHEAD);
        Ok(item)
    }

    /// The name of its type.
    pub(crate) fn kind(&self) -> &'static [u8] {
        if let Value::String(_) = self { b"string" } else { b"list" }
    }

    fn n_bytes(&self) -> usize {
        match self {
            Value::String(string) => string.len(),
            Value::List(_, n_bytes) => *n_bytes,
        }
    }
}

pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) expires_at: Option<u64>,
}

/// Times are milliseconds of the loop's clock.
#[derive(Default)]
pub(crate) struct Database {
    /// The time of the read that is being answered.
    pub(crate) now: u64,
    pub(crate) entries: HashMap<Key, Entry>,
    /// Exactly the entries that expire.
    pub(crate) expiring: BTreeSet<(u64, Key)>,
    pub(crate) n_bytes: usize,
}

impl Database {
    pub(crate) fn next_expiry(&self) -> Option<u64> {
        self.expiring.first().map(|(at, _)| *at)
    }

    /// The entry, unless its time is over: then it is removed.
    pub(crate) fn entry(&mut self, key: &[u8]) -> Option<&mut Entry> {
        if self.next_expiry().is_some_and(|at| at <= self.now)
            && self.entries.get(key)?.expires_at.is_some_and(|at| at <= self.now)
        {
            self.remove(key);
        }
        self.entries.get_mut(key)
    }

    pub(crate) fn get(&mut self, key: &[u8]) -> Option<&mut Value> {
        self.entry(key).map(|entry| &mut entry.value)
    }

    pub(crate) fn string(&mut self, key: &[u8]) -> Result<Option<&[u8]>, Refusal> {
        self.get(key).map(|value| value.string().map(|string| &**string)).transpose()
    }

    pub(crate) fn items(&mut self, key: &[u8]) -> Result<Option<&VecDeque<Vec<u8>>>, Refusal> {
        self.get(key).map(|value| value.items()).transpose()
    }

    /// Changes the value, `new` where there is none. A list that has lost its last item is removed.
    pub(crate) fn change<R>(
        &mut self,
        key: &[u8],
        new: Value,
        change: impl FnOnce(&mut Value) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let Some(value) = self.get(key) else {
            self.insert(key, Entry { value: new, expires_at: None });
            return self.change(key, Value::NEW_STRING, change);
        };
        let before = value.n_bytes();
        let result = change(value);
        let (after, is_gone) = (value.n_bytes(), value.items().is_ok_and(VecDeque::is_empty));
        self.n_bytes = self.n_bytes + after - before;
        if is_gone {
            self.remove(key);
        }
        result
    }

    /// Puts a string in place of whatever is there. When the key expires stays.
    pub(crate) fn set(&mut self, key: &[u8], string: &[u8]) -> Result<(), Refusal> {
        self.change(key, Value::NEW_STRING, |value| {
            if value.string().is_err() {
                *value = Value::NEW_STRING;
            }
            let old = value.string()?;
            old.clear();
            old.shrink_to(2 * string.len());
            old.extend_from_slice(string);
            Ok(())
        })
    }

    /// Lets the key expire, or not any more; `false` if that is nothing new.
    pub(crate) fn expire(&mut self, key: &[u8], at: Option<u64>) -> bool {
        if self.entry(key).is_none_or(|entry| entry.expires_at == at) {
            return false;
        }
        let entry = self.remove(key);
        entry.into_iter().for_each(|entry| self.insert(key, Entry { expires_at: at, ..entry }));
        true
    }

    pub(crate) fn insert(&mut self, key: &[u8], entry: Entry) {
        self.remove(key);
        let key = Key::from(key);
        self.n_bytes += key.len() + entry.value.n_bytes() + OVERHEAD;
        self.expiring.extend(entry.expires_at.map(|at| (at, key.clone())));
        self.entries.insert(key, entry);
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let (key, entry) = self.entries.remove_entry(key)?;
        self.n_bytes -= key.len() + entry.value.n_bytes() + OVERHEAD;
        if let Some(at) = entry.expires_at {
            self.expiring.remove(&(at, key));
        }
        Some(entry)
    }

    /// Removes keys whose time is over, but not all at once.
    pub(crate) fn remove_expired(&mut self, max: usize) {
        for _ in 0..max {
            let Some((_, key)) = self.expiring.first().filter(|(at, _)| *at <= self.now).cloned() else { return };
            self.remove(&key);
        }
    }

    pub(crate) fn keys(&self, pattern: &[u8]) -> Vec<Key> {
        let is_there = |entry: &Entry| entry.expires_at.is_none_or(|at| at > self.now);
        let keys = self.entries.iter().filter(|(key, entry)| is_there(entry) && matches(pattern, key));
        keys.map(|(key, _)| key.clone()).collect()
    }
}

/// Whether a text is what a pattern with `*`, `?`, `[a-z]`, `[^a]` and `\` describes. Only the last star is ever tried
/// again, so that no pattern takes longer than its length times that of the text.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text, mut retry) = (pattern, text, None);
    loop {
        let next = match (pattern, text) {
            ([], []) => return true,
            ([b'*', behind @ ..], _) => {
                (pattern, retry) = (behind, Some((behind, text)));
                continue;
            }
            ([b'?', behind @ ..], [_, ..]) => Some(behind),
            ([b'[', class @ ..], [byte, ..]) => in_class(class, *byte),
            ([b'\\', literal, behind @ ..] | [literal, behind @ ..], [byte, ..]) => (literal == byte).then_some(behind),
            _ => None,
        };
        match (next, retry) {
            (Some(behind), _) => (pattern, text) = (behind, text.get(1..).unwrap_or_default()),
            (None, Some((behind, [_, later @ ..]))) => (pattern, text, retry) = (behind, later, Some((behind, later))),
            (None, _) => return false,
        }
    }
}

/// What is behind a class, if the byte is in it. A class without an end ends with the pattern.
fn in_class(class: &[u8], byte: u8) -> Option<&[u8]> {
    let (is_negated, mut class) = class.strip_prefix(b"^").map_or((false, class), |class| (true, class));
    let mut is_in = false;
    loop {
        let (low, high);
        (low, high, class) = match class {
            [] => break,
            [b']', behind @ ..] => {
                class = behind;
                break;
            }
            [low, b'-', high, behind @ ..] => (low.min(high), low.max(high), behind),
            [b'\\', literal, behind @ ..] | [literal, behind @ ..] => (literal, literal, behind),
        };
        is_in |= (low..=high).contains(&&byte);
    }
    (is_in != is_negated).then_some(class)
}
