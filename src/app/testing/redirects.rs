//! Which redirects are followed, and as what.

use super::asked::Asked;
use super::error::TestClientError;
use super::response::TestResponse;
use super::url::{lies_in, name};
use crate::http::{HeaderName, Method, StatusCode, header};

/// As browsers have it (Fetch, 4.4): Python's `requests` follows 30.
pub const MAX_REDIRECTS: usize = 20;

/// What describes a body, and goes with it.
const OF_BODY: [HeaderName; 4] =
    [header::CONTENT_ENCODING, header::CONTENT_LANGUAGE, header::CONTENT_LOCATION, header::CONTENT_TYPE];

/// Where a response sends its client.
pub(super) fn location(response: &TestResponse) -> Option<&str> {
    let is_redirect = matches!(response.status_code().as_u16(), 301 | 302 | 303 | 307 | 308);
    response.location().filter(|_| is_redirect)
}

impl Asked {
    /// Turns to where a response sends it, as Werkzeug's client does: 307 and 308 keep method and body, for all others HEAD
    /// stays HEAD and the rest becomes GET (RFC 9110, 15.4 leaves that to clients for 301 and 302).
    pub(super) fn turn_to(&mut self, location: &str, status: StatusCode, home: &str) -> Result<(), TestClientError> {
        let elsewhere = || TestClientError::Elsewhere(location.to_owned());
        let url = self.url.resolve(location).ok_or_else(elsewhere)?;
        let is_same = url.name().eq_ignore_ascii_case(self.url.name());
        if !is_same && !lies_in(url.name(), name(home)) {
            return Err(elsewhere());
        }
        if !is_same {
            // Who is asked now was not meant.
            self.headers.remove(&header::AUTHORIZATION);
        }
        self.url = url;
        if !matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
            if self.method != Method::HEAD {
                self.method = Method::GET;
            }
            self.body = None;
            self.declared = None;
            OF_BODY.iter().for_each(|name| self.headers.remove(name));
        }
        Ok(())
    }
}
