//! [`PairsError`]: why names with values are not what a view takes.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// Why pairs are no `T`. Serde's own constructors tell the two apart.
#[derive(Debug)]
pub(super) enum PairsError {
    /// No request could have them: the type is at fault.
    Mismatch(String),
    /// Others could: the client is at fault.
    Refused(Refused),
}

/// What is refused, and why.
#[derive(Debug)]
pub(super) struct Refused {
    name: Option<String>,
    what: String,
}

impl PairsError {
    pub(super) fn refused(what: String) -> Self {
        PairsError::Refused(Refused { name: None, what })
    }

    /// Says which name it is about, unless it does.
    pub(super) fn of(mut self, name: &str) -> Self {
        if let PairsError::Refused(Refused { name: unknown @ None, .. }) = &mut self {
            *unknown = Some(name.to_owned());
        }
        self
    }
}

impl de::Error for PairsError {
    fn custom<D: fmt::Display>(message: D) -> Self {
        PairsError::refused(format!("is refused: {message}"))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Map => "names with values".to_owned(),
            Unexpected::Str(_) => "a value".to_owned(),
            other => other.to_string(),
        };
        PairsError::Mismatch(format!("found {found} where {expected} is expected"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        PairsError::refused(format!("is {found} where {expected} is expected"))
    }

    fn invalid_length(n_values: usize, expected: &dyn Expected) -> Self {
        PairsError::refused(format!("has {n_values} values where {expected} is expected"))
    }

    fn unknown_variant(found: &str, variants: &'static [&'static str]) -> Self {
        PairsError::refused(format!("is {found:?} where one of {} is expected", variants.join(", ")))
    }

    fn unknown_field(name: &str, _: &'static [&'static str]) -> Self {
        PairsError::refused("is not expected".to_owned()).of(name)
    }

    fn missing_field(name: &'static str) -> Self {
        PairsError::refused("is missing".to_owned()).of(name)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name:?} {}", self.what),
            None => write!(f, "a value {}", self.what),
        }
    }
}

impl fmt::Display for PairsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PairsError::Mismatch(mismatch) => f.write_str(mismatch),
            PairsError::Refused(refused) => refused.fmt(f),
        }
    }
}

impl std::error::Error for PairsError {}
