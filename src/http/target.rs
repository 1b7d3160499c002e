//! [`Target`]: the four forms of a request target (RFC 9112, 3.2).

use ::http::Method;

use super::error::HttpError;

/// What a request is for, as its line says. Nothing is decoded or resolved: `/a/../b` and `%2e` stay as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target<'a> {
    /// `/path?query`: what clients send to servers.
    Origin {
        /// From the first slash up to the question mark.
        path: &'a str,
        /// Behind the question mark, if there is one.
        query: Option<&'a str>,
    },
    /// `http://host/path?query`: what clients send to proxies, and what servers take, too. Its authority stands above
    /// the `Host` field.
    Absolute {
        /// In the spelling of the client.
        scheme: &'a str,
        /// `host` or `host:port`.
        authority: &'a str,
        /// `/` where the target has none.
        path: &'a str,
        /// Behind the question mark, if there is one.
        query: Option<&'a str>,
    },
    /// `host:port`, of CONNECT alone.
    Authority(&'a str),
    /// `*`, of OPTIONS alone.
    Asterisk,
}

impl<'a> Target<'a> {
    /// The path; `*` and the empty string for the forms that have none.
    pub fn path(&self) -> &'a str {
        match self {
            Target::Origin { path, .. } | Target::Absolute { path, .. } => path,
            Target::Authority(_) => "",
            Target::Asterisk => "*",
        }
    }

    /// What stands behind the question mark.
    pub fn query(&self) -> Option<&'a str> {
        match self {
            Target::Origin { query, .. } | Target::Absolute { query, .. } => *query,
            Target::Authority(_) | Target::Asterisk => None,
        }
    }

    /// The host that the target itself names.
    pub fn authority(&self) -> Option<&'a str> {
        match self {
            Target::Absolute { authority, .. } | Target::Authority(authority) => Some(authority),
            Target::Origin { .. } | Target::Asterisk => None,
        }
    }

    /// Takes a target apart that has neither spaces nor control bytes; with `allows_unusual` also one that has bytes beyond
    /// ASCII.
    ///
    /// # Errors
    ///
    /// [`HttpError::Target`] if it is in none of the forms that a request with this method may have.
    pub(crate) fn read(text: &'a str, method: &Method, allows_unusual: bool) -> Result<Self, HttpError> {
        let mut query = None;
        for (n, byte) in text.bytes().enumerate() {
            match byte {
                b'?' if query.is_none() => query = Some(n),
                // A fragment is never sent (RFC 9112, 3.2), and what lies beyond ASCII has to be percent-encoded.
                b'#' => return Err(HttpError::Target),
                0x80.. if !allows_unusual => return Err(HttpError::Target),
                _ => {}
            }
        }
        if text.starts_with('/') && *method != Method::CONNECT {
            return Ok(match query {
                Some(at) => Target::Origin { path: &text[..at], query: Some(&text[at + 1..]) },
                None => Target::Origin { path: text, query: None },
            });
        }
        Target::parse(text, *method == Method::CONNECT, *method == Method::OPTIONS).ok_or(HttpError::Target)
    }

    /// Takes a target apart; `None` if it is in none of the forms that a request with this method may have.
    pub(crate) fn parse(text: &'a str, is_connect: bool, is_options: bool) -> Option<Self> {
        if is_connect {
            let (host, port) = text.rsplit_once(':')?;
            let is_fine = !host.is_empty() && !port.is_empty() && super::is_host(text.as_bytes());
            return is_fine.then_some(Target::Authority(text));
        }
        if text.starts_with('/') {
            let (path, query) = split_query(text);
            return Some(Target::Origin { path, query });
        }
        if text == "*" {
            return is_options.then_some(Target::Asterisk);
        }
        let (scheme, rest) = text.split_once("://")?;
        let is_scheme = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if !is_scheme || authority.is_empty() || authority.starts_with(':') || !super::is_host(authority.as_bytes()) {
            return None;
        }
        let (path, query) = split_query(rest);
        Some(Target::Absolute { scheme, authority, path: if path.is_empty() { "/" } else { path }, query })
    }
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    match memchr::memchr(b'?', text.as_bytes()) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}
