//! [`PathValues`]: what the variables of a rule took.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use super::bound::BoundRule;
use super::captures::Captures;
use super::value::PathValue;

/// The values of a match: those of the variables in the order of the rule, host first, then the defaults.
///
/// Text is borrowed from the path unless something in that was percent-encoded.
#[derive(Clone)]
pub struct PathValues<'p> {
    pub(super) rule: Rc<BoundRule>,
    pub(super) captures: Captures,
    pub(super) texts: Texts<'p>,
}

/// What was matched, decoded. Owned texts are in a box: they are rare, and a match is moved about.
#[derive(Clone)]
pub(super) enum Texts<'p> {
    Borrowed { host: &'p str, path: &'p str },
    Owned(Box<OwnedTexts>),
}

#[derive(Clone)]
pub(super) struct OwnedTexts {
    host: String,
    path: String,
}

impl<'p> Texts<'p> {
    pub(super) fn new(host: Cow<'p, str>, path: Cow<'p, str>) -> Self {
        match (host, path) {
            (Cow::Borrowed(host), Cow::Borrowed(path)) => Texts::Borrowed { host, path },
            (host, path) => Texts::Owned(Box::new(OwnedTexts { host: host.into_owned(), path: path.into_owned() })),
        }
    }

    fn host(&self) -> &str {
        match self {
            Texts::Borrowed { host, .. } => host,
            Texts::Owned(texts) => &texts.host,
        }
    }

    fn path(&self) -> &str {
        match self {
            Texts::Borrowed { path, .. } => path,
            Texts::Owned(texts) => &texts.path,
        }
    }

    fn into_owned(self) -> Texts<'static> {
        match self {
            Texts::Borrowed { host, path } => {
                Texts::Owned(Box::new(OwnedTexts { host: host.to_owned(), path: path.to_owned() }))
            }
            Texts::Owned(texts) => Texts::Owned(texts),
        }
    }
}

impl PathValues<'_> {
    /// The value under that name, a default before a variable.
    pub fn get(&self, name: &str) -> Option<PathValue<'_>> {
        match self.rule.default(name) {
            Some(default) => Some(default.borrowed()),
            None => {
                let nth = self.position(name)?;
                self.captured_value(nth)
            }
        }
    }

    /// Name and value at that place, in the order of [`iter`](PathValues::iter).
    pub(in crate::app) fn nth(&self, nth: usize) -> Option<(&str, PathValue<'_>)> {
        match self.rule.variables.get(nth) {
            Some(variable) => {
                let value = match self.rule.default(&variable.name) {
                    Some(default) => default.borrowed(),
                    None => self.captured_value(nth)?,
                };
                Some((&variable.name, value))
            }
            None => {
                let (name, default) = self.rule.lone_defaults().nth(nth - self.rule.variables.len())?;
                Some((name, default.borrowed()))
            }
        }
    }

    /// The decoded text under that name, before its converter; for a default, its text.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.rule.default(name) {
            Some(default) => default.text(),
            None => self.captured(self.position(name)?).map(Cow::Borrowed),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rule.variables.len() + self.rule.lone_defaults().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, PathValue<'_>)> {
        (0..self.len()).filter_map(|nth| self.nth(nth))
    }

    /// Names and texts, in order. A default that has no text is left out.
    pub fn texts(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let names = self.rule.variables.iter().map(|variable| variable.name.as_str());
        let names = names.chain(self.rule.lone_defaults().map(|(name, _)| name));
        names.filter_map(|name| Some((name, self.text(name)?)))
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> PathValues<'static> {
        PathValues { rule: self.rule, captures: self.captures, texts: self.texts.into_owned() }
    }

    /// The values alone, which borrow nothing: there is a copy of the texts only if one of them is a value.
    pub(in crate::app) fn without_texts(self) -> PathValues<'static> {
        if self.captures.has_text() {
            return self.into_owned();
        }
        PathValues { rule: self.rule, captures: self.captures, texts: Texts::Borrowed { host: "", path: "" } }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.rule.variables.iter().position(|variable| variable.name == name)
    }

    /// The text of a variable.
    fn captured(&self, nth: usize) -> Option<&str> {
        self.captures.text(nth, self.texts.host(), self.texts.path())
    }

    /// The value of a variable.
    fn captured_value(&self, nth: usize) -> Option<PathValue<'_>> {
        self.captures.value(nth, self.texts.host(), self.texts.path())
    }
}

impl fmt::Debug for PathValues<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
