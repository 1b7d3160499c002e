//! [`url_for`]: the URL of an endpoint.

use std::rc::Rc;

use super::app::App;
use super::context::AppContext;
use super::handle::AppHandle;
use super::request::Request;
use super::routing::{BoundRule, BuildError, BuildOptions, PathValue};
use super::shared::Shared;
use super::view_args::ViewArgs;
use crate::http::Method;

/// The URL of an endpoint: Quart's `url_for`, whose keyword arguments are the methods of what this gives.
///
/// While a request is being answered, or a WebSocket is served, an endpoint that begins with a dot is one of the same
/// blueprint, and the URL is a path unless it has to be [`external`](UrlFor::external). Elsewhere, as in a background
/// task, it is external unless told otherwise, and the application needs a [`server_name`](App::server_name) for it.
/// The values of the running request are not taken over.
///
/// # Panics
///
/// Where no application is at work: [`AppHandle::url_for`] is for any place.
///
/// ```
/// use foster::app::{App, Path, url_for};
/// use foster::http::{Response, redirect};
///
/// async fn user(Path(id): Path<i64>) -> String {
///     format!("user {id}")
/// }
///
/// async fn newest() -> foster::Result<Response> {
///     let url = url_for("user").value("id", 7).value("tab", "posts").anchor("top").build()?;
///     assert_eq!(url, "/users/7?tab=posts#top");
///     Ok(redirect(url))
/// }
///
/// let mut app = App::new();
/// app.get("/users/<int:id>", user);
/// app.get("/users/newest", newest);
/// ```
#[track_caller]
pub fn url_for(endpoint: impl Into<String>) -> UrlFor {
    let context = AppContext::current().expect(
        "url_for() is called where no application is at work: call it in a view, in a hook, in a task that one of them \
         has started in a nursery, or in a background task; AppHandle::url_for is for any place",
    );
    UrlFor::new(context.shared.clone(), Request::of(context), endpoint.into())
}

/// A URL that is being put together: what [`url_for`] gives.
#[derive(Clone)]
#[must_use = "nothing is built before `build`"]
pub struct UrlFor {
    shared: Rc<Shared>,
    request: Option<Request>,
    endpoint: String,
    values: ViewArgs,
    anchor: Option<String>,
    is_external: Option<bool>,
    scheme: Option<String>,
    method: Option<Method>,
}

impl UrlFor {
    fn new(shared: Rc<Shared>, request: Option<Request>, endpoint: String) -> Self {
        UrlFor {
            shared,
            request,
            endpoint,
            values: ViewArgs::default(),
            anchor: None,
            is_external: None,
            scheme: None,
            method: None,
        }
    }

    /// A value: of a variable of the rule, or else one for the query, of which several may have one name.
    pub fn value<'v>(mut self, name: impl Into<String>, value: impl Into<PathValue<'v>>) -> Self {
        self.values.append(name.into(), value.into().into_owned());
        self
    }

    /// Values, as a map or an `Option` has them.
    pub fn values<'v, N, V>(self, values: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<PathValue<'v>>,
    {
        values.into_iter().fold(self, |url, (name, value)| url.value(name, value))
    }

    /// What stands behind `#`: `_anchor`.
    pub fn anchor(mut self, anchor: impl Into<String>) -> Self {
        self.anchor = Some(anchor.into());
        self
    }

    /// Whether it has a scheme and a host: `_external`. That of a WebSocket always has.
    pub fn external(mut self, is_external: bool) -> Self {
        self.is_external = Some(is_external);
        self
    }

    /// The scheme, which makes it external: `_scheme`. Without it, it is that of the request, and outside one
    /// [`preferred_url_scheme`](App::preferred_url_scheme).
    pub fn scheme(mut self, scheme: impl Into<String>) -> Self {
        self.scheme = Some(scheme.into());
        self
    }

    /// The method of the rule, where an endpoint has several: `_method`.
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// [`BuildError`] says what is missing or wrong, unless a hook of
    /// [`handle_url_build_error`](App::handle_url_build_error) knows a URL.
    pub fn build(self) -> Result<String, BuildError> {
        let (endpoint, mut values) = (self.endpoint(), self.values.clone());
        for hook in &self.shared.scope_of_endpoint(&endpoint).hooks.url_defaults {
            hook(&endpoint, &mut values);
        }
        self.build_from(&endpoint, &values).or_else(|err| {
            let mut hooks = self.shared.on_build_error.iter();
            hooks.find_map(|hook| hook(&err, &endpoint, &values)).ok_or(err)
        })
    }

    /// The endpoint, with the blueprint of the request if it is relative.
    fn endpoint(&self) -> String {
        match (self.endpoint.strip_prefix('.'), &self.request) {
            (Some(relative), Some(request)) => match request.blueprint() {
                Some(blueprint) => format!("{blueprint}.{relative}"),
                None => relative.to_owned(),
            },
            _ => self.endpoint.clone(),
        }
    }

    fn build_from(&self, endpoint: &str, values: &ViewArgs) -> Result<String, BuildError> {
        let Shared { map, options, root_path, .. } = &*self.shared;
        let host = self.request.as_ref().map(Request::host);
        let of_request = self.request.as_ref().map(|request| if request.is_secure() { "https" } else { "http" });
        let scheme = self.scheme.as_deref().or(of_request).unwrap_or(&options.preferred_url_scheme);
        let is_external = self.scheme.is_some() || self.is_external.unwrap_or(self.request.is_none());
        let options = BuildOptions {
            method: self.method.as_ref(),
            scheme: Some(scheme),
            // Where rules are for hosts, that of the request says which of them are here. Elsewhere it is only a name
            // that the client gives, and less worth than the application's own.
            host: if map.looks_at_hosts() { host } else { options.server_name.as_deref().or(host) },
            root_path: self.request.as_ref().map_or(root_path, Request::root_path),
            anchor: self.anchor.as_deref(),
            external: is_external,
        };
        map.build(endpoint, &values.iter().collect::<Vec<_>>(), &options)
    }
}

/// May know a URL where none can be built.
pub(super) type OnBuildError = dyn Fn(&BuildError, &str, &ViewArgs) -> Option<String>;

impl App {
    /// Calls `hook` with the error, the endpoint and the values of each URL that cannot be built: the first URL that one
    /// of them gives stands in for it. Quart's `url_build_error_handlers`.
    ///
    /// ```
    /// use foster::app::App;
    ///
    /// let mut app = App::new();
    /// app.handle_url_build_error(|_, endpoint, _| {
    ///     let page = endpoint.strip_prefix("wiki:")?;
    ///     Some(format!("https://wiki.example.com/{page}"))
    /// });
    /// ```
    pub fn handle_url_build_error(
        &mut self,
        hook: impl Fn(&BuildError, &str, &ViewArgs) -> Option<String> + 'static,
    ) -> &mut Self {
        self.on_build_error.push(Rc::new(hook));
        self
    }
}

impl AppHandle {
    /// The URL of an endpoint, as [`url_for`] builds it: for the request that is being answered, if it is one of this
    /// application, and else as outside a request.
    pub fn url_for(&self, endpoint: impl Into<String>) -> UrlFor {
        let context = AppContext::current().filter(|context| Rc::ptr_eq(&context.shared, &self.shared));
        UrlFor::new(self.shared.clone(), context.and_then(Request::of), endpoint.into())
    }

    /// The rules of the application in the order they were added, those of blueprints behind: `url_map.iter_rules()`.
    pub fn iter_rules(&self) -> impl Iterator<Item = &BoundRule> {
        self.shared.map.rules().map(|(rule, _)| rule)
    }
}
