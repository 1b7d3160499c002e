//! [`BoundRule`]: a rule as its map has it.

use std::collections::BTreeSet;
use std::fmt;

use super::converters::Made;
use super::methods::{MethodKey, Methods};
use super::part::Part;
use super::rule::Rule;
use super::value::PathValue;

/// A [`Rule`] in a [`Map`](super::Map).
pub struct BoundRule {
    pub(super) rule: Rule,
    pub(super) is_strict: bool,
    pub(super) is_merging: bool,
    /// Those that the rule names; `None` if it takes every method.
    pub(super) explicit: Option<Methods>,
    /// HEAD and OPTIONS, where they are taken without having been named.
    pub(super) automatic: Methods,
    /// Those of the host, then those of the path, as they are captured.
    pub(super) variables: Vec<Variable>,
    /// The names of the variables and of the defaults.
    pub(super) arguments: BTreeSet<String>,
    pub(super) host: Vec<Op>,
    pub(super) path: Vec<Op>,
    pub(super) redirect: Option<Vec<Op>>,
    /// The rules of the same endpoint that stand for this one where their defaults are its values. By their numbers.
    pub(super) canonical: Vec<usize>,
    /// The parts, if texts of variables could be read otherwise than they were written.
    pub(super) ambiguous: Vec<Part>,
    /// Whether the first part is that of the host.
    pub(super) looks_at_hosts: bool,
}

pub(super) struct Variable {
    pub(super) name: String,
    pub(super) made: Made,
}

/// A piece of a URL that is built.
pub(super) enum Op {
    /// As the pattern has it.
    Text(String),
    /// The variable with this number.
    Variable(usize),
}

/// Why a rule takes a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Taken {
    Explicit,
    Automatic,
    /// The rule takes every method.
    Any,
}

impl BoundRule {
    /// The pattern of the path.
    pub fn pattern(&self) -> &str {
        &self.rule.pattern
    }

    /// The name that URLs are built by.
    pub fn endpoint(&self) -> Option<&str> {
        self.rule.endpoint.as_deref()
    }

    /// The pattern of the host.
    pub fn host(&self) -> Option<&str> {
        self.rule.host.as_deref()
    }

    /// The pattern of the subdomain.
    pub fn subdomain(&self) -> Option<&str> {
        self.rule.subdomain.as_deref()
    }

    /// The methods that are taken, with those that nobody named; `None` for every method.
    pub fn methods(&self) -> Option<Methods> {
        let mut methods = self.explicit.clone()?;
        methods.insert_all(&self.automatic);
        Some(methods)
    }

    /// The names of the variables and of the defaults, sorted.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().map(String::as_str)
    }

    /// The values that the rule adds.
    pub fn defaults(&self) -> impl Iterator<Item = (&str, &PathValue<'static>)> {
        self.rule.defaults.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether it takes WebSockets, and nothing else.
    pub fn is_websocket(&self) -> bool {
        self.rule.is_websocket
    }

    /// Whether it never matches.
    pub fn is_build_only(&self) -> bool {
        self.rule.is_build_only
    }

    /// Whether it redirects to another rule.
    pub fn is_alias(&self) -> bool {
        self.rule.is_alias
    }

    /// Names with values of the kinds that they have, in the order of [`PathValues`](super::PathValues); `None` for a
    /// converter of the application's own.
    pub(in crate::app) fn samples(&self) -> impl Iterator<Item = (&str, Option<PathValue<'_>>)> {
        let variables = self.variables.iter().map(|variable| {
            let sample = self.default(&variable.name).or(variable.made.sample.as_ref());
            (variable.name.as_str(), sample.map(PathValue::borrowed))
        });
        variables.chain(self.lone_defaults().map(|(name, value)| (name, Some(value.borrowed()))))
    }

    /// The defaults that are no variables.
    pub(super) fn lone_defaults(&self) -> impl Iterator<Item = (&str, &PathValue<'static>)> {
        self.defaults().filter(|(name, _)| self.variables.iter().all(|variable| variable.name != *name))
    }

    /// The default under that name.
    pub(super) fn default(&self, name: &str) -> Option<&PathValue<'static>> {
        self.rule.defaults.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    pub(super) fn takes(&self, method: MethodKey<'_>) -> Option<Taken> {
        let Some(explicit) = &self.explicit else { return Some(Taken::Any) };
        if explicit.contains_key(method) {
            Some(Taken::Explicit)
        } else if self.automatic.contains_key(method) {
            Some(Taken::Automatic)
        } else {
            None
        }
    }

    /// Whether both would be chosen for the same method.
    pub(super) fn is_chosen_with(&self, other: &BoundRule) -> bool {
        self.rule.is_websocket == other.rule.is_websocket
            && match (&self.explicit, &other.explicit) {
                (None, None) => true,
                (Some(one), Some(other)) => one.iter().any(|method| other.contains(method)),
                _ => false,
            }
    }
}

impl fmt::Debug for BoundRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundRule")
            .field("pattern", &self.rule.pattern)
            .field("endpoint", &self.rule.endpoint)
            .field("methods", &self.methods().map(|methods| methods.to_string()))
            .finish_non_exhaustive()
    }
}
