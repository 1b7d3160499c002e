//! [`Rejected`]: why a client has got no WebSocket.

use std::error::Error;
use std::fmt;

use crate::http::{Headers, ResponseHead, StatusCode};

/// A response that opens no WebSocket, and why it does not.
#[derive(Clone, Debug)]
pub struct Rejected {
    reason: Rejection,
    head: ResponseHead,
}

/// What is wrong with a response that opens no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// The status is another one: the server has refused, asks for a password, or points elsewhere.
    Status,
    /// `Upgrade` is not exactly `websocket`.
    Upgrade,
    /// `Connection` does not name `upgrade`.
    Connection,
    /// `Sec-WebSocket-Accept` is not there once, or does not belong to the key: the server speaks no WebSocket, or a
    /// cache has answered.
    Accept,
    /// A subprotocol that was not offered, or more than one.
    Subprotocol,
    /// An extension that was not offered, or not in this way.
    Extensions,
}

impl Rejected {
    pub(super) fn new(reason: Rejection, head: ResponseHead) -> Self {
        Rejected { reason, head }
    }

    /// What is wrong.
    pub fn reason(&self) -> Rejection {
        self.reason
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status()
    }

    /// The header fields: `Location` of a redirect, `WWW-Authenticate` of 401, `Retry-After` of 503.
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// Status, version and header fields.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            Rejection::Status => return write!(f, "the server has refused the WebSocket with {}", self.status()),
            Rejection::Upgrade => "the response does not say \"Upgrade: websocket\"",
            Rejection::Connection => "the response does not say \"Connection: Upgrade\"",
            Rejection::Accept => "Sec-WebSocket-Accept of the response does not belong to the key of the request",
            Rejection::Subprotocol => "the response names a subprotocol that was not offered, or more than one",
            Rejection::Extensions => "the response names an extension that was not offered, or not in this way",
        })
    }
}

impl Error for Rejected {}
