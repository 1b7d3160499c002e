//! [`Entry`]: what is known of a request and its answer.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::http::{HeaderValue, RequestHead, StatusCode};

/// A request while it is answered.
pub(crate) struct Entry {
    pub(super) head: RequestHead,
    pub(super) peer: Option<IpAddr>,
    pub(super) is_secure: bool,
    pub(super) began: Instant,
    pub(super) status: Option<StatusCode>,
    pub(super) n_sent: u64,
    /// The fields of the response that the format names, in its order.
    pub(super) fields: Vec<Option<HeaderValue>>,
}

/// What is known of a request that was refused.
#[derive(Clone, Copy)]
pub(crate) enum Known<'a> {
    Nothing,
    /// What came, from the first byte of its request line.
    Bytes(&'a [u8]),
    Head(&'a RequestHead),
}

/// Everything that a line can say.
pub(super) struct Record<'a> {
    pub(super) head: Option<&'a RequestHead>,
    /// Of a request without a head.
    pub(super) request_line: Option<&'a [u8]>,
    pub(super) peer: Option<IpAddr>,
    pub(super) is_secure: bool,
    pub(super) status: Option<StatusCode>,
    pub(super) n_sent: u64,
    pub(super) fields: &'a [Option<HeaderValue>],
    pub(super) took: Duration,
}

impl<'a> Record<'a> {
    pub(super) fn request_line(&self) -> Option<&'a [u8]> {
        self.head.map(RequestHead::request_line).or(self.request_line)
    }

    pub(super) fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.head.and_then(|head| head.headers().get_bytes(name))
    }

    pub(super) fn protocol(&self) -> Option<&'static str> {
        self.head.map(|head| if head.version() == crate::http::Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" })
    }
}
