//! [`Alarms`]: which connections are to be looked after when, with one timer behind all of them.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use foster_compat::{Loop, TimerHandle};
use slab::Slab;
use tokio::time::Instant;

/// Entries of alarms that were cleared or have moved are tolerated up to this number, and above it up to half of all:
/// as the timers of the loop do it.
const MIN_STALE: usize = 64;

/// The alarms of one worker, in the order (instant, first set).
pub(crate) struct Alarms {
    me: Weak<Alarms>,
    loop_: Loop,
    queue: RefCell<Queue>,
    timer: RefCell<Option<TimerHandle>>,
    /// When the timer fires.
    armed: Cell<Option<Instant>>,
}

/// Whoever is looked after.
pub(crate) trait Alarmed {
    fn alarm(&self) -> &Alarm;

    /// The time of the alarm has come, and it is not set any more.
    fn look_after(&self, now: Instant);
}

/// The one alarm of a connection.
pub(crate) struct Alarm {
    /// As entries have it; [`NEVER`] while it is not set.
    at: Cell<u64>,
    /// Its place in the queue, while it is set.
    key: Cell<u32>,
}

/// What lies beyond 584 years.
const NEVER: u64 = u64::MAX;

impl Default for Alarm {
    fn default() -> Self {
        Alarm { at: Cell::new(NEVER), key: Cell::new(0) }
    }
}

struct Queue {
    /// What entries count from.
    origin: Instant,
    places: Slab<Place>,
    entries: BinaryHeap<Reverse<Entry>>,
    n_set: u64,
    n_stale: usize,
}

struct Place {
    /// Of the entry that counts.
    n: u64,
    who: Weak<dyn Alarmed>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// In nanoseconds, which is half the size of an instant: an idle connection has one entry or two.
    at: u64,
    /// Those for the same moment fire in the order they were set.
    n: u64,
    key: u32,
}

impl Alarms {
    pub(crate) fn new(loop_: Loop) -> Rc<Self> {
        Rc::new_cyclic(|me| Alarms {
            me: me.clone(),
            loop_,
            queue: RefCell::new(Queue::new()),
            timer: RefCell::default(),
            armed: Cell::new(None),
        })
    }

    /// Has `who` looked after at `at`, or before. An alarm that is set for earlier stays: who is looked after too early
    /// sets it anew, so that putting it off costs a comparison.
    pub(crate) fn set<A: Alarmed + 'static>(&self, alarm: &Alarm, at: Instant, who: &Weak<A>) {
        let mut queue = self.queue.borrow_mut();
        let nanos = queue.nanos(at);
        if nanos >= alarm.at.get() {
            return;
        }
        queue.set(alarm, nanos, || who.clone());
        drop(queue);
        self.arm(at);
    }

    /// Forgets an alarm, if it is set.
    pub(crate) fn clear(&self, alarm: &Alarm) {
        if alarm.at.replace(NEVER) != NEVER {
            let place = self.queue.borrow_mut().clear(alarm.key.get());
            drop(place);
        }
    }

    fn arm(&self, at: Instant) {
        if self.armed.get().is_some_and(|armed| armed <= at) {
            return;
        }
        self.armed.set(Some(at));
        let me = self.me.clone();
        let timer = self.loop_.call_later(at.saturating_duration_since(Instant::now()), move || {
            if let Some(alarms) = me.upgrade() {
                alarms.fire();
            }
        });
        let old = self.timer.replace(Some(timer));
        if let Some(old) = old {
            old.cancel();
        }
    }

    fn fire(&self) {
        self.armed.set(None);
        let now = Instant::now();
        // Whoever panics does not keep the others from being looked after.
        let _rearm = Rearm(self);
        // One that is set meanwhile and is due already waits for the next turn, as all that is queued does.
        let n_set = self.queue.borrow().n_set;
        loop {
            let due = self.queue.borrow_mut().take_due(now, n_set);
            let Some(who) = due else { break };
            if let Some(who) = who.upgrade() {
                who.alarm().at.set(NEVER);
                who.look_after(now);
            }
        }
    }
}

impl Drop for Alarms {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.get_mut().take() {
            timer.cancel();
        }
    }
}

/// Sets the timer for what is next, however this one ends.
struct Rearm<'a>(&'a Alarms);

impl Drop for Rearm<'_> {
    fn drop(&mut self) {
        let next = self.0.queue.borrow_mut().next_due();
        if let Some(next) = next {
            self.0.arm(next);
        }
    }
}

impl Queue {
    fn new() -> Self {
        Queue { origin: Instant::now(), places: Slab::new(), entries: BinaryHeap::new(), n_set: 0, n_stale: 0 }
    }

    /// An instant as entries have it.
    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.origin).as_nanos()).unwrap_or(NEVER)
    }

    fn set(&mut self, alarm: &Alarm, at: u64, who: impl FnOnce() -> Weak<dyn Alarmed>) {
        self.n_set += 1;
        let n = self.n_set;
        if alarm.at.replace(at) != NEVER {
            if let Some(place) = self.places.get_mut(alarm.key.get() as usize) {
                place.n = n;
            }
            self.count_stale();
        } else {
            alarm.key.set(self.places.insert(Place { n, who: who() }) as u32);
        }
        self.entries.push(Reverse(Entry { at, n, key: alarm.key.get() }));
    }

    fn clear(&mut self, key: u32) -> Option<Place> {
        let place = self.places.try_remove(key as usize);
        self.count_stale();
        place
    }

    /// Takes the next one that is due and was one of the first `n_set`.
    fn take_due(&mut self, now: Instant, n_set: u64) -> Option<Weak<dyn Alarmed>> {
        let now = self.nanos(now);
        let entry = self.next().filter(|entry| entry.at <= now && entry.n <= n_set)?;
        self.entries.pop();
        Some(self.places.remove(entry.key as usize).who)
    }

    /// When the next one is due.
    fn next_due(&mut self) -> Option<Instant> {
        let next = self.next()?;
        Some(self.origin + Duration::from_nanos(next.at))
    }

    fn next(&mut self) -> Option<Entry> {
        loop {
            let Reverse(entry) = *self.entries.peek()?;
            if counts(&self.places, &entry) {
                return Some(entry);
            }
            self.entries.pop();
            self.n_stale -= 1;
        }
    }

    fn count_stale(&mut self) {
        self.n_stale += 1;
        if self.n_stale > MIN_STALE && 2 * self.n_stale > self.entries.len() {
            let places = &self.places;
            self.entries.retain(|Reverse(entry)| counts(places, entry));
            self.n_stale = 0;
        }
    }
}

/// Whether an entry is the last one of an alarm that is set.
fn counts(places: &Slab<Place>, entry: &Entry) -> bool {
    places.get(entry.key as usize).is_some_and(|place| place.n == entry.n)
}

#[cfg(test)]
#[path = "alarms_tests.rs"]
mod tests;
