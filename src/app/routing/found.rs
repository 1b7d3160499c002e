//! [`Match`]: the rule that a request is for.

use std::fmt;

use super::bound::{BoundRule, Taken};
use super::values::PathValues;

/// The rule that a request is for, with what its variables took.
pub struct Match<'m, 'p, T> {
    pub(super) value: &'m T,
    pub(super) values: PathValues<'p>,
    pub(super) taken: Taken,
}

impl<'m, 'p, T> Match<'m, 'p, T> {
    /// What stands in the map beside the rule.
    pub fn value(&self) -> &'m T {
        self.value
    }

    /// The rule.
    pub fn rule(&self) -> &BoundRule {
        &self.values.rule
    }

    /// What the variables took, and the defaults.
    pub fn values(&self) -> &PathValues<'p> {
        &self.values
    }

    /// The values alone, for longer than the map is borrowed.
    pub fn into_values(self) -> PathValues<'p> {
        self.values
    }

    /// Whether the rule takes the method without naming it: HEAD where it names GET, or OPTIONS. OPTIONS is answered
    /// with [`Map::allowed_methods`](super::Map::allowed_methods), and no handler is called for it.
    pub fn is_automatic(&self) -> bool {
        self.taken == Taken::Automatic
    }
}

impl<T> fmt::Debug for Match<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Match").field("rule", self.rule()).field("values", &self.values).finish_non_exhaustive()
    }
}
