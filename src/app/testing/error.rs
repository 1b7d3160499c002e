//! [`TestClientError`]: why a request of a test was not made, or has no response.

use std::fmt;

use super::redirects::MAX_REDIRECTS;
use crate::http::{HeaderName, HttpError};

/// Why a request of a test was not made, or has no response: the fault of the test. Errors of the application come out
/// themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TestClientError {
    /// It is neither a path nor a URL of `http` or `https`.
    Path(String),
    /// The query stands in the path and is given beside it.
    TwoQueries(String),
    /// It is no host, or no name in front of one.
    Host(String),
    /// It is neither `http` nor `https`.
    Scheme(String),
    /// A name that is no token, in quotes.
    HeaderName(String),
    /// The field of that name has a value with a control byte. The value is not told: it may be a secret.
    HeaderValue(HeaderName),
    /// The field is the client's to set.
    OwnHeader(HeaderName),
    /// A user with a colon, which would end it.
    User,
    /// The value has no form in JSON: what its `Serialize` says.
    Json(String),
    /// There are two bodies.
    TwoBodies,
    /// There is more of the body than `Content-Length` says.
    BodyLength {
        /// What it says, in bytes.
        declared: u64,
    },
    /// The body is complete already.
    Complete,
    /// The head as a whole is none that a server takes.
    Head(HttpError),
    /// A redirect that leads out of the application.
    Elsewhere(String),
    /// One redirect behind the other, without an end.
    TooManyRedirects,
    /// The response was cut off: its body has failed, or the view was cancelled.
    Disconnected,
}

impl fmt::Display for TestClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TestClientError::Path(path) => {
                return write!(
                    f,
                    "{path:?} cannot be asked for: write a path that begins with a slash, or a URL of http or https, \
                     without spaces, control characters or a fragment, which are percent-encoded"
                );
            }
            TestClientError::TwoQueries(path) => {
                return write!(f, "the query stands in the path {path:?}, and is given beside it: write it once");
            }
            TestClientError::Host(host) => {
                return write!(f, "{host:?} is no host: write a name or an address, with a port if there is one");
            }
            TestClientError::Scheme(scheme) => return write!(f, "the scheme is {scheme:?}: write http or https"),
            TestClientError::HeaderName(name) => return write!(f, "{name} is no name of a header field"),
            TestClientError::HeaderValue(name) => {
                return write!(f, "the header field {name} has a control character in its value");
            }
            TestClientError::OwnHeader(name) => {
                return write!(f, "the header field {name} is the client's to set: leave it out");
            }
            TestClientError::User => "a user has no colon, which would end it",
            TestClientError::Json(message) => return write!(f, "the value has no form in JSON: {message}"),
            TestClientError::TwoBodies => "a request has one body: give json or data, and once",
            TestClientError::BodyLength { declared } => {
                return write!(f, "the body is longer than the {declared} bytes that content-length says");
            }
            TestClientError::Complete => "the body of the request is complete: nothing can be sent behind it",
            TestClientError::Head(_) => "no server would take the head of the request",
            TestClientError::Elsewhere(location) => {
                return write!(f, "the redirect to {location:?} leads out of the application, and is not followed");
            }
            TestClientError::TooManyRedirects => {
                return write!(f, "there are more than {MAX_REDIRECTS} redirects, one behind the other");
            }
            TestClientError::Disconnected => "the response was cut off before its end",
        })
    }
}

impl std::error::Error for TestClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TestClientError::Head(err) => Some(err),
            _ => None,
        }
    }
}
