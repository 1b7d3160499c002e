//! [`Url`]: what a test asks for, and where a redirect leads.

use std::borrow::Cow;
use std::fmt;

use crate::http::to_uri;

/// A URL of `http` or `https`, without a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) is_secure: bool,
    /// With its port, if there is one.
    pub(super) host: String,
    /// Path and query.
    pub(super) target: String,
}

impl Url {
    /// Takes a whole URL apart; `None` if it is none of `http` or `https`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_secure = scheme.eq_ignore_ascii_case("https");
        if !is_secure && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, target) = rest.split_at(end);
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        (!host.is_empty()).then(|| Url { is_secure, host: host.to_owned(), target })
    }

    /// The path, with its percent-encoding.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The host without its port.
    pub(super) fn name(&self) -> &str {
        name(&self.host)
    }

    /// Where `Location` leads from here (RFC 3986, 5.2); `None` if that is no URL of `http` or `https`. What may not stand
    /// in a URL is percent-encoded.
    pub(super) fn resolve(&self, location: &str) -> Option<Self> {
        let location = to_uri(location);
        let location = location.split('#').next().unwrap_or_default();
        let resolved = if let Some(rest) = location.strip_prefix("//") {
            let scheme = if self.is_secure { "https" } else { "http" };
            Url::parse(&format!("{scheme}://{rest}"))?
        } else if has_scheme(location) {
            Url::parse(location)?
        } else {
            let target = match location.chars().next() {
                None => Cow::Borrowed(&*self.target),
                Some('/') => Cow::Borrowed(location),
                Some('?') => Cow::Owned(format!("{}{location}", self.path())),
                Some(_) => {
                    let (folder, _) = self.path().rsplit_once('/').unwrap_or_default();
                    Cow::Owned(format!("{folder}/{location}"))
                }
            };
            Url { target: target.into_owned(), ..self.clone() }
        };
        let (path, query) = match resolved.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&*resolved.target, None),
        };
        let path = without_dots(path);
        let target = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        Some(Url { target, ..resolved })
    }
}

/// A host without its port.
pub(super) fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

/// Whether a host is that domain, or a subdomain of it, in any case.
pub(super) fn lies_in(host: &str, domain: &str) -> bool {
    let at = host.len().checked_sub(domain.len());
    let (rest, end) = at.and_then(|at| host.split_at_checked(at)).unwrap_or_default();
    end.eq_ignore_ascii_case(domain) && (rest.is_empty() || rest.ends_with('.'))
}

fn has_scheme(text: &str) -> bool {
    let end = text.find(['/', '?']).unwrap_or(text.len());
    text[..end].contains(':')
}

/// The path without `.` and `..` (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            segment => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.host, self.target)
    }
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
