//! [`Mixed`]: matching a part of several texts and variables.

use std::ops::Range;

use super::captures::Captures;
use super::part::{Item, Part};
use super::path_text::PathText;

/// Matches a range of a path against the items of a part, as a regular expression would: converters that keep to a
/// segment take as much as they can, others as little, and what did not lead to the end is taken back.
///
/// What failed once at a place is not tried there again, so that the effort grows with the square of the length and
/// not with a power for each variable; a budget for all of a match bounds that.
pub(super) struct Mixed<'m> {
    items: &'m [Item],
    path: &'m PathText<'m>,
    end: usize,
    is_of_host: bool,
    /// Places where variables begin that led nowhere. Made when the first is found, if there can be a second way there.
    failed: Vec<bool>,
    start: usize,
}

impl<'m> Mixed<'m> {
    pub(super) fn new(part: &'m Part, path: &'m PathText<'m>, range: Range<usize>, is_of_host: bool) -> Self {
        Mixed { items: &part.items, path, start: range.start, end: range.end, is_of_host, failed: Vec::new() }
    }

    /// Whether all of the range is taken. What the variables took is pushed if so, and nothing if not.
    pub(super) fn take(&mut self, captures: &mut Captures, budget: &mut usize) -> bool {
        // Most paths that fail do so by their last text.
        if let Some(Item::Text(text)) = self.items.last() {
            let Some(at) = self.end.checked_sub(text.len()).filter(|&at| at >= self.start) else { return false };
            if !self.has_text(at, text) {
                return false;
            }
        }
        self.take_from(0, self.start, captures, budget)
    }

    /// As deep as the part has items, which is the programmer's doing.
    fn take_from(&mut self, nth: usize, at: usize, captures: &mut Captures, budget: &mut usize) -> bool {
        let converter = match self.items.get(nth) {
            None => return at == self.end,
            Some(Item::Text(text)) => {
                return self.has_text(at, text) && self.take_from(nth + 1, at + text.len(), captures, budget);
            }
            Some(Item::Variable(made)) => &made.converter,
        };
        if self.has_failed(nth, at) {
            return false;
        }
        let is_isolating = converter.is_part_isolating();
        let limit = if is_isolating { self.path.segment_end(at).min(self.end) } else { self.end };
        let is_taken = if nth + 1 == self.items.len() {
            limit == self.end && self.take_to(nth, at, limit, captures, budget)
        } else {
            let all = &self.path.as_str()[at..limit];
            *budget = budget.saturating_sub(all.len() / LETTERS_PER_STEP);
            let mut letters = all[..floor(all, converter.longest(all))].char_indices();
            loop {
                let next = if is_isolating { letters.next_back() } else { letters.next() };
                let Some((n, letter)) = next else { break false };
                if self.take_to(nth, at, at + n + letter.len_utf8(), captures, budget) {
                    break true;
                }
            }
        };
        if !is_taken {
            self.remember_failure(nth, at);
        }
        is_taken
    }

    /// Takes the range for the variable, and what follows for the items behind it.
    fn take_to(&mut self, nth: usize, at: usize, end: usize, captures: &mut Captures, budget: &mut usize) -> bool {
        *budget = budget.saturating_sub(1);
        if *budget == 0 || matches!(self.items.get(nth + 1), Some(Item::Text(text)) if !self.has_text(end, text)) {
            return false;
        }
        let Some(Item::Variable(made)) = self.items.get(nth) else { return false };
        *budget = budget.saturating_sub((end - at) / LETTERS_PER_STEP);
        let Some(parsed) = made.converter.parse(&self.path.as_str()[at..end]) else { return false };
        let n_captures = captures.len();
        captures.push(at..end, self.is_of_host, parsed);
        let is_taken = self.take_from(nth + 1, end, captures, budget);
        if !is_taken {
            captures.truncate(n_captures);
        }
        is_taken
    }

    /// Whether the text of the pattern stands there. A slash of the pattern is none that came as `%2F`.
    fn has_text(&self, at: usize, text: &str) -> bool {
        let end = at + text.len();
        end <= self.end
            && self.path.as_str().as_bytes()[at..end] == *text.as_bytes()
            && !self.path.has_literal_slash(at..end)
    }

    fn has_failed(&self, nth: usize, at: usize) -> bool {
        self.failed.get(self.place(nth, at)).is_some_and(|&has_failed| has_failed)
    }

    fn remember_failure(&mut self, nth: usize, at: usize) {
        // The first variable begins at one place only, and nothing is tried anew behind it.
        if nth < 2 {
            return;
        }
        if self.failed.is_empty() {
            self.failed = vec![false; self.items.len() * (self.end - self.start + 1)];
        }
        let place = self.place(nth, at);
        self.failed[place] = true;
    }

    fn place(&self, nth: usize, at: usize) -> usize {
        nth * (self.end - self.start + 1) + (at - self.start)
    }
}

/// The last boundary between letters that is not behind `n_bytes`.
fn floor(text: &str, n_bytes: usize) -> usize {
    (0..=n_bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0)
}

/// How many steps one match may take in parts of several variables, a few hundred microseconds. Werkzeug's regular
/// expressions have no bound; what people write into such parts takes some hundreds.
pub(super) const MAX_STEPS: usize = 1 << 18;

/// How much text a converter looks at in the time of a step.
const LETTERS_PER_STEP: usize = 16;
