//! [`BuildError`]: why there is no URL.

use std::fmt;

use super::methods::Methods;
use crate::http::Method;

/// Why no URL can be built for an endpoint: Werkzeug's `BuildError`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BuildError {
    /// No rule has this endpoint.
    UnknownEndpoint {
        /// The endpoint that was asked for.
        endpoint: String,
        /// One that there is and that may have been meant.
        near: Option<String>,
    },
    /// Every rule of the endpoint needs more values.
    MissingValues {
        /// The endpoint.
        endpoint: String,
        /// What the rule that lacks the fewest lacks.
        missing: Vec<String>,
        /// A value that was given and that no rule knows, if it may have been meant for the first that is missing.
        near: Option<String>,
    },
    /// The rules of the endpoint have other methods.
    Method {
        /// The endpoint.
        endpoint: String,
        /// The method that was asked for.
        method: Method,
        /// Those that there are.
        allowed: Methods,
    },
    /// A value cannot stand in a URL of this endpoint.
    BadValue {
        /// The endpoint.
        endpoint: String,
        /// The name of the value.
        name: String,
        /// What can stand there.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The URL would be read with other values, because several variables share a segment.
    Ambiguous {
        /// The endpoint.
        endpoint: String,
        /// The path in question.
        path: String,
    },
    /// An external URL needs a host, and there is neither one among the options nor a name of the server.
    NoHost {
        /// The endpoint.
        endpoint: String,
    },
}

impl BuildError {
    /// How close the rule came to being built, for the message about the rule that came closest.
    pub(super) fn distance(&self) -> usize {
        match self {
            BuildError::NoHost { .. } | BuildError::Ambiguous { .. } | BuildError::BadValue { .. } => 0,
            BuildError::MissingValues { missing, .. } => missing.len(),
            BuildError::Method { .. } | BuildError::UnknownEndpoint { .. } => usize::MAX,
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::UnknownEndpoint { endpoint, near } => {
                write!(f, "no rule has the endpoint {endpoint:?}")?;
                near.as_ref().map_or(Ok(()), |near| write!(f, "; did you mean {near:?}?"))
            }
            BuildError::MissingValues { endpoint, missing, near } => {
                let names = missing.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
                write!(f, "a URL of {endpoint:?} needs values for {names}")?;
                let Some((near, first)) = near.as_ref().zip(missing.first()) else { return Ok(()) };
                write!(f, "; {near:?} was given: did you mean {first:?}?")
            }
            BuildError::Method { endpoint, method, allowed } => {
                write!(f, "no rule of {endpoint:?} takes {method}; there is {allowed}")
            }
            BuildError::BadValue { endpoint, name, expected, found } => {
                write!(f, "the value {found} of {name:?} cannot stand in a URL of {endpoint:?}: expected {expected}")
            }
            BuildError::Ambiguous { endpoint, path } => {
                write!(f, "{path} would reach {endpoint:?} with other values, as variables share a segment there")
            }
            BuildError::NoHost { endpoint } => {
                write!(f, "an external URL of {endpoint:?} needs a host: give one, or give the map a server_name")
            }
        }
    }
}

impl std::error::Error for BuildError {}
