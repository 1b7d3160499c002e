//! [`States`]: where a path can be after each of its segments.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::part::Part;

/// A tree of states, of which the first is where every path begins.
///
/// A state has one way to it, and a matcher tries each of its ways on once: a match visits each state at most once,
/// whatever the path is.
pub(super) struct States {
    states: Vec<State>,
}

/// A place between two segments.
#[derive(Default)]
pub(super) struct State {
    /// Behind a segment of just that text.
    statics: HashMap<Box<str>, usize, BuildHasherDefault<SegmentHasher>>,
    /// Behind an empty segment: a slash at the end.
    pub(super) slash: Option<usize>,
    /// Behind a segment with variables, in the order to be tried.
    pub(super) dynamics: Vec<(Part, usize)>,
    /// The rules that end here, in their order.
    pub(super) rules: Vec<usize>,
}

impl States {
    pub(super) const START: usize = 0;

    pub(super) fn new() -> Self {
        States { states: vec![State::default()] }
    }

    pub(super) fn get(&self, state: usize) -> &State {
        &self.states[state]
    }

    /// The state behind these parts, made where it is missing, to which a rule is added.
    pub(super) fn add(&mut self, parts: &[Part], rule: usize) -> &State {
        let mut at = States::START;
        for part in parts {
            let next = self.states.len();
            let state = &mut self.states[at];
            at = match part.as_static() {
                Some("") => *state.slash.get_or_insert(next),
                Some(text) => *state.statics.entry(text.into()).or_insert(next),
                None => match state.dynamics.iter().find(|(other, _)| other.is_same(part)) {
                    Some((_, found)) => *found,
                    None => {
                        state.dynamics.push((part.clone(), next));
                        next
                    }
                },
            };
            if at == next {
                self.states.push(State::default());
            }
        }
        self.states[at].rules.push(rule);
        &self.states[at]
    }

    /// Puts what is tried at each state into its order. Parts of equal weight keep that in which they were added.
    pub(super) fn sort(&mut self) {
        for state in &mut self.states {
            state.dynamics.sort_by(|(one, _), (other, _)| one.weight.cmp(&other.weight));
        }
    }
}

impl State {
    /// The state behind a segment that is all text.
    pub(super) fn behind(&self, segment: &str) -> Option<usize> {
        if segment.is_empty() {
            self.slash
        } else if self.statics.is_empty() {
            None
        } else {
            self.statics.get(segment).copied()
        }
    }
}

/// A hash that is quick for a few letters. It has no secret: whoever sends requests looks texts up and puts none in,
/// and those that are there are the programmer's.
#[derive(Default)]
pub(super) struct SegmentHasher(u64);

impl Hasher for SegmentHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.add(word.try_into().map_or(0, u64::from_le_bytes));
        }
        let rest = words.remainder();
        // The last four bytes overlap with the first four: no loop over single ones.
        let word = match (rest.first_chunk::<4>(), rest.last_chunk::<4>(), rest) {
            (Some(first), Some(last), _) => {
                u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
            }
            (_, _, [first, .., last]) => {
                u64::from(*first) << 16 | u64::from(rest[rest.len() / 2]) << 8 | u64::from(*last)
            }
            (_, _, [only]) => u64::from(*only),
            (_, _, []) => return,
        };
        self.add(word << 8 | bytes.len() as u64);
    }

    /// What a string writes behind its bytes; there is nothing else to tell apart.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        // The multiplication mixes upwards, and a table takes its place from the lower bits.
        self.0.rotate_left(26)
    }
}

impl SegmentHasher {
    fn add(&mut self, word: u64) {
        // 2^64 divided by the golden ratio, made odd: Knuth's multiplicative hashing.
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
