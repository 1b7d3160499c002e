//! [`Request`]: the request as views and hooks see it.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::context::AppContext;
use super::request_body::RequestBody;
use super::route::Settings;
use super::routed::Routed;
use super::routing::{BoundRule, NoMatch};
use super::shared::{Entry, Scope, Shared};
use super::view_args::ViewArgs;
use crate::handler::{self, Connected};
use crate::http::{
    Body, Cookies, HeaderList, Headers, HttpError, Method, MultiDict, RequestHead, SharedHead, StatusCode, Version,
};
use crate::{Address, Error, Event, Result};

/// The request that is being answered, with the names of Quart's: a cheap clone.
///
/// An argument of a view, or what [`request()`](super::request()) gives.
#[derive(Clone)]
pub struct Request {
    /// Of a request: [`of`](Request::of) is the only door.
    context: Rc<AppContext>,
}

/// What is known of a request.
pub(super) struct RequestState {
    pub(super) head: SharedHead,
    pub(super) connection: Rc<dyn Connected>,
    pub(super) body: RequestBody,
    pub(super) routed: Routed,
    pub(super) settings: RefCell<Settings>,
    args: OnceCell<MultiDict>,
}

impl RequestState {
    fn new(request: handler::Request, shared: &Shared) -> Self {
        let (head, body, connection) = request.split();
        let routed = shared.route(&head, &*connection);
        let entry = routed.nth.as_ref().ok().map(|&nth| shared.entry(nth));
        let is_websocket = entry.is_some_and(|entry| entry.target.is_websocket());
        let head = if is_websocket { SharedHead::Shared(Rc::new(head)) } else { SharedHead::Alone(head) };
        RequestState {
            settings: RefCell::new(entry.map(|entry| entry.settings).unwrap_or_default()),
            routed,
            head,
            connection,
            body: RequestBody::new(body),
            args: OnceCell::new(),
        }
    }
}

impl Request {
    /// A request that came in, with its route.
    pub(super) fn new(shared: Rc<Shared>, request: handler::Request) -> Self {
        let state = RequestState::new(request, &shared);
        Request { context: AppContext::new(shared, Some(state)) }
    }

    /// The request of a context; `None` in a background task.
    pub(super) fn of(context: Rc<AppContext>) -> Option<Self> {
        context.request.is_some().then_some(Request { context })
    }

    pub(super) fn context(&self) -> &Rc<AppContext> {
        &self.context
    }

    pub(super) fn state(&self) -> &RequestState {
        self.context.request.as_ref().expect("looked at when it was made")
    }

    pub(super) fn entry(&self) -> Option<&Entry> {
        let nth = *self.state().routed.nth.as_ref().ok()?;
        Some(self.context.shared.entry(nth))
    }

    pub(super) fn scope(&self) -> &Scope {
        self.context.shared.scope(self.entry())
    }

    /// Reports an error that is the application's fault.
    pub(super) fn report(&self, message: &'static str, err: Error) {
        self.state().connection.report(message, err);
    }

    /// The head as it came.
    pub fn head(&self) -> &RequestHead {
        &self.state().head
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.head().method()
    }

    /// The path as it came, percent-encoded, with the [`application_root`](super::App::application_root); of an application
    /// that is [mounted](super::App::mount) in another, what stands behind that place.
    pub fn path(&self) -> &str {
        self.head().path()
    }

    /// What stands behind the question mark, as it came; empty if there is none.
    pub fn query_string(&self) -> &str {
        self.head().query().unwrap_or_default()
    }

    /// What stands behind the question mark, decoded.
    pub fn args(&self) -> &MultiDict {
        // The limit of the head is that of its pairs.
        let parse = || MultiDict::parse_query_within(self.query_string(), usize::MAX);
        self.state().args.get_or_init(|| parse().unwrap_or_default())
    }

