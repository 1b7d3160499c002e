//! [`redirect`]: a response that sends the client elsewhere.

use std::fmt;

use ::http::{HeaderValue, StatusCode, header};

use super::byte_set::ByteSet;
use super::escape::escape;
use super::percent::percent_encode;
use super::response::Response;

/// Sends the client to `location` with 302: Quart's and Werkzeug's `redirect`. The body is a short page with a link.
///
/// The location is a URL or a part of one, as `/login?next=%2F`. What may not stand in one is percent-encoded, as
/// Werkzeug's `iri_to_uri` does: control bytes and with them line ends, spaces, quotes, angle brackets, backslashes and
/// all that is not ASCII. A percent sign stays, so that what is encoded already is not encoded again. A host that is not
/// ASCII is percent-encoded, too (RFC 3986, 3.2.2), where Werkzeug writes Punycode.
///
/// Where to is not looked at: a location that a client has named may lead to any other host, also as `//host`.
///
/// ```
/// use foster::http::{HeaderValue, StatusCode, header, redirect};
///
/// let response = redirect("/cafés");
/// assert_eq!(response.status(), StatusCode::FOUND);
/// assert_eq!(response.headers().get(&header::LOCATION), Some(&HeaderValue::from_static("/caf%C3%A9s")));
/// ```
pub fn redirect(location: impl AsRef<str>) -> Response {
    to(location.as_ref(), StatusCode::FOUND)
}

/// As [`redirect`] with another status: 301, 302, 303, 305, 307 or 308.
///
/// # Errors
///
/// [`NotARedirect`] for every other status: 300 is a choice, and 304 goes without a location.
///
/// ```
/// use foster::http::{StatusCode, redirect_with};
///
/// assert!(redirect_with("/new", StatusCode::PERMANENT_REDIRECT).is_ok());
/// assert!(redirect_with("/new", StatusCode::NOT_MODIFIED).is_err());
/// ```
pub fn redirect_with(location: impl AsRef<str>, status: StatusCode) -> Result<Response, NotARedirect> {
    match status.as_u16() {
        301 | 302 | 303 | 305 | 307 | 308 => Ok(to(location.as_ref(), status)),
        _ => Err(NotARedirect(status)),
    }
}

fn to(location: &str, status: StatusCode) -> Response {
    let location = to_uri(location);
    let link = escape(&location);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<title>Moved</title>\n<p>Go on to <a href=\"{link}\">{link}</a>.\n"
    );
    let location = HeaderValue::try_from(location).expect("what is not visible ASCII is percent-encoded");
    let mut response = Response::with_type(HeaderValue::from_static("text/html; charset=utf-8"), page);
    response.set_status(status);
    response.headers_mut().append(header::LOCATION, location);
    response
}

/// A URL with what may not stand in one percent-encoded: Werkzeug's `iri_to_uri`, but for the host.
pub(crate) fn to_uri(text: &str) -> String {
    percent_encode(text, &IN_URL)
}

/// What a URI is made of: the unreserved and the reserved characters (RFC 3986, 2.2 and 2.3) and the percent sign.
static IN_URL: ByteSet = ByteSet::alphanumeric_and(b"-._~:/?#[]@!$&'()*+,;=%");

/// A status that sends nobody elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARedirect(pub StatusCode);

impl fmt::Display for NotARedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.0.as_u16();
        write!(f, "{status} is no status of a redirect: these are 301, 302, 303, 305, 307 and 308")
    }
}

impl std::error::Error for NotARedirect {}
