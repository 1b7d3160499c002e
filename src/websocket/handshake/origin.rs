//! [`Origins`]: whose pages may open a WebSocket.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use crate::http::{RequestHead, header};

use super::authority::split_authority;
use super::error::HandshakeError;

/// Whose pages may open a WebSocket. A browser lets every page connect to every host, with the cookies of that host, and
/// says in `Origin` which page it is: whoever trusts cookies has to look there.
///
/// A request without `Origin` passes in every case: only browsers send it, and every other client can write into it what
/// it likes. `null`, which sandboxed pages and files have, several fields, and what is no origin pass only with `Any`.
///
/// ```
/// use foster::websocket::Origins;
///
/// let origins = Origins::list(["https://example.org", "http://localhost:3000"])?;
/// assert!(Origins::list(["example.org"]).is_err(), "an origin has a scheme");
/// # foster::Ok(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Pages of this server: `Origin` names the host and port that the request is for. The scheme has to be `https` on an
    /// encrypted connection. On another it may be either: a browser lets no page of `https` open an unencrypted
    /// connection, so there a proxy in front has taken the encryption off. The proxy has to leave `Host` as it is.
    #[default]
    Same,
    /// Pages of these origins.
    List(Vec<Origin>),
    /// Every page.
    Any,
}

impl Origins {
    /// Pages of these origins, each `scheme://host` or `scheme://host:port`.
    ///
    /// # Errors
    ///
    /// [`BadOrigin`], the first of them.
    pub fn list(origins: impl IntoIterator<Item: AsRef<str>>) -> Result<Self, BadOrigin> {
        origins.into_iter().map(|origin| origin.as_ref().parse()).collect::<Result<_, _>>().map(Origins::List)
    }

    /// Looks at the origin of a request.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Origin`] if it is not allowed.
    pub(super) fn check(&self, head: &RequestHead, is_secure: bool) -> Result<(), HandshakeError> {
        let mut values = head.headers().get_all(header::ORIGIN.as_str());
        let Some(value) = values.next() else { return Ok(()) };
        let text = String::from_utf8_lossy(value);
        let origin = if values.next().is_none() { text.parse::<Origin>().ok() } else { None };
        let is_allowed = match self {
            Origins::Any => true,
            Origins::List(allowed) => origin.is_some_and(|origin| allowed.contains(&origin)),
            Origins::Same => origin.is_some_and(|origin| origin.is_of(head.host().unwrap_or_default(), is_secure)),
        };
        if is_allowed { Ok(()) } else { Err(HandshakeError::Origin { origin: text.into_owned() }) }
    }
}

/// Where a page comes from: scheme, host and port (RFC 6454). Scheme and host compare without regard to case, and the
/// port of the scheme is the same as none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    /// That of the scheme where none was given; `None` where the scheme has none.
    port: Option<u16>,
}

impl Origin {
    /// Whether it is that of the host of a request.
    fn is_of(&self, host: &str, is_secure: bool) -> bool {
        let is_scheme = match self.scheme.as_str() {
            "https" => true,
            "http" => !is_secure,
            _ => false,
        };
        let found = split_authority(host);
        is_scheme && found.is_some_and(|(host, port)| host == self.host && port.or(self.default_port()) == self.port)
    }

    fn default_port(&self) -> Option<u16> {
        match self.scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        }
    }
}

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let parts = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
        let parts = parts.and_then(|(scheme, authority)| Some((scheme, split_authority(authority)?)));
        let Some((scheme, (host, port))) = parts else { return Err(BadOrigin { text: text.to_owned() }) };
        let mut origin = Origin { scheme: scheme.to_ascii_lowercase(), host, port };
        origin.port = origin.port.or(origin.default_port());
        Ok(origin)
    }
}

/// As browsers write it: without the port of the scheme.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) if self.port != self.default_port() => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

/// `scheme` of RFC 3986, 3.1.
fn is_scheme(scheme: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(is_fine)
}

/// Text that is no origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOrigin {
    text: String,
}

impl fmt::Display for BadOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no origin: write scheme://host or scheme://host:port, with nothing behind it", self.text)
    }
}

impl Error for BadOrigin {}
