//! [`HeaderList`]: header fields to be sent.

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::error::HttpError;
use super::headers::tokens;

/// Header fields in order, for a response, a request to be sent, or trailers: Werkzeug's `Headers`.
///
/// An empty one allocates nothing. Lookup walks the list, which is short.
///
/// ```
/// use foster::http::{HeaderList, HeaderValue, header};
///
/// let mut headers = HeaderList::new();
/// headers.append(header::VARY, HeaderValue::from_static("accept"));
/// headers.set(header::ETAG, HeaderValue::from_static("\"1\""));
/// headers.set(header::ETAG, HeaderValue::from_static("\"2\""));
/// assert_eq!(headers.get(&header::ETAG).map(|value| value.as_bytes()), Some(&b"\"2\""[..]));
/// assert_eq!(headers.len(), 2);
/// headers.append(header::CONNECTION, HeaderValue::from_static("Upgrade, close"));
/// assert!(headers.has_token(&header::CONNECTION, "upgrade") && !headers.has_token(&header::CONNECTION, "up"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderList {
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl HeaderList {
    /// An empty list.
    pub const fn new() -> Self {
        HeaderList { fields: Vec::new() }
    }

    pub(crate) const EMPTY: &HeaderList = {
        static EMPTY: HeaderList = HeaderList::new();
        &EMPTY
    };

    /// Adds a field, beside others of its name: Werkzeug's `add`.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.fields.push((name, value));
    }

    /// Puts a field in the place of all others of its name: Werkzeug's `set`.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove(&name);
        self.append(name, value);
    }

    /// Removes all fields of that name.
    pub fn remove(&mut self, name: &HeaderName) {
        self.fields.retain(|(found, _)| found != name);
    }

    /// The value of the first field of that name.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// Whether there is a field of that name.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// Whether one of the comma-separated members of that field is `token`, in any case: as
    /// [`Headers::has_token`](super::Headers::has_token).
    pub fn has_token(&self, name: &HeaderName, token: &str) -> bool {
        let values = self.fields.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_bytes());
        values.flat_map(tokens).any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// What `Content-Length` says, if it is there.
    ///
    /// # Errors
    ///
    /// [`HttpError::Framing`] if it is no number.
    pub(crate) fn content_length(&self) -> Result<Option<u64>, HttpError> {
        let Some(value) = self.get(&header::CONTENT_LENGTH) else { return Ok(None) };
        length_in(value).map(Some).ok_or(HttpError::Framing)
    }

    /// The fields in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&HeaderName, &HeaderValue)> {
        self.fields.iter().map(|(name, value)| (name, value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

/// The number that a `Content-Length` is.
pub(crate) fn length_in(value: &HeaderValue) -> Option<u64> {
    let digits = value.to_str().ok().filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

impl FromIterator<(HeaderName, HeaderValue)> for HeaderList {
    fn from_iter<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(fields: I) -> Self {
        HeaderList { fields: fields.into_iter().collect() }
    }
}

impl IntoIterator for HeaderList {
    type Item = (HeaderName, HeaderValue);
    type IntoIter = std::vec::IntoIter<(HeaderName, HeaderValue)>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.into_iter()
    }
}

impl From<&HeaderMap> for HeaderList {
    fn from(map: &HeaderMap) -> Self {
        map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
