//! [`Rule`]: the pattern of a path with what goes with it.

use super::value::PathValue;
use crate::http::Method;

/// A rule for a [`Map`](super::Map): Werkzeug's `Rule`.
///
/// The pattern is a path in which variables stand as `<name>`, `<converter:name>` or `<converter(arguments):name>`. It
/// is written decoded: `/café`, not `/caf%C3%A9`. One that ends in a slash is a branch, any other a leaf; a request
/// for a branch without its slash is redirected there, one for a leaf with a slash finds nothing. What is wrong with a
/// rule is said when its map is built.
///
/// ```
/// use foster::app::routing::Rule;
/// use foster::http::Method;
///
/// Rule::new("/users/<int(min=1):id>/").endpoint("user").methods([Method::GET, Method::PUT]);
/// Rule::new("/users/<int(min=1):id>/feed").endpoint("feed").websocket();
/// Rule::new("/all/").endpoint("entries").defaults([("page", 1)]);
/// Rule::new("/blog/<slug>").redirect_to("/articles/<slug>");
/// ```
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) pattern: String,
    pub(super) endpoint: Option<String>,
    pub(super) methods: Option<Vec<Method>>,
    pub(super) defaults: Vec<(String, PathValue<'static>)>,
    pub(super) host: Option<String>,
    pub(super) subdomain: Option<String>,
    pub(super) strict_slashes: Option<bool>,
    pub(super) merge_slashes: Option<bool>,
    pub(super) automatic_options: Option<bool>,
    pub(super) redirect_to: Option<String>,
    pub(super) is_build_only: bool,
    pub(super) is_alias: bool,
    pub(super) is_websocket: bool,
}

impl Rule {
    /// A rule for every method, that begins with a slash.
    pub fn new(pattern: impl Into<String>) -> Self {
        Rule {
            pattern: pattern.into(),
            endpoint: None,
            methods: None,
            defaults: Vec::new(),
            host: None,
            subdomain: None,
            strict_slashes: None,
            merge_slashes: None,
            automatic_options: None,
            redirect_to: None,
            is_build_only: false,
            is_alias: false,
            is_websocket: false,
        }
    }

    pub(in crate::app) fn pattern(&self) -> &str {
        &self.pattern
    }

    pub(in crate::app) fn has_methods(&self) -> bool {
        self.methods.is_some()
    }

    pub(in crate::app) fn has_subdomain(&self) -> bool {
        self.subdomain.is_some()
    }

    pub(in crate::app) fn get_endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// Whether no request is ever answered by it.
    pub(in crate::app) fn needs_no_view(&self) -> bool {
        self.redirect_to.is_some() || self.is_build_only
    }

    /// The same rule below a prefix, with one slash between them; an empty pattern becomes the prefix.
    pub(in crate::app) fn below(mut self, prefix: &str) -> Self {
        self.pattern = match self.pattern.trim_start_matches('/') {
            _ if self.pattern.is_empty() => prefix.to_owned(),
            pattern => format!("{}/{pattern}", prefix.trim_end_matches('/')),
        };
        self
    }

    /// The same rule with a default that it has not got under that name.
    pub(in crate::app) fn or_default(self, name: &str, value: PathValue<'static>) -> Self {
        let has_one = self.defaults.iter().any(|(other, _)| other == name);
        if has_one { self } else { self.defaults([(name, value)]) }
    }

    /// The name that URLs are built by. Several rules may share it.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Takes these methods only, HEAD with GET, and OPTIONS by itself unless
    /// [`automatic_options`](Rule::automatic_options) says otherwise.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = Some(methods.into_iter().collect());
        self
    }

    /// Values that the rule adds to those of its path, in the place of any before under these names.
    ///
    /// Rules of one endpoint that differ in what is a default and what a variable are one page with several URLs: a
    /// request for `/all/page/1` is redirected to `/all/` if the rule of that has the default `page` = 1.
    pub fn defaults<N, V>(mut self, defaults: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<PathValue<'static>>,
    {
        for (name, value) in defaults {
            let name = name.into();
            self.defaults.retain(|(other, _)| *other != name);
            self.defaults.push((name, value.into()));
        }
        self
    }

    /// The host, in a map with [`host_matching`](super::MapBuilder::host_matching): a pattern as that of the path,
    /// with the port if it is not that of the scheme. `<host>` takes every host.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The subdomain, in a map with [`subdomain_matching`](super::MapBuilder::subdomain_matching): a pattern as that
    /// of the path.
    pub fn subdomain(mut self, subdomain: impl Into<String>) -> Self {
        self.subdomain = Some(subdomain.into());
        self
    }

    /// Whether the slash at the end makes a difference; the map says so for rules that do not.
    pub fn strict_slashes(mut self, is_strict: bool) -> Self {
        self.strict_slashes = Some(is_strict);
        self
    }

    /// Whether a path with several slashes in a row is redirected to one with single slashes; the map says so for
    /// rules that do not.
    pub fn merge_slashes(mut self, is_merging: bool) -> Self {
        self.merge_slashes = Some(is_merging);
        self
    }

    /// Whether OPTIONS is taken where [`methods`](Rule::methods) leaves it out; the map says so for rules that do not.
    pub fn automatic_options(mut self, is_automatic: bool) -> Self {
        self.automatic_options = Some(is_automatic);
        self
    }

    /// Redirects from here to another pattern, whose variables are filled with those of this rule: to a path, or to a
    /// URL that begins with `http://` or `https://`.
    pub fn redirect_to(mut self, pattern: impl Into<String>) -> Self {
        self.redirect_to = Some(pattern.into());
        self
    }

    /// Never matches, but builds URLs of what somebody else serves.
    pub fn build_only(mut self) -> Self {
        self.is_build_only = true;
        self
    }

    /// Redirects to the other rule with the same endpoint and the same variables.
    pub fn alias(mut self) -> Self {
        self.is_alias = true;
        self
    }

    /// Matches WebSockets only; without this a rule matches none.
    pub fn websocket(mut self) -> Self {
        self.is_websocket = true;
        self
    }

    /// The same rule below a path: Werkzeug's `Submount`.
    pub fn submount(mut self, path: &str) -> Self {
        self.pattern = format!("{}{}", path.trim_end_matches('/'), self.pattern);
        self
    }

    /// The same rule with something in front of its endpoint: Werkzeug's `EndpointPrefix`.
    pub fn endpoint_prefix(mut self, prefix: &str) -> Self {
        self.endpoint = self.endpoint.map(|endpoint| format!("{prefix}{endpoint}"));
        self
    }
}

impl From<&str> for Rule {
    fn from(pattern: &str) -> Self {
        Rule::new(pattern)
    }
}

impl From<String> for Rule {
    fn from(pattern: String) -> Self {
        Rule::new(pattern)
    }
}
