//! [`Matching`]: the way of one path through the states.

use std::rc::Rc;

use super::bound::{BoundRule, Taken};
use super::captures::Captures;
use super::methods::{MethodKey, Methods};
use super::mixed::{self, Mixed};
use super::part::Part;
use super::path_text::PathText;
use super::state::{State, States};

/// What is known while states are tried: text first, then variables by their weight, with full backtracking.
pub(super) struct Matching<'w> {
    pub(super) states: &'w States,
    pub(super) rules: &'w [Rc<BoundRule>],
    pub(super) host: &'w PathText<'w>,
    pub(super) path: &'w PathText<'w>,
    pub(super) method: MethodKey<'w>,
    pub(super) is_websocket: bool,
    pub(super) seen: &'w mut Seen,
}

/// What the states that were tried left behind.
pub(super) struct Seen {
    pub(super) captures: Captures,
    /// The methods of rules that fit but for the method.
    pub(super) allowed: Methods,
    /// Whether a rule would have fit that is for WebSockets, or is not.
    pub(super) is_websocket_mismatch: bool,
    /// What is left of [`mixed::MAX_STEPS`].
    pub(super) budget: usize,
}

/// Where the next segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the host, all of which is one segment.
    Host,
    /// In the path.
    Path(usize),
    /// There is none.
    End,
}

/// How trying ended.
pub(super) enum Step {
    Rule(usize, Taken),
    /// There would be a rule if the path had a slash more.
    SlashMissing,
}

impl Seen {
    pub(super) fn new() -> Self {
        Seen {
            captures: Captures::default(),
            allowed: Methods::new(),
            is_websocket_mismatch: false,
            budget: mixed::MAX_STEPS,
        }
    }
}

impl Matching<'_> {
    /// The rule of the path, from the start.
    pub(super) fn run(&mut self, has_host: bool) -> Option<Step> {
        let first = if has_host { Place::Host } else { start_of(self.path) };
        self.walk(States::START, first)
    }

    /// Tries everything behind a state. As deep as the states go, which is the longest rule.
    fn walk(&mut self, at: usize, place: Place) -> Option<Step> {
        let states = self.states;
        let state = states.get(at);
        let (text, start, end) = match place {
            Place::Host => (self.host, 0, self.host.as_str().len()),
            Place::Path(start) => (self.path, start, self.path.segment_end(start)),
            Place::End => return self.arrive(state),
        };
        let segment = &text.as_str()[start..end];
        if let Some(next) = state.behind(segment) {
            let found = self.walk(next, behind(place, end, self.path));
            if found.is_some() {
                return found;
            }
        }
        for (part, next) in &state.dynamics {
            let n_captures = self.seen.captures.len();
            let Some(rest) = take(part, place, end, (self.host, self.path), self.seen) else { continue };
            let found = self.walk(*next, rest);
            if found.is_some() {
                return found;
            }
            self.seen.captures.truncate(n_captures);
        }
        let is_slash_at_end = segment.is_empty() && place != Place::Host && end == text.as_str().len();
        if is_slash_at_end { self.choose(state, |rule| !rule.is_strict) } else { None }
    }

    /// At the end of the path.
    fn arrive(&mut self, state: &State) -> Option<Step> {
        let chosen = self.choose(state, |_| true);
        if chosen.is_some() {
            return chosen;
        }
        let slash = self.states.get(state.slash?);
        slash.rules.iter().find_map(|&nth| {
            let rule = &self.rules[nth];
            let taken = rule.takes(self.method).filter(|_| rule.rule.is_websocket == self.is_websocket)?;
            Some(if rule.is_strict { Step::SlashMissing } else { Step::Rule(nth, taken) })
        })
    }

    /// The rule for the method: the first that names it, else the first that takes it by itself, else the first that
    /// takes every method.
    fn choose(&mut self, state: &State, is_meant: impl Fn(&BoundRule) -> bool) -> Option<Step> {
        let mut best: Option<(Taken, usize)> = None;
        for &nth in &state.rules {
            let rule = &self.rules[nth];
            if !is_meant(rule) {
                continue;
            }
            match rule.takes(self.method) {
                None => {
                    rule.explicit.iter().for_each(|methods| self.seen.allowed.insert_all(methods));
                    self.seen.allowed.insert_all(&rule.automatic);
                }
                Some(_) if rule.rule.is_websocket != self.is_websocket => self.seen.is_websocket_mismatch = true,
                Some(taken) => best = Some(best.map_or((taken, nth), |best| best.min((taken, nth)))),
            }
        }
        best.map(|(taken, nth)| Step::Rule(nth, taken))
    }
}

/// Where a path begins, behind its first slash.
pub(super) fn start_of(path: &PathText<'_>) -> Place {
    if path.as_str().is_empty() { Place::End } else { Place::Path(1) }
}

/// Where the segment behind the one that ends at `end` begins.
pub(super) fn behind(place: Place, end: usize, path: &PathText<'_>) -> Place {
    match place {
        Place::Host => start_of(path),
        _ if end == path.as_str().len() => Place::End,
        _ => Place::Path(end + 1),
    }
}

/// Matches a part against the segment that ends at `end`, or against all of the path if the part is a final one. What
/// its variables took is pushed if it fits, and nothing if it does not.
pub(super) fn take(
    part: &Part,
    place: Place,
    end: usize,
    (host, path): (&PathText<'_>, &PathText<'_>),
    seen: &mut Seen,
) -> Option<Place> {
    let (text, start, is_of_host) = match place {
        Place::Host => (host, 0, true),
        Place::Path(start) => (path, start, false),
        Place::End => return None,
    };
    let mut end = if part.is_final { text.as_str().len() } else { end };
    let mut rest = if part.is_final { Place::End } else { behind(place, end, path) };
    if let Some(converter) = part.as_single() {
        let parsed = converter.parse(&text.as_str()[start..end])?;
        seen.captures.push(start..end, is_of_host, parsed);
        return Some(rest);
    }
    if part.is_suffixed && text.ends_with_slash(start..end) {
        rest = Place::Path(end);
        end -= 1;
        if text.ends_with_slash(start..end) {
            return None;
        }
    }
    Mixed::new(part, text, start..end, is_of_host).take(&mut seen.captures, &mut seen.budget).then_some(rest)
}
