//! [`Cookies`]: those a client sent.

use std::borrow::Cow;
use std::fmt;

use super::headers::Headers;

/// The cookies of a request, in the order they came: Werkzeug's `request.cookies`. Looking one up walks the fields.
///
/// All fields `Cookie` count. A pair ends at a semicolon, also between quotes: Werkzeug reads on to the closing quote,
/// with which a cookie that one party can set swallows those of others. A pair without `=` is a name with an empty value,
/// one without a name is skipped, and neither harms the others. Names are told apart by case.
///
/// A value in quotes is given without them and with its escapes undone, as
/// [`set_cookie`](crate::http::Response::set_cookie) and Python's `http.cookies` write it; percent signs stay. What is
/// not UTF-8 becomes U+FFFD.
///
/// ```
/// use foster::http::Response;
/// use foster::Request;
///
/// async fn greet(request: Request) -> Response {
///     let theme = request.headers().cookies().get("theme");
///     Response::text(theme.map_or_else(|| "light".to_owned(), |theme| theme.into_owned()))
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Cookies<'a> {
    headers: Headers<'a>,
}

impl<'a> Headers<'a> {
    /// The cookies of all fields `Cookie`.
    pub fn cookies(&self) -> Cookies<'a> {
        Cookies { headers: *self }
    }
}

impl<'a> Cookies<'a> {
    /// The value of the first cookie of that name: browsers send the one with the longest path first.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get_all(name).next()
    }

    /// The values of all cookies of that name: Werkzeug's `getlist`.
    pub fn get_all<'n>(&self, name: &'n str) -> impl Iterator<Item = Cow<'a, str>> + use<'a, 'n> {
        self.pairs().filter(|(found, _)| *found == name.as_bytes()).map(|(_, value)| unquoted(value))
    }

    /// Whether there is a cookie of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.pairs().any(|(found, _)| found == name.as_bytes())
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        self.pairs().map(|(name, value)| (String::from_utf8_lossy(name), unquoted(value)))
    }

    /// Names and values as they stand there.
    fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let fields = self.headers.get_all("cookie");
        let pairs = fields.flat_map(|field| field.split(|&byte| byte == b';')).map(|pair| {
            let end = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            (pair[..end].trim_ascii(), pair.get(end + 1..).unwrap_or_default().trim_ascii())
        });
        pairs.filter(|(name, _)| !name.is_empty())
    }
}

impl fmt::Debug for Cookies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The value without the quotes around it, if there are two, and with what is escaped between them.
pub(crate) fn unquoted(value: &[u8]) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return String::from_utf8_lossy(value);
    };
    if !inner.contains(&b'\\') {
        return String::from_utf8_lossy(inner);
    }
    Cow::Owned(String::from_utf8_lossy(&unescaped(inner)).into_owned())
}

/// A backslash with three octal digits is a byte; with anything else it is that; at the end it stays.
fn unescaped(mut text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    loop {
        text = match text {
            [b'\\', high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', rest @ ..] => {
                bytes.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
                rest
            }
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
            [] => return bytes,
        };
    }
}
