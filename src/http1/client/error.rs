//! [`ClientError`]: why there is no response.

use std::fmt;

use crate::Error;
use crate::http::HttpError;

/// Why there is no connection, or no response to a request. What ends a response that has begun is a
/// [`BodyError::Response`](crate::http::BodyError::Response).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL to connect to is not `http://host:port` or `https://host:port`.
    Url(String),
    /// The server cannot be reached, or its certificate is not taken.
    Connect(Error),
    /// The server has chosen another protocol than HTTP/1.1, by ALPN.
    Protocol(String),
    /// The last response was not read to its end, or its request is still being sent. Nothing was sent.
    Busy,
    /// The request cannot be sent as it is, which its body may show late.
    Request(HttpError),
    /// The body of the request failed with an error of its own.
    Body(Error),
    /// The connection ended before a response, or before the request. Whether the server has acted on it is not known.
    Closed {
        /// What ended it, if it was not the end of the server's stream or this side.
        source: Option<Error>,
    },
    /// The response breaks the rules of HTTP, or goes beyond a limit.
    Response(HttpError),
}

impl ClientError {
    /// The connection was closed in order.
    pub(super) const fn closed() -> Self {
        ClientError::Closed { source: None }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Url(url) => {
                write!(f, "cannot connect to {url:?}: write http://host:port or https://host:port, without a path")
            }
            ClientError::Connect(_) => f.write_str("cannot connect to the server"),
            ClientError::Protocol(name) => write!(f, "the server has chosen the protocol {name:?}, not \"http/1.1\""),
            ClientError::Busy => {
                f.write_str("the last request is under way: read its response to the end, or use another connection")
            }
            ClientError::Request(_) => f.write_str("the request cannot be sent"),
            ClientError::Body(_) => f.write_str("the body of the request failed"),
            ClientError::Closed { .. } => f.write_str("the connection was closed before the server has answered"),
            ClientError::Response(_) => f.write_str("the response is not HTTP/1.1"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Connect(err) | ClientError::Body(err) => Some(&**err),
            ClientError::Closed { source } => source.as_ref().map(|err| &**err as _),
            ClientError::Request(err) | ClientError::Response(err) => Some(err),
            ClientError::Url(_) | ClientError::Protocol(_) | ClientError::Busy => None,
        }
    }
}
