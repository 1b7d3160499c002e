//! [`MatchRequest`]: what a request is matched by.

use crate::http::Method;

/// What a [`Map`](super::Map) has to know of a request.
#[derive(Clone, Copy, Debug)]
pub struct MatchRequest<'p> {
    /// The method.
    pub method: &'p Method,
    /// The path as it came, percent-encoded, without what the application is mounted below. One that neither is empty
    /// nor begins with a slash, as that of `OPTIONS *`, matches nothing.
    pub path: &'p str,
    /// Behind the question mark, for redirects.
    pub query: Option<&'p str>,
    /// The host with its port, as `Host` gives it. Of no interest to a map that looks at neither hosts nor subdomains.
    pub host: &'p str,
    /// Whether a WebSocket is asked for.
    pub is_websocket: bool,
    /// Whether the scheme is `https` or `wss`.
    pub is_secure: bool,
    /// What the application is mounted below, without a slash at the end, for redirects.
    pub root_path: &'p str,
}

impl<'p> MatchRequest<'p> {
    /// A request without a query and without a host, that is no WebSocket.
    pub fn new(method: &'p Method, path: &'p str) -> Self {
        MatchRequest { method, path, query: None, host: "", is_websocket: false, is_secure: false, root_path: "" }
    }
}
