//! [`BuildOptions`]: how a URL is to look.

use crate::http::Method;

/// What a URL is built with besides values: the arguments of Quart's `url_for` that begin with an underscore, and what
/// those of the request in question say.
///
/// The default builds a path.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuildOptions<'o> {
    /// A rule for this method; without it, one for GET if there is one.
    pub method: Option<&'o Method>,
    /// `http` unless set. A rule for WebSockets makes `ws` of it, and `wss` of `https`.
    pub scheme: Option<&'o str>,
    /// The host of the request with its port. The URL is a path if its rule is for this host.
    pub host: Option<&'o str>,
    /// What the application is mounted below.
    pub root_path: &'o str,
    /// What stands behind `#`, not yet encoded.
    pub anchor: Option<&'o str>,
    /// Whether the URL has a scheme and a host in any case. Those of WebSockets always have.
    pub external: bool,
}

impl BuildOptions<'_> {
    pub(super) fn is_secure(&self) -> bool {
        matches!(self.scheme, Some("https" | "wss"))
    }
}
