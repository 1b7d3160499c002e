//! [`MapError`]: what is wrong with the rules of a map.

use std::fmt;
use std::ops::Range;

/// A map that cannot be built, with everything that is wrong with it.
///
/// Shown, each problem takes three lines: the pattern, a mark below the place, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapError {
    pub(super) errors: Vec<RuleError>,
}

impl MapError {
    /// The problems, in the order of the rules. There is at least one.
    pub fn errors(&self) -> &[RuleError] {
        &self.errors
    }
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, err) in self.errors.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            err.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for MapError {}

/// What is wrong with one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    pub(super) pattern: String,
    pub(super) span: Range<usize>,
    pub(super) kind: RuleErrorKind,
    pub(super) message: String,
}

/// The kinds of what can be wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RuleErrorKind {
    /// A path does not begin with a slash, or a variable is not written as one.
    Syntax,
    /// There is no converter of that name.
    UnknownConverter,
    /// A converter does not take these arguments.
    Arguments,
    /// Two variables have one name.
    DuplicateName,
    /// A pattern of a host that no host matches, or that the map does not look at.
    Host,
    /// A method that the rule cannot have.
    Method,
    /// A default that the converter of its variable does not take.
    Default,
    /// An alias for no rule.
    Alias,
    /// The target of a redirect names a variable that the rule does not have.
    Redirect,
    /// Another rule takes the same requests.
    Conflict,
    /// More segments or rules than the router takes.
    TooLarge,
}

impl RuleError {
    /// What kind of problem it is.
    pub fn kind(&self) -> RuleErrorKind {
        self.kind
    }

    /// The pattern with the problem: that of the path, or of the host, the subdomain or the target of a redirect.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Where in the pattern, in bytes; all of it where no part is to blame.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn new(pattern: &str, span: Range<usize>, kind: RuleErrorKind, message: impl Into<String>) -> Self {
        RuleError { pattern: pattern.to_owned(), span, kind, message: message.into() }
    }

    /// About the whole pattern.
    pub(super) fn whole(pattern: &str, kind: RuleErrorKind, message: impl Into<String>) -> Self {
        RuleError::new(pattern, 0..pattern.len(), kind, message)
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_before = self.pattern[..self.span.start].chars().count();
        let n_marked = self.pattern[self.span.clone()].chars().count().max(1);
        let pattern = self.pattern.replace(char::is_control, "?");
        write!(f, "{pattern}\n{:n_before$}{:^<n_marked$}\n{}", "", "", self.message)
    }
}

impl std::error::Error for RuleError {}
