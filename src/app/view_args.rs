//! [`ViewArgs`]: the values of a path, or those that a URL is built from.

use std::fmt;

use super::routing::{PathValue, PathValues};

/// Values by name: those of the path of a request, Quart's `view_args`, or those that a URL is built from, of which
/// several may have one name.
#[derive(Clone, Default)]
pub struct ViewArgs {
    values: Values,
}

#[derive(Clone)]
enum Values {
    Matched(PathValues<'static>),
    /// Somebody has changed them, or there was no rule.
    Own(Vec<(String, PathValue<'static>)>),
}

impl Default for Values {
    fn default() -> Self {
        Values::Own(Vec::new())
    }
}

impl ViewArgs {
    pub(super) fn matched(values: PathValues<'static>) -> Self {
        ViewArgs { values: Values::Matched(values) }
    }

    /// The value under that name, or the first of them.
    pub fn get(&self, name: &str) -> Option<PathValue<'_>> {
        match &self.values {
            Values::Matched(values) => values.get(name),
            Values::Own(values) => values.iter().find(|(found, _)| found == name).map(|(_, value)| value.borrowed()),
        }
    }

    /// The value at that place, in the order of the rule.
    pub(super) fn nth(&self, nth: usize) -> Option<(&str, PathValue<'_>)> {
        match &self.values {
            Values::Matched(values) => values.nth(nth),
            Values::Own(values) => values.get(nth).map(|(name, value)| (name.as_str(), value.borrowed())),
        }
    }

    /// Whether there is a value under that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Puts a value in the place of those under that name.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<PathValue<'static>>) {
        let (name, value) = (name.into(), value.into());
        let values = self.own();
        let at = values.iter().position(|(found, _)| *found == name);
        values.retain(|(found, _)| *found != name);
        values.insert(at.unwrap_or(values.len()), (name, value));
    }

    /// Adds a value beside those under that name.
    pub(super) fn append(&mut self, name: String, value: PathValue<'static>) {
        self.own().push((name, value));
    }

    /// Takes the value under that name out, or the first of them: `pop`.
    pub fn remove(&mut self, name: &str) -> Option<PathValue<'static>> {
        if !self.contains(name) {
            return None;
        }
        let values = self.own();
        let at = values.iter().position(|(found, _)| found == name)?;
        Some(values.remove(at).1)
    }

    /// Names and values, in the order of the rule.
    pub fn iter(&self) -> Box<dyn Iterator<Item = (&str, PathValue<'_>)> + '_> {
        match &self.values {
            Values::Matched(values) => Box::new(values.iter()),
            Values::Own(values) => Box::new(values.iter().map(|(name, value)| (name.as_str(), value.borrowed()))),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Matched(values) => values.len(),
            Values::Own(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn own(&mut self) -> &mut Vec<(String, PathValue<'static>)> {
        if let Values::Matched(values) = &self.values {
            let own = values.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
            self.values = Values::Own(own);
        }
        match &mut self.values {
            Values::Own(values) => values,
            Values::Matched(_) => unreachable!("made the application's own above"),
        }
    }
}

impl fmt::Debug for ViewArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
