//! Deadlines of the loop: one heap, cheap to cancel and to move.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use slab::Slab;
use tokio::time::Instant;

/// Heap entries whose timer is gone or has moved are tolerated up to this number before the heap is looked at.
///
/// asyncio rebuilds its heap above 100 scheduled timers of which half are cancelled; tokio's wheel has no such state.
const MIN_STALE: usize = 64;

/// All deadlines of one loop, in the order (instant, insertion).
///
/// Moving a deadline later only stores it: the heap entry is found outdated when it comes up, and is put back.
/// Cancelling only forgets the timer. Entries that became stale are rebuilt away when they are more than half.
pub(crate) struct Timers<A> {
    heap: BinaryHeap<Reverse<Entry>>,
    timers: Slab<Timer<A>>,
    sequence: u64,
    n_stale: usize,
}

/// Names a timer; a key of a timer that has fired or was removed names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey {
    index: u32,
    sequence: u64,
}

struct Timer<A> {
    /// When the timer is due.
    deadline: Instant,
    /// Where its one live heap entry stands; never later than `deadline`.
    armed: Instant,
    /// Identifies the live heap entry, and orders equal deadlines first come, first served.
    sequence: u64,
    /// Part of the key, so that a reused slot is told apart.
    born: u64,
    action: A,
}

/// (when, sequence, index of the timer)
type Entry = (Instant, u64, u32);

impl<A> Timers<A> {
    pub(crate) fn new() -> Self {
        Timers { heap: BinaryHeap::new(), timers: Slab::new(), sequence: 0, n_stale: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.timers.is_empty()
    }

    pub(crate) fn insert(&mut self, deadline: Instant, action: A) -> TimerKey {
        let sequence = self.next_sequence();
        let index = self.timers.insert(Timer { deadline, armed: deadline, sequence, born: sequence, action }) as u32;
        self.heap.push(Reverse((deadline, sequence, index)));
        TimerKey { index, sequence }
    }

    /// Whether the timer has neither fired nor been removed.
    pub(crate) fn contains(&self, key: TimerKey) -> bool {
        self.timers.get(key.index as usize).is_some_and(|timer| timer.born == key.sequence)
    }

    /// Moves a timer; does nothing if it is gone.
    pub(crate) fn reset(&mut self, key: TimerKey, deadline: Instant) {
        let sequence = self.sequence + 1;
        let Some(timer) = self.get_mut(key) else {
            return;
        };
        timer.deadline = deadline;
        if deadline < timer.armed {
            timer.armed = deadline;
            timer.sequence = sequence;
            self.sequence = sequence;
            self.heap.push(Reverse((deadline, sequence, key.index)));
            self.count_stale();
        }
    }

    /// Forgets a timer and gives its action back; `None` if it is gone already.
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<A> {
        self.get_mut(key)?;
        let timer = self.timers.remove(key.index as usize);
        self.count_stale();
        Some(timer.action)
    }

    /// When the next timer is due, if there is one.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        loop {
            let Reverse(entry) = *self.heap.peek()?;
            match self.settle(entry) {
                Some(deadline) => return Some(deadline),
                None => continue,
            }
        }
    }

    /// Takes the next timer that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<A> {
        loop {
            let Reverse(entry) = *self.heap.peek()?;
            if entry.0 > now {
                return None;
            }
            if self.settle(entry).is_some() {
                self.heap.pop();
                return Some(self.timers.remove(entry.2 as usize).action);
            }
        }
    }

    /// Makes the first heap entry true: drops it if it is stale, puts it back if its timer has moved later.
    ///
    /// Gives the deadline if the entry stood as it should.
    fn settle(&mut self, (when, sequence, index): Entry) -> Option<Instant> {
        match self.timers.get_mut(index as usize) {
            Some(timer) if timer.sequence == sequence => {
                if timer.deadline == when {
                    return Some(when);
                }
                self.sequence += 1;
                timer.armed = timer.deadline;
                timer.sequence = self.sequence;
                let moved = Reverse((timer.deadline, self.sequence, index));
                self.heap.pop();
                self.heap.push(moved);
            }
            _ => {
                self.heap.pop();
                self.n_stale = self.n_stale.saturating_sub(1);
            }
        }
        None
    }

    fn get_mut(&mut self, key: TimerKey) -> Option<&mut Timer<A>> {
        self.timers.get_mut(key.index as usize).filter(|timer| timer.born == key.sequence)
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn count_stale(&mut self) {
        self.n_stale += 1;
        if self.n_stale > MIN_STALE && self.n_stale * 2 > self.heap.len() {
            let timers = &self.timers;
            self.heap.retain(|Reverse((_, sequence, index))| {
                timers.get(*index as usize).is_some_and(|timer| timer.sequence == *sequence)
            });
            self.n_stale = 0;
        }
    }
}

#[cfg(test)]
#[path = "timers_tests.rs"]
mod tests;
