//! [`Map`]: rules that requests are matched against and URLs are built from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use super::binding::merged;
use super::bound::BoundRule;
use super::builder::{MapBuilder, Options};
use super::found::Match;
use super::matching::{Matching, Seen, Step};
use super::methods::{MethodKey, Methods};
use super::no_match::NoMatch;
use super::path_text::PathText;
use super::request::MatchRequest;
use super::state::States;
use super::values::{PathValues, Texts};
use crate::http::Method;

/// Rules, each with a value of the application's: Werkzeug's `Map`. It does not change once it is built.
///
/// An empty map matches nothing.
///
/// ```
/// use foster::app::routing::{Map, MatchRequest, NoMatch, Rule};
/// use foster::http::Method;
///
/// let map = Map::builder()
///     .rule(Rule::new("/").endpoint("index"), "the start")
///     .rule(Rule::new("/users/<int:id>/").endpoint("user").methods([Method::GET]), "a user")
///     .build()?;
///
/// let found = map.match_request(&MatchRequest::new(&Method::GET, "/users/7/")).expect("a rule takes it");
/// assert_eq!((*found.value(), found.values().get("id").and_then(|id| id.as_int())), ("a user", Some(7)));
///
/// let moved = map.match_request(&MatchRequest::new(&Method::GET, "/users/7")).err();
/// assert_eq!(moved, Some(NoMatch::Redirect { location: "/users/7/".to_owned() }));
///
/// let values = [("id", 7.into()), ("tab", "a&b".into())];
/// assert_eq!(map.build("user", &values, &Default::default())?, "/users/7/?tab=a%26b");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Map<T> {
    pub(super) options: Options,
    pub(super) states: States,
    pub(super) rules: Vec<Rc<BoundRule>>,
    pub(super) values: Vec<T>,
    /// The rules of each endpoint, in the order in which they are tried when a URL is built.
    pub(super) endpoints: HashMap<String, Vec<usize>>,
}

impl<T> Map<T> {
    /// A map without rules and options, to begin with.
    pub fn builder() -> MapBuilder<T> {
        MapBuilder::new()
    }

    /// The rule for a request.
    ///
    /// What was percent-encoded is decoded behind the split at slashes: `%2F` is part of a value. However many rules
    /// there are, and whatever the path is, each step of each rule is tried at most once.
    ///
    /// # Errors
    ///
    /// [`NoMatch`] says what else to answer.
    pub fn match_request<'m, 'p>(&'m self, request: &MatchRequest<'p>) -> Result<Match<'m, 'p, T>, NoMatch> {
        let path = single_slash(request.path).ok_or(NoMatch::NotFound)?;
        let host = self.domain_of(request.host, request.is_secure).ok_or(NoMatch::NotFound)?;
        let host = PathText::plain(host);
        let text = PathText::decode(path).ok_or(NoMatch::NotFound)?;
        let mut seen = Seen::new();
        let (nth, taken) = match self.walk(&host, &text, request, &mut seen) {
            Some(Step::Rule(nth, taken)) => (nth, taken),
            Some(Step::SlashMissing) => return Err(self.redirect(request, &format!("{path}/"))),
            None => return Err(self.merge(&host, path, request, &mut seen)),
        };
        let rule = &self.rules[nth];
        let texts = Texts::new(host.into_text(), text.into_text());
        let values = PathValues { rule: Rc::clone(rule), captures: seen.captures, texts };
        if rule.is_alias() || !rule.canonical.is_empty() || rule.redirect.is_some() {
            if let Some(location) = self.location(&values, request) {
                return Err(NoMatch::Redirect { location });
            }
        }
        Ok(Match { value: &self.values[nth], values, taken })
    }

    /// The methods that rules take for the host and the path of a request, whatever its method is: what `Allow` says
    /// in an answer to OPTIONS. Empty if no rule there names methods.
    pub fn allowed_methods(&self, request: &MatchRequest<'_>) -> Methods {
        let mut seen = Seen::new();
        let path = single_slash(request.path).and_then(PathText::decode);
        if let (Some(path), Some(host), Ok(none)) =
            (path, self.domain_of(request.host, request.is_secure), Method::from_bytes(NO_METHOD))
        {
            self.walk(&PathText::plain(host), &path, &MatchRequest { method: &none, ..*request }, &mut seen);
        }
        seen.allowed
    }

