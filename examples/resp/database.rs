//! The keys, their values, and the timers of those that expire.

use std::collections::{HashMap, VecDeque};
use std::mem;

use foster::TimerHandle;

use super::wire::Refusal;

const WRONG_TYPE: Refusal = Refusal::Borrowed("WRONGTYPE Operation against a key holding the wrong kind of value");

pub(crate) type List = VecDeque<Vec<u8>>;

pub(crate) enum Value {
    String(Vec<u8>),
    List(List),
}

pub(crate) struct Entry {
    value: Value,
    /// Removes the key.
    pub(crate) timer: Option<TimerHandle>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.timer.as_ref().inspect(|timer| timer.cancel());
    }
}

#[derive(Default)]
pub(crate) struct Database {
    pub(crate) keys: HashMap<Vec<u8>, Entry>,
}

impl Database {
    pub(crate) fn string(&self, key: &[u8]) -> Result<Option<&[u8]>, Refusal> {
        match self.keys.get(key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::String(string)) => Ok(Some(string)),
            Some(Value::List(_)) => Err(WRONG_TYPE),
        }
    }

    pub(crate) fn list(&self, key: &[u8]) -> Result<&List, Refusal> {
        static EMPTY: List = List::new();
        match self.keys.get(key).map(|entry| &entry.value) {
            None => Ok(&EMPTY),
            Some(Value::List(list)) => Ok(list),
            Some(Value::String(_)) => Err(WRONG_TYPE),
        }
    }

    /// Puts a value in place of whatever is there. When the key expires stays.
    pub(crate) fn put(&mut self, key: &[u8], value: Value) {
        match self.keys.get_mut(key) {
            Some(entry) => entry.value = value,
            None => _ = self.keys.insert(key.to_vec(), Entry { value, timer: None }),
        }
    }

    /// Changes the list, a new one where there is nothing. One that is empty then is removed.
    pub(crate) fn change<R>(&mut self, key: &[u8], change: impl FnOnce(&mut List) -> R) -> Result<R, Refusal> {
        if !self.keys.contains_key(key) {
            self.put(key, Value::List(List::new()));
        }
        let entry = self.keys.get_mut(key);
        let Some(Entry { value: Value::List(list), .. }) = entry else { return Err(WRONG_TYPE) };
        let result = change(list);
        if list.is_empty() {
            self.keys.remove(key);
        }
        Ok(result)
    }

    /// Lets the key expire with another timer, or not any more; `true` if it had one.
    pub(crate) fn set_timer(&mut self, key: &[u8], timer: Option<TimerHandle>) -> bool {
        let Some(entry) = self.keys.get_mut(key) else { return false };
        mem::replace(&mut entry.timer, timer).inspect(TimerHandle::cancel).is_some()
    }
}