    /// The header fields.
    pub fn headers(&self) -> Headers<'_> {
        self.head().headers()
    }

    /// The cookies.
    pub fn cookies(&self) -> Cookies<'_> {
        self.headers().cookies()
    }

    /// The host with its port, as the client says it; empty if it does not, which only one of HTTP/1.0 may.
    pub fn host(&self) -> &str {
        self.head().host().unwrap_or_default()
    }

    /// `http` or `https`, `ws` or `wss`.
    pub fn scheme(&self) -> &'static str {
        match (self.is_websocket(), self.is_secure()) {
            (false, false) => "http",
            (false, true) => "https",
            (true, false) => "ws",
            (true, true) => "wss",
        }
    }

    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.state().connection.ends().is_secure
    }

    /// HTTP/1.0 or HTTP/1.1.
    pub fn http_version(&self) -> Version {
        self.head().version()
    }

    /// The address of the peer: the client's, or that of a proxy in front. Quart's `remote_addr`, with its port.
    pub fn remote_addr(&self) -> Option<Address> {
        self.state().connection.ends().peername.clone()
    }

    /// Whether it asks for a WebSocket.
    pub fn is_websocket(&self) -> bool {
        is_websocket(self.head())
    }

    /// The endpoint of its route; `None` if it has none.
    pub fn endpoint(&self) -> Option<&str> {
        self.entry().map(|entry| entry.endpoint.as_str())
    }

    /// Its rule; `None` if it has none: Quart's `url_rule`.
    pub fn url_rule(&self) -> Option<&BoundRule> {
        let nth = *self.state().routed.nth.as_ref().ok()?;
        self.context.shared.map.rules().nth(nth).map(|(rule, _)| rule)
    }

    /// The dotted name of the blueprint of its route.
    pub fn blueprint(&self) -> Option<&str> {
        Some(self.scope().name.as_str()).filter(|name| !name.is_empty())
    }

    /// The names of its blueprint and of those that this stands in, innermost first: for `a.b.index`, `a.b` and `a`.
    pub fn blueprints(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(self.blueprint(), |name| name.rsplit_once('.').map(|(outer, _)| outer))
    }

    /// The values of its path.
    pub fn view_args(&self) -> ViewArgs {
        self.state().routed.values.borrow().clone()
    }

    /// Why no rule takes it: Quart's `routing_exception`.
    pub fn routing_exception(&self) -> Option<&NoMatch> {
        self.state().routed.nth.as_ref().err()
    }

    /// The longest body in bytes: of its route, else of the application; `None` for any.
    pub fn max_content_length(&self) -> Option<u64> {
        let of_route = self.state().settings.borrow().max_content_length;
        of_route.unwrap_or(self.context.shared.options.max_content_length)
    }

    /// Sets the longest body of this request, before it is read.
    pub fn set_max_content_length(&self, limit: Option<u64>) {
        self.state().settings.borrow_mut().max_content_length = Some(limit);
    }

    /// Takes the body, to be read as it comes; its limit holds.
    ///
    /// # Errors
    ///
    /// If it was taken before, or read as a whole.
    pub fn body(&self) -> Result<Body> {
        self.state().body.take(self.max_content_length())
    }

    /// Sends an informational response ahead of the answer, as 103 Early Hints: Quart's `send_early_hints`. A client of
    /// HTTP/1.0 gets none.
    ///
    /// # Errors
    ///
    /// [`HttpError::State`] for a status that is not 1xx, or 101.
    pub fn send_informational(&self, status: StatusCode, headers: &HeaderList) -> Result<(), HttpError> {
        self.state().connection.send_informational(status, headers)
    }

    /// Happens when the server begins to stop: a view that would go on for long, as one that sends events, ends then,
    /// or is cancelled after [`graceful_timeout`](crate::Config::graceful_timeout).
    pub fn shutdown(&self) -> Event {
        self.state().connection.shutdown()
    }
}

/// Whether a request asks for a WebSocket, be it wrongly otherwise.
pub(super) fn is_websocket(head: &RequestHead) -> bool {
    let headers = head.headers();
    headers.has_token("upgrade", "websocket") && headers.has_token("connection", "upgrade")
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("head", self.head())
            .field("endpoint", &self.endpoint())
            .field("view_args", &self.view_args())
            .finish_non_exhaustive()
    }
}