    /// The rules and their values, in the order in which they were added.
    pub fn rules(&self) -> impl Iterator<Item = (&BoundRule, &T)> {
        self.rules.iter().map(Rc::as_ref).zip(&self.values)
    }

    /// Whether a rule of the endpoint has variables or defaults of all these names: Werkzeug's `is_endpoint_expecting`.
    pub fn is_endpoint_expecting(&self, endpoint: &str, names: &[&str]) -> bool {
        let rules = self.endpoints.get(endpoint).map_or(&[][..], Vec::as_slice);
        rules.iter().any(|&nth| names.iter().all(|name| self.rules[nth].arguments.contains(*name)))
    }

    /// What rules have to match of the host: nothing, all of it, or the subdomain. `None` if it is not below the name
    /// of the server.
    pub(super) fn domain_of<'p>(&self, host: &'p str, is_secure: bool) -> Option<Cow<'p, str>> {
        if !self.looks_at_hosts() {
            return Some(Cow::Borrowed(""));
        }
        let host = without_port_of_scheme(host, is_secure);
        let host = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        };
        if self.options.host_matching {
            return Some(host);
        }
        let server = without_port_of_scheme(self.options.server_name.as_deref()?, is_secure);
        let n_below = host.len().checked_sub(server.len()).filter(|_| host.ends_with(server))?;
        match n_below.checked_sub(1) {
            None => Some(Cow::Borrowed("")),
            Some(end) if host.as_bytes()[end] == b'.' => Some(match host {
                Cow::Borrowed(host) => Cow::Borrowed(&host[..end]),
                Cow::Owned(host) => Cow::Owned(host[..end].to_owned()),
            }),
            Some(_) => None,
        }
    }

    pub(in crate::app) fn looks_at_hosts(&self) -> bool {
        self.options.host_matching || self.options.subdomain_matching
    }

    fn walk(
        &self,
        host: &PathText<'_>,
        path: &PathText<'_>,
        request: &MatchRequest<'_>,
        seen: &mut Seen,
    ) -> Option<Step> {
        let (method, is_websocket) = (MethodKey::of(request.method), request.is_websocket);
        let mut matching =
            Matching { states: &self.states, rules: &self.rules, host, path, method, is_websocket, seen };
        matching.run(self.looks_at_hosts())
    }

    /// What is said where the path matches nothing as it came: with single slashes it may.
    fn merge(&self, host: &PathText<'_>, path: &str, request: &MatchRequest<'_>, seen: &mut Seen) -> NoMatch {
        if self.options.merge_slashes && path.contains("//") {
            let path = merged(path);
            let step = PathText::decode(&path).and_then(|text| self.walk(host, &text, request, seen));
            match step {
                Some(Step::SlashMissing) => return self.redirect(request, &format!("{path}/")),
                Some(Step::Rule(nth, _)) if self.rules[nth].is_merging => return self.redirect(request, &path),
                Some(Step::Rule(..)) | None => {}
            }
        }
        if !seen.allowed.is_empty() {
            NoMatch::MethodNotAllowed { allowed: std::mem::take(&mut seen.allowed) }
        } else if seen.is_websocket_mismatch {
            NoMatch::WebSocketMismatch
        } else {
            NoMatch::NotFound
        }
    }
}

impl<T> fmt::Debug for Map<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.rules).finish()
    }
}

/// The path with one slash at its start; `None` if it has none there.
fn single_slash(path: &str) -> Option<&str> {
    if !path.starts_with("//") {
        return (path.is_empty() || path.starts_with('/')).then_some(path);
    }
    Some(&path[path.len() - path.trim_start_matches('/').len() - 1..])
}

fn without_port_of_scheme(host: &str, is_secure: bool) -> &str {
    host.strip_suffix(if is_secure { ":443" } else { ":80" }).unwrap_or(host)
}

/// A method that no rule names.
const NO_METHOD: &[u8] = b"-";
