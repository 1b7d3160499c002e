//! Whether what was built from a rule is read with the same values.

use super::bound::{BoundRule, Op};
use super::matching::{Place, Seen, behind, start_of, take};
use super::part::Part;
use super::path_text::PathText;

impl BoundRule {
    /// Remembers the parts, unless each variable has a segment of its own, where text and value are one and the same.
    pub(super) fn keep_if_ambiguous(&mut self, parts: Vec<Part>) {
        if parts.iter().any(|part| part.items.len() > 1 || part.is_suffixed) {
            self.ambiguous = parts;
        }
    }

    /// Whether the rule alone would match, and its variables would take these texts.
    pub(super) fn reads_back(&self, host: &str, path: &str, texts: &[String]) -> bool {
        if self.ambiguous.is_empty() {
            return true;
        }
        let Some(path) = PathText::decode(path) else { return false };
        let host_text = PathText::plain(host.into());
        let mut seen = Seen::new();
        let mut place = if self.looks_at_hosts { Place::Host } else { start_of(&path) };
        for part in &self.ambiguous {
            let (text, start, end) = match place {
                Place::Host => (&host_text, 0, host.len()),
                Place::Path(start) => (&path, start, path.segment_end(start)),
                Place::End => return false,
            };
            let next = match part.as_static() {
                Some(fixed) => (text.as_str()[start..end] == *fixed).then(|| behind(place, end, &path)),
                None => take(part, place, end, (&host_text, &path), &mut seen),
            };
            let Some(next) = next else { return false };
            place = next;
        }
        // A host is built in lower case.
        let is_taken = |nth: usize, text: &str| {
            let taken = seen.captures.text(nth, host, path.as_str());
            taken.is_some_and(|taken| taken == text || self.is_of_host(nth) && taken.eq_ignore_ascii_case(text))
        };
        place == Place::End && texts.iter().enumerate().all(|(nth, text)| is_taken(nth, text))
    }

    fn is_of_host(&self, variable: usize) -> bool {
        self.host.iter().any(|op| matches!(op, Op::Variable(nth) if *nth == variable))
    }
}
