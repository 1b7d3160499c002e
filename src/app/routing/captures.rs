//! [`Captures`]: what variables took, while a path is matched and after.

use std::ops::Range;

use super::converter::Parsed;

/// What one variable took.
#[derive(Clone, Default)]
pub(super) struct Capture {
    /// In the decoded path, or in the host.
    pub(super) range: Range<usize>,
    pub(super) is_of_host: bool,
    pub(super) parsed: Parsed,
}

/// Captures in the order of their variables. The first few need no allocation.
#[derive(Clone, Default)]
pub(super) struct Captures {
    first: [Capture; N_INLINE],
    n_first: usize,
    rest: Vec<Capture>,
}

impl Captures {
    pub(super) fn len(&self) -> usize {
        self.n_first + self.rest.len()
    }

    pub(super) fn push(&mut self, capture: Capture) {
        match self.first.get_mut(self.n_first) {
            Some(free) => {
                *free = capture;
                self.n_first += 1;
            }
            None => self.rest.push(capture),
        }
    }

    /// Forgets those that were pushed when there were `n_captures` already.
    pub(super) fn truncate(&mut self, n_captures: usize) {
        self.rest.truncate(n_captures.saturating_sub(N_INLINE));
        self.n_first = self.n_first.min(n_captures);
    }

    pub(super) fn get(&self, nth: usize) -> Option<&Capture> {
        match nth.checked_sub(N_INLINE) {
            None => self.first[..self.n_first].get(nth),
            Some(nth) => self.rest.get(nth),
        }
    }
}

/// More variables than nearly every rule has.
const N_INLINE: usize = 4;
