//! [`Route`]: a rule with its view.

use std::any::{Any, TypeId};
use std::rc::Rc;
use std::time::Duration;

use super::routing::{PathValue, Rule};
use super::view::Callable;
use crate::http::Method;
use crate::websocket;

/// A rule and its view, as they are added: what can be said of them besides, with the names of Quart's keyword
/// arguments.
///
/// ```
/// use foster::app::{App, Path};
///
/// let mut app = App::new();
/// app.get("/pages/<int:number>", page).endpoint("page");
/// app.get("/pages/", page).endpoint("page").defaults([("number", 1)]);
/// app.post("/upload", async |body: bytes::Bytes| body.len().to_string()).max_content_length(Some(64 * 1024 * 1024));
///
/// async fn page(Path(number): Path<u32>) -> String {
///     format!("page {number}")
/// }
/// ```
#[derive(Clone)]
pub struct Route {
    pub(super) rule: Rule,
    pub(super) function: Function,
    pub(super) endpoint: Option<String>,
    pub(super) target: Target,
    pub(super) settings: Settings,
    pub(super) websocket_config: Option<websocket::Config>,
}

/// What answers the requests of a route.
#[derive(Clone)]
pub(super) enum Target {
    View(Rc<dyn Callable>),
    WebSocket(Rc<dyn Callable>),
    /// There are no requests: the rule redirects, or builds URLs only.
    Nothing,
}

impl Target {
    pub(super) fn is_websocket(&self) -> bool {
        matches!(self, Target::WebSocket(_))
    }
}

/// Which function a view is.
#[derive(Clone, Copy)]
pub(super) struct Function {
    /// Its name, if it has one.
    pub(super) name: Option<&'static str>,
    /// Every function and every closure has a type of its own.
    pub(super) of: TypeId,
}

impl Function {
    /// The function of that type, which has this path.
    pub(super) fn of<F: Any>(path: &'static str) -> Self {
        let is_named = !path.contains(['{', '<', '&', '(']);
        Function { name: path.rsplit("::").next().filter(|_| is_named), of: TypeId::of::<F>() }
    }
}

/// What a route says of its requests in the place of the application.
#[derive(Clone, Copy, Default)]
pub(super) struct Settings {
    pub(super) max_content_length: Option<Option<u64>>,
    pub(super) body_timeout: Option<Option<Duration>>,
}

impl Route {
    pub(super) fn new(rule: Rule, function: Function, target: Target) -> Self {
        let (endpoint, websocket_config) = (None, None);
        Route { rule, function, endpoint, target, settings: Settings::default(), websocket_config }
    }

    /// A rule that no view is for.
    pub(super) fn without_view(rule: Rule) -> Self {
        Route::new(rule, Function { name: None, of: TypeId::of::<()>() }, Target::Nothing)
    }

    fn change(&mut self, change: impl FnOnce(Rule) -> Rule) -> &mut Self {
        let rule = std::mem::replace(&mut self.rule, Rule::new(""));
        self.rule = change(rule);
        self
    }

    /// The name that URLs are [built](super::url_for) by: that of the function unless set, or the pattern, for a closure.
    /// One function may stand at several rules, and the views for the methods of one rule may share a name; otherwise two
    /// with one name are a mistake.
    pub fn endpoint(&mut self, endpoint: impl Into<String>) -> &mut Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// The methods: GET unless set, with which HEAD and OPTIONS come.
    pub fn methods(&mut self, methods: impl IntoIterator<Item = Method>) -> &mut Self {
        self.change(|rule| rule.methods(methods))
    }

    /// As [`Rule::defaults`].
    pub fn defaults<N, V>(&mut self, defaults: impl IntoIterator<Item = (N, V)>) -> &mut Self
    where
        N: Into<String>,
        V: Into<PathValue<'static>>,
    {
        self.change(|rule| rule.defaults(defaults))
    }

    /// As [`Rule::host`], for an application with [`host_matching`](super::App::host_matching).
    pub fn host(&mut self, host: impl Into<String>) -> &mut Self {
        self.change(|rule| rule.host(host))
    }

    /// As [`Rule::subdomain`], for an application with [`subdomain_matching`](super::App::subdomain_matching).
    pub fn subdomain(&mut self, subdomain: impl Into<String>) -> &mut Self {
        self.change(|rule| rule.subdomain(subdomain))
    }

    /// As [`Rule::strict_slashes`].
    pub fn strict_slashes(&mut self, is_strict: bool) -> &mut Self {
        self.change(|rule| rule.strict_slashes(is_strict))
    }

    /// As [`Rule::automatic_options`]: Quart's `provide_automatic_options`.
    pub fn provide_automatic_options(&mut self, is_automatic: bool) -> &mut Self {
        self.change(|rule| rule.automatic_options(is_automatic))
    }

    /// The longest body in bytes, in the place of [`App::max_content_length`](super::App::max_content_length).
    pub fn max_content_length(&mut self, limit: Option<u64>) -> &mut Self {
        self.settings.max_content_length = Some(limit);
        self
    }

    /// How long a whole body may take, in the place of [`App::body_timeout`](super::App::body_timeout).
    pub fn body_timeout(&mut self, timeout: Option<Duration>) -> &mut Self {
        self.settings.body_timeout = Some(timeout);
        self
    }

    /// How its WebSockets are served, in the place of [`App::websocket_config`](super::App::websocket_config). An
    /// application does not start with one for a route that takes none.
    pub fn websocket_config(&mut self, config: websocket::Config) -> &mut Self {
        self.websocket_config = Some(config);
        self
    }
}
