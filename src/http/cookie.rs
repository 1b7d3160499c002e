//! Cookies that are set: [`Response::set_cookie`].

use std::fmt;

use ::cookie::Cookie;
use ::cookie::time::{Duration, OffsetDateTime};
use ::http::{HeaderValue, header};

use super::byte_set::{ByteSet, IN_TOKEN};
use super::percent::percent_encode;
use super::response::Response;

impl Response {
    /// Sets a cookie, beside others that are set already: Werkzeug's `set_cookie`. It is a pair of name and value, or a
    /// [`Cookie`] with attributes.
    ///
    /// What is not given is as in Werkzeug: the path is `/`, where the [`cookie`](::cookie) crate has none; there is no
    /// domain, so that no other host gets it; it lasts until the browser ends; and it is sent to scripts, without
    /// encryption, and as browsers have it to other sites. An empty path is that of the request. `Max-Age` is in
    /// seconds, and sets no `Expires` of its own, which would need a clock. `Partitioned` and `SameSite=None` bring
    /// `Secure`, without which browsers take neither.
    ///
    /// A value may be any text: one with spaces, quotes, commas, semicolons, backslashes, control characters or what is
    /// not ASCII is sent in quotes, with octal escapes as Werkzeug and Python's `http.cookies` write them, and
    /// [`Cookies`](super::Cookies) reads it back. A path is percent-encoded where it has to be.
    ///
    /// # Errors
    ///
    /// [`CookieError`], and no cookie is set.
    ///
    /// ```
    /// use foster::http::{Cookie, Response, SameSite, header, time::Duration};
    ///
    /// let mut response = Response::text("hello");
    /// response.set_cookie(("theme", "dark"))?;
    /// let seen = Cookie::build(("seen", "1")).max_age(Duration::days(1)).http_only(true).same_site(SameSite::Lax);
    /// response.set_cookie(seen)?;
    ///
    /// let set: Vec<_> = response.headers().iter().map(|(_, value)| value.as_bytes()).collect();
    /// assert_eq!(set, [&b"theme=dark; Path=/"[..], b"seen=1; HttpOnly; SameSite=Lax; Path=/; Max-Age=86400"]);
    /// # foster::Ok(())
    /// ```
    pub fn set_cookie<'c>(&mut self, cookie: impl Into<Cookie<'c>>) -> Result<(), CookieError> {
        let field = set_cookie_field(cookie.into())?;
        self.headers_mut().append(header::SET_COOKIE, field);
        Ok(())
    }

    /// Has the client forget a cookie: Werkzeug's `delete_cookie`. It is the name of one with the path `/` and no
    /// domain, or a [`Cookie`] with the path, the domain and the other attributes it was set with: a browser takes no
    /// notice if path or domain differ.
    ///
    /// # Errors
    ///
    /// As [`set_cookie`](Response::set_cookie).
    ///
    /// ```
    /// use foster::http::{Cookie, Response};
    ///
    /// let mut response = Response::text("bye");
    /// response.delete_cookie("theme")?;
    /// response.delete_cookie(Cookie::build("seen").path("/admin").domain("example.com"))?;
    /// # foster::Ok(())
    /// ```
    pub fn delete_cookie<'c>(&mut self, cookie: impl Into<Cookie<'c>>) -> Result<(), CookieError> {
        let mut cookie = cookie.into();
        cookie.set_value("");
        cookie.set_max_age(Duration::ZERO);
        cookie.set_expires(OffsetDateTime::UNIX_EPOCH);
        self.set_cookie(cookie)
    }
}

/// The value of `Set-Cookie`, with nothing in it that would end it or begin another attribute.
fn set_cookie_field(mut cookie: Cookie<'_>) -> Result<HeaderValue, CookieError> {
    let is_name = !cookie.name().is_empty() && cookie.name().bytes().all(|byte| IN_TOKEN.contains(byte));
    if !is_name {
        return Err(CookieError::Name(cookie.name().to_owned()));
    }
    if let Some(domain) = cookie.domain() {
        if domain.is_empty() || !domain.bytes().all(|byte| IN_DOMAIN.contains(byte)) {
            return Err(CookieError::Domain(domain.to_owned()));
        }
    }
    if let Some(value) = quoted(cookie.value()) {
        cookie.set_value(value);
    }
    let path = percent_encode(cookie.path().unwrap_or("/"), &IN_PATH);
    cookie.set_path(path);
    // A time before this one has passed as well, and cannot always be written: the crate would panic. It has bounded
    // those of the far future itself. `a_time_that_has_no_date_is_sent_as_one_that_has` guards this.
    if cookie.expires_datetime().is_some_and(|time| time < OffsetDateTime::UNIX_EPOCH) {
        cookie.set_expires(OffsetDateTime::UNIX_EPOCH);
    }
    let field = cookie.to_string();
    if field.len() > MAX_COOKIE_SIZE {
        return Err(CookieError::TooLarge { name: cookie.name().to_owned(), size: field.len() });
    }
    Ok(HeaderValue::try_from(field).expect("every part is visible ASCII or a space"))
}

/// The value in quotes, if it cannot stand without.
fn quoted(value: &str) -> Option<String> {
    if value.bytes().all(|byte| IN_VALUE.contains(byte)) {
        return None;
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' ' => quoted.push(' '),
            _ if IN_VALUE.contains(byte) => quoted.push(char::from(byte)),
            _ => {
                quoted.push('\\');
                quoted.extend([byte >> 6, byte >> 3 & 7, byte & 7].map(|digit| char::from(b'0' + digit)));
            }
        }
    }
    quoted.push('"');
    Some(quoted)
}

/// What stands in a value without quotes: `cookie-octet` of RFC 6265, 4.1.1.
static IN_VALUE: ByteSet = ByteSet::visible_without(b"\",;\\");

/// What stands in a path as it is: that of a URL, and the percent sign. A semicolon would end the attribute.
static IN_PATH: ByteSet = ByteSet::alphanumeric_and(b"-._~%!$&'()*+,/:=@");

/// What a host name is made of, with the underscore that some have.
static IN_DOMAIN: ByteSet = ByteSet::alphanumeric_and(b"-._");

/// In bytes of the whole field, as Werkzeug's `max_cookie_size`. Browsers need to keep 4096 (RFC 6265, 6.1), count
/// differently, and drop what is larger without a word.
pub const MAX_COOKIE_SIZE: usize = 4093;

/// A cookie that no browser would take, or that would be another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is no token (RFC 6265, 4.1.1).
    Name(String),
    /// The domain is no host name of ASCII. A port does not belong to it, and other letters are written in Punycode.
    Domain(String),
    /// It is larger than [`MAX_COOKIE_SIZE`].
    TooLarge {
        /// Of the cookie.
        name: String,
        /// Of the whole field, in bytes.
        size: usize,
    },
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CookieError::Name(name) => {
                write!(f, "{name:?} is no name of a cookie: it is made of letters, digits and !#$%&'*+-.^_`|~")
            }
            CookieError::Domain(domain) => {
                write!(f, "{domain:?} is no domain of a cookie: it is made of letters, digits, hyphens and dots")
            }
            CookieError::TooLarge { name, size } => write!(
                f,
                "the cookie {name:?} has {size} bytes with its attributes, and browsers drop it: up to \
                 {MAX_COOKIE_SIZE} may be set"
            ),
        }
    }
}

impl std::error::Error for CookieError {}
