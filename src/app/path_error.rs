//! [`PathError`]: why the values of a path are not what a view takes.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// Why values are no `T`. Serde's own constructors tell the two apart.
#[derive(Debug)]
pub(super) enum PathError {
    /// No request could have them: the type and the rule do not fit.
    Mismatch(Mismatch),
    /// Others could: the client is at fault.
    Refused,
}

/// How the type and the rule do not fit.
#[derive(Debug)]
pub(super) enum Mismatch {
    /// The values are not as many, or not called as the type has it.
    Values(String),
    /// A value is of another kind.
    Kind { variable: Option<String>, found: String, expected: String, to_take: &'static str },
}

impl PathError {
    pub(super) fn mismatch(what: String) -> Self {
        PathError::Mismatch(Mismatch::Values(what))
    }

    /// Says which variable it is about, unless something inside has.
    pub(super) fn of(mut self, name: &str) -> Self {
        if let PathError::Mismatch(Mismatch::Kind { variable: variable @ None, .. }) = &mut self {
            *variable = Some(name.to_owned());
        }
        self
    }
}

impl de::Error for PathError {
    fn custom<D: fmt::Display>(_: D) -> Self {
        PathError::Refused
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (found, to_take) = match found {
            Unexpected::Str(_) => ("text".to_owned(), "a String"),
            Unexpected::Signed(_) => ("an integer".to_owned(), "an i64"),
            Unexpected::Float(_) => ("a number".to_owned(), "an f64"),
            other => (other.to_string(), "another type"),
        };
        let expected = expected.to_string();
        PathError::Mismatch(Mismatch::Kind { variable: None, found, expected, to_take })
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        PathError::Refused
    }

    fn invalid_length(n_values: usize, expected: &dyn Expected) -> Self {
        PathError::mismatch(format!("the path has {n_values} values where {expected} is expected"))
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        PathError::Refused
    }

    fn unknown_field(name: &str, _: &'static [&'static str]) -> Self {
        PathError::mismatch(format!("it has no field {name:?}, which the path has"))
    }

    fn missing_field(name: &'static str) -> Self {
        PathError::mismatch(format!("the path has no value {name:?}: name a variable so, or make the field an Option"))
    }

    fn duplicate_field(name: &'static str) -> Self {
        PathError::mismatch(format!("two values of the path are its field {name:?}"))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (variable, found, expected, to_take) = match self {
            Mismatch::Values(what) => return f.write_str(what),
            Mismatch::Kind { variable: Some(variable), found, expected, to_take } => {
                (variable, found, expected, to_take)
            }
            Mismatch::Kind { variable: None, found, expected, .. } => {
                return write!(f, "the path is {found} where {expected} is expected");
            }
        };
        let converter = match expected.as_bytes() {
            [b'i' | b'u', b'0'..=b'9' | b's', ..] => "int:",
            [b'f', b'0'..=b'9', ..] => "float:",
            _ => "",
        };
        write!(
            f,
            "{variable:?} is {found} where {expected} is expected: write <{converter}{variable}>, or take {to_take}"
        )
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathError::Mismatch(mismatch) => mismatch.fmt(f),
            PathError::Refused => f.write_str("the path is not of this type"),
        }
    }
}

impl std::error::Error for PathError {}
