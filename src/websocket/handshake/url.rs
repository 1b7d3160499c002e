//! [`WebSocketUrl`]: where a client connects to.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::http::{HeaderValue, percent_decode};

use super::authority::split_authority;

/// `ws://` or `wss://`, a host, and what is asked for there (RFC 6455, 3). Parse it.
///
/// User and password in front of the host become `Authorization: Basic`, as in Python's `websockets`. What is shown of a
/// URL leaves them out.
///
/// ```
/// use foster::websocket::WebSocketUrl;
///
/// let url: WebSocketUrl = "wss://example.org/chat?room=1".parse()?;
/// assert_eq!((url.host(), url.port(), url.is_secure()), ("example.org", 443, true));
/// assert_eq!(url.target(), "/chat?room=1");
/// assert!("ws://example.org/#top".parse::<WebSocketUrl>().is_err());
/// # foster::Ok(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketUrl {
    is_secure: bool,
    host: String,
    port: u16,
    host_header: HeaderValue,
    target: String,
    authorization: Option<HeaderValue>,
}

impl WebSocketUrl {
    /// Whether the connection is encrypted: `wss`.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The host to connect to, in lower case, and an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: 80, or 443 of `wss`, unless there is another.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `Host` says: the port is left out where it is that of the scheme.
    pub fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// The target of the request: path and query, `/` at least.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What `Authorization` says, if the URL has a user and a password.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

impl FromStr for WebSocketUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        // `Uri` drops a fragment in silence, and takes what lies beyond ASCII.
        if text.contains('#') {
            return Err(BadUrl::Fragment);
        }
        let uri: ::http::Uri = text.parse().map_err(|_| BadUrl::Syntax)?;
        let is_secure = match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("wss") => true,
            Some(scheme) if scheme.eq_ignore_ascii_case("ws") => false,
            _ => return Err(BadUrl::Scheme),
        };
        let default_port = if is_secure { 443 } else { 80 };
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, authority),
        };
        let (bracketed, port) = split_authority(authority).ok_or(BadUrl::Host)?;
        let port = port.unwrap_or(default_port);
        if port == 0 {
            return Err(BadUrl::Port);
        }
        let header = if port == default_port { bracketed.clone() } else { format!("{bracketed}:{port}") };
        let target = match uri.query() {
            Some(query) => format!("{}?{query}", uri.path()),
            None => uri.path().to_owned(),
        };
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadUrl::Target);
        }
        Ok(WebSocketUrl {
            is_secure,
            host: bracketed.trim_matches(['[', ']']).to_owned(),
            port,
            host_header: HeaderValue::try_from(header).map_err(|_| BadUrl::Host)?,
            target,
            authorization: user.map(basic).transpose()?,
        })
    }
}

/// `Authorization` with user and password (RFC 7617).
fn basic(user_info: &str) -> Result<HeaderValue, BadUrl> {
    let (user, password) = user_info.split_once(':').ok_or(BadUrl::User)?;
    let (Ok(user), Ok(password)) = (percent_decode(user), percent_decode(password)) else { return Err(BadUrl::User) };
    // The first colon ends the user (RFC 7617, 2).
    if user.contains(':') {
        return Err(BadUrl::User);
    }
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::try_from(format!("Basic {credentials}")).map_err(|_| BadUrl::User)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The URL without user and password.
impl fmt::Display for WebSocketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.host_header.to_str().unwrap_or_default(), self.target)
    }
}

/// What is wrong with a URL of a WebSocket. None of it shows the URL, which may have a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadUrl {
    /// It is no URL.
    Syntax,
    /// The scheme is neither `ws` nor `wss`.
    Scheme,
    /// It has a fragment, which has no meaning here (RFC 6455, 3).
    Fragment,
    /// The host is empty, or neither a name nor an address; or the port is no number up to 65,535.
    Host,
    /// The port is 0.
    Port,
    /// What stands in front of the host is not `user:password`, percent-encoded, without a colon in the user.
    User,
    /// Path or query have bytes beyond ASCII.
    Target,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadUrl::Syntax => "the URL is none: write ws://host:port/path or wss://host:port/path",
            BadUrl::Scheme => "the scheme of the URL is neither ws nor wss",
            BadUrl::Fragment => "the URL has a fragment: leave # and what follows out, or write %23",
            BadUrl::Host => "the URL has no host that is a name or an address, with a port of at most 65535",
            BadUrl::Port => "the URL has the port 0",
            BadUrl::User => "the URL has something in front of its host that is not user:password, percent-encoded",
            BadUrl::Target => "the path or the query of the URL is not ASCII: percent-encode it",
        })
    }
}

impl Error for BadUrl {}
