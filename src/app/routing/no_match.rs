//! [`NoMatch`]: what is said to a request that no rule takes as it is.

use std::fmt;

use super::methods::Methods;
use crate::http::StatusCode;

/// Why a request reaches no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoMatch {
    /// No rule has this path: 404. Also what a path finds that is not percent-encoded UTF-8.
    NotFound,
    /// Rules have this path, but not with this method: 405.
    MethodNotAllowed {
        /// For `Allow`.
        allowed: Methods,
    },
    /// The page is elsewhere: 308, which keeps method and body.
    Redirect {
        /// For `Location`: a path with the query of the request, or a URL if it is on another host.
        location: String,
    },
    /// A rule has this path that is for WebSockets and the request is none, or the other way round: 400.
    WebSocketMismatch,
}

impl NoMatch {
    /// The status that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            NoMatch::NotFound => StatusCode::NOT_FOUND,
            NoMatch::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            NoMatch::Redirect { .. } => StatusCode::PERMANENT_REDIRECT,
            NoMatch::WebSocketMismatch => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for NoMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoMatch::NotFound => f.write_str("no rule has this path"),
            NoMatch::MethodNotAllowed { allowed } => write!(f, "rules have this path with {allowed} only"),
            NoMatch::Redirect { location } => write!(f, "the page is at {location}"),
            NoMatch::WebSocketMismatch => {
                f.write_str("the rule of this path is for WebSockets and the request is none, or the other way round")
            }
        }
    }
}

impl std::error::Error for NoMatch {}
