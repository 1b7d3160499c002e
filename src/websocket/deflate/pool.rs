//! Compressors and decompressors that no connection needs now, kept ready for the next: one pool a thread.

use std::cell::RefCell;

use super::budget::{DeflateBudget, INFLATER_SIZE, Kind, Reservation};
use super::deflater::{Deflater, Settings};
use super::inflater::Inflater;

/// How many of each a thread keeps ready. A message is compressed at once, so that one does for all connections with the
/// same settings; more are in use only while messages come or go in fragments.
const MAX_READY: usize = 4;

#[derive(Default)]
struct Pool {
    deflaters: Vec<Deflater>,
    inflaters: Vec<(Inflater, Reservation)>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// A compressor without context: one that is ready, or another if the budget has room for it.
pub(super) fn take_deflater(settings: Settings, budget: &DeflateBudget) -> Option<Deflater> {
    let ready = with(|pool| {
        let nth =
            pool.deflaters.iter().position(|deflater| deflater.settings() == settings && deflater.is_of(budget))?;
        Some(pool.deflaters.swap_remove(nth))
    });
    if let Some(mut deflater) = ready.flatten() {
        deflater.reset();
        return Some(deflater);
    }
    loop {
        let deflater = Deflater::new(settings, budget);
        // Those with other settings make room.
        if deflater.is_some() || !with(|pool| pool.drop_deflater(budget)).unwrap_or(false) {
            return deflater;
        }
    }
}

/// Keeps it ready, or drops it if enough are.
pub(super) fn give_deflater(deflater: Deflater) {
    with(|pool| {
        if pool.deflaters.len() < MAX_READY {
            pool.deflaters.push(deflater);
        }
    });
}

/// Promises a connection a decompressor. `None` if the budget is used up.
pub(super) fn promise_inflater(budget: &DeflateBudget) -> Option<Reservation> {
    loop {
        let promise = budget.reserve(Kind::Inflater, INFLATER_SIZE);
        // What waits makes room for what is wanted.
        if promise.is_some() || !with(|pool| pool.drop_inflater(budget)).unwrap_or(false) {
            return promise;
        }
    }
}

/// A decompressor without context, for a connection that has been promised one.
pub(super) fn take_inflater() -> Inflater {
    let ready = with(|pool| pool.inflaters.pop()).flatten();
    match ready {
        Some((mut inflater, _)) => {
            inflater.reset();
            inflater
        }
        None => Inflater::new(),
    }
}

/// Keeps it ready, or drops it if enough are or the budget has no room for it beside what is promised.
pub(super) fn give_inflater(inflater: Inflater, budget: &DeflateBudget) {
    with(|pool| {
        if pool.inflaters.len() < MAX_READY {
            if let Some(reservation) = budget.reserve(Kind::Inflater, INFLATER_SIZE) {
                pool.inflaters.push((inflater, reservation));
            }
        }
    });
}

/// `None` while the thread ends.
fn with<T>(act: impl FnOnce(&mut Pool) -> T) -> Option<T> {
    POOL.try_with(|pool| act(&mut pool.borrow_mut())).ok()
}

impl Pool {
    fn drop_deflater(&mut self, budget: &DeflateBudget) -> bool {
        let nth = self.deflaters.iter().position(|deflater| deflater.is_of(budget));
        nth.map(|nth| self.deflaters.swap_remove(nth)).is_some()
    }

    fn drop_inflater(&mut self, budget: &DeflateBudget) -> bool {
        let nth = self.inflaters.iter().position(|(_, reservation)| reservation.is_of(budget));
        nth.map(|nth| self.inflaters.swap_remove(nth)).is_some()
    }
}
