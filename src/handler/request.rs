//! [`Request`].

use std::fmt;
use std::rc::Rc;

use foster_compat::{Address, Event, TransportRef};

use super::upgraded::Upgraded;
use crate::http::{Body, HeaderList, Headers, HttpError, Method, RequestHead, StatusCode, Version};

/// A request as a handler gets it.
///
/// Its head lies in one buffer; what is asked for is looked up there.
pub struct Request {
    head: RequestHead,
    body: Body,
    connection: Rc<dyn Connected>,
}

/// What a request can ask of the connection it came on.
pub(crate) trait Connected {
    fn transport(&self) -> TransportRef;
    fn ends(&self) -> &Ends;
    fn shutdown(&self) -> Event;
    fn send_informational(&self, status: StatusCode, headers: &HeaderList) -> Result<(), HttpError>;
    fn switch(&self, headers: &HeaderList, is_connect: bool) -> Result<Upgraded, HttpError>;
    /// Counts what is a handler's fault, and tells the exception handler of the loop.
    #[cfg(feature = "app")]
    fn report(&self, message: &'static str, err: crate::Error);
}

/// The two ends of a connection: what asking the operating system each time would cost.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) peername: Option<Address>,
    pub(crate) sockname: Option<Address>,
    pub(crate) is_secure: bool,
}

impl Ends {
    pub(crate) fn of(transport: &TransportRef) -> Self {
        Ends {
            peername: transport.peername(),
            sockname: transport.sockname(),
            is_secure: transport.get_extra_info("sslcontext").is_some(),
        }
    }
}

impl Request {
    pub(crate) fn new(head: RequestHead, body: Body, connection: Rc<dyn Connected>) -> Self {
        Request { head, body, connection }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.head.method()
    }

    /// The target as it came.
    pub fn target(&self) -> &str {
        self.head.target()
    }

    /// The path, with its percent-encoding: decode its segments with [`percent_decode`](crate::http::percent_decode). What
    /// the handler is mounted below is not part of it.
    pub fn path(&self) -> &str {
        self.head.path()
    }

    /// What the handler is mounted below, as it came in front of the path: ASGI's `root_path`. Empty unless it is.
    pub fn root_path(&self) -> &str {
        self.head.root_path()
    }

    /// What stands behind the question mark, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.head.query()
    }

    /// The host the request is for, with its port if one was given.
    pub fn host(&self) -> Option<&str> {
        self.head.host()
    }

    /// HTTP/1.0 or HTTP/1.1.
    pub fn version(&self) -> Version {
        self.head.version()
    }

    /// The header fields.
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// The head as it came.
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// The body, to be read.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The body alone.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// Everything.
    #[cfg(any(feature = "tower", feature = "websocket"))]
    pub(crate) fn split(self) -> (RequestHead, Body, Rc<dyn Connected>) {
        (self.head, self.body, self.connection)
    }

    /// What it came on.
    #[cfg(feature = "app")]
    pub(crate) fn connection(&self) -> &Rc<dyn Connected> {
        &self.connection
    }

    /// Moves the first `n` bytes of the path to the [`root_path`](Request::root_path).
    ///
    /// # Errors
    ///
    /// If there is no room for that.
    #[cfg(feature = "app")]
    pub(crate) fn mount(&mut self, n: usize) -> Result<(), HttpError> {
        self.head.mount(n)
    }

    /// Head and body.
    pub fn into_parts(self) -> (RequestHead, Body) {
        (self.head, self.body)
    }

    /// The address of the peer: the client's, or that of a proxy in front.
    pub fn peername(&self) -> Option<Address> {
        self.connection.ends().peername.clone()
    }

    /// The own address.
    pub fn sockname(&self) -> Option<Address> {
        self.connection.ends().sockname.clone()
    }

    /// Whether the connection is encrypted: the scheme is `https`.
    pub fn is_secure(&self) -> bool {
        self.connection.ends().is_secure
    }

    /// The transport of the connection, for what it knows: TLS, options of the socket. What is written to it breaks the
    /// protocol.
    pub fn transport(&self) -> TransportRef {
        self.connection.transport()
    }

    /// Happens when the server begins to stop: a handler that would go on for long, as one that sends events, ends
    /// then, or is cancelled after `graceful_timeout`.
    pub fn shutdown(&self) -> Event {
        self.connection.shutdown()
    }

    /// Sends an informational response ahead of the answer, as 103 Early Hints: Quart's `send_early_hints`. A client of
    /// HTTP/1.0 gets none.
    ///
    /// # Errors
    ///
    /// [`HttpError::State`] for a status that is not 1xx, or 101.
    pub fn send_informational(&self, status: StatusCode, headers: &HeaderList) -> Result<(), HttpError> {
        self.connection.send_informational(status, headers)
    }

    /// Answers `101 Switching Protocols`, and gives the connection away: for a request with `Connection: upgrade`. What
    /// the handler returns after that is ignored.
    ///
    /// # Errors
    ///
    /// [`HttpError::State`] if the request has a body that was not read to its end.
    pub fn upgrade(self, headers: &HeaderList) -> Result<Upgraded, HttpError> {
        self.connection.switch(headers, false)
    }

    /// Answers 200 to CONNECT, and gives the connection away. What the handler returns after that is ignored.
    ///
    /// # Errors
    ///
    /// [`HttpError::State`] for another method.
    pub fn connect(self, headers: &HeaderList) -> Result<Upgraded, HttpError> {
        self.connection.switch(headers, true)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("head", &self.head).field("body", &self.body).finish_non_exhaustive()
    }
}
