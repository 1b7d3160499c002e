//! Tasks that wait for something that a callback brings about.

use std::task::Waker;

/// Keeps a waker once: who polls again and again leaves no more than one.
pub(super) fn add_waiter(waiters: &mut Vec<Waker>, waker: &Waker) {
    if !waiters.iter().any(|known| known.will_wake(waker)) {
        waiters.push(waker.clone());
    }
}
