//! [`Jar`]: the cookies of a client.

use std::time::SystemTime;

use super::url::{Url, lies_in};
use crate::http::{Cookie, HeaderValue};

/// As many as RFC 6265, 6.1 asks for; the oldest goes for one more.
const MAX_COOKIES: usize = 3000;

/// Cookies in the order they were set first.
#[derive(Default)]
pub(super) struct Jar {
    cookies: Vec<Kept>,
}

struct Kept {
    cookie: Cookie<'static>,
    domain: String,
    /// No subdomain gets it.
    is_host_only: bool,
    path: String,
    /// On the clock of the loop.
    expires: Option<f64>,
}

impl Jar {
    /// Takes in what a response to a request for `url` says (RFC 6265, 5.3). What is no cookie, or is for a domain that
    /// the host does not lie in, is left out.
    pub(super) fn store(&mut self, url: &Url, field: &HeaderValue, now: f64) {
        let Ok(text) = std::str::from_utf8(field.as_bytes()) else { return };
        let Ok(cookie) = Cookie::parse(text) else { return };
        let cookie = cookie.into_owned();
        let host = url.name().to_ascii_lowercase();
        let domain = cookie.domain().map(str::to_ascii_lowercase).filter(|domain| !domain.is_empty());
        let (domain, is_host_only) = match domain {
            Some(domain) if lies_in(&host, &domain) => (domain, false),
            Some(_) => return,
            None => (host, true),
        };
        let path = match cookie.path() {
            Some(path) if path.starts_with('/') => path.to_owned(),
            _ => default_path(url.path()).to_owned(),
        };
        let expires = expires(&cookie, now);
        let kept = Kept { cookie, domain, is_host_only, path, expires };
        let place = self.cookies.iter().position(|other| kept.is_for_the_same(other));
        match place {
            _ if kept.has_expired(now) => {
                place.map(|at| self.cookies.remove(at));
            }
            Some(at) => self.cookies[at] = kept,
            None => {
                if self.cookies.len() == MAX_COOKIES {
                    self.cookies.remove(0);
                }
                self.cookies.push(kept);
            }
        }
    }

    /// The field `Cookie` of a request for `url`, longest paths first (RFC 6265, 5.4).
    pub(super) fn field(&self, url: &Url, now: f64) -> Option<HeaderValue> {
        if self.cookies.is_empty() {
            return None;
        }
        let mut sent: Vec<&Kept> = self.cookies.iter().filter(|kept| kept.is_sent_to(url, now)).collect();
        sent.sort_by_key(|kept| std::cmp::Reverse(kept.path.len()));
        let pairs: Vec<String> = sent
            .into_iter()
            .map(
                |Kept { cookie, .. }| {
                    if cookie.name().is_empty() { cookie.value().to_owned() } else { cookie.stripped().to_string() }
                },
            )
            .collect();
        (!pairs.is_empty()).then(|| HeaderValue::try_from(pairs.join("; ")).ok())?
    }

    /// Those that have not expired.
    pub(super) fn iter(&self, now: f64) -> impl Iterator<Item = &Cookie<'static>> {
        self.cookies.iter().filter(move |kept| !kept.has_expired(now)).map(|kept| &kept.cookie)
    }
}

impl Kept {
    fn is_for_the_same(&self, other: &Kept) -> bool {
        self.cookie.name() == other.cookie.name() && self.domain == other.domain && self.path == other.path
    }

    fn has_expired(&self, now: f64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn is_sent_to(&self, url: &Url, now: f64) -> bool {
        let host = url.name().to_ascii_lowercase();
        let is_host = if self.is_host_only { host == self.domain } else { lies_in(&host, &self.domain) };
        // As browsers have it, what is said to the own machine needs no encryption.
        let is_private = url.is_secure || host == "localhost" || host.ends_with(".localhost");
        let is_path = match url.path().strip_prefix(&*self.path) {
            Some(rest) => rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'),
            None => false,
        };
        is_host && is_path && (is_private || self.cookie.secure() != Some(true)) && !self.has_expired(now)
    }
}

/// The folder of a path (RFC 6265, 5.1.4).
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

/// When a cookie ends, on a clock that says `now`: `Max-Age` counts before `Expires`.
fn expires(cookie: &Cookie<'_>, now: f64) -> Option<f64> {
    if let Some(max_age) = cookie.max_age() {
        return Some(now + max_age.as_seconds_f64());
    }
    let expires = cookie.expires_datetime()?;
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Some(now + expires.unix_timestamp() as f64 - today.as_secs_f64())
}
