//! [`HeaderList`]: header fields to be sent.

use ::http::{HeaderMap, HeaderName, HeaderValue};

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

impl FromIterator<(HeaderName, HeaderValue)> for HeaderList {
    fn from_iter<I: IntoIterator<Item = (HeaderName, HeaderValue)>>(fields: I) -> Self {
        HeaderList { fields: fields.into_iter().collect() }
    }
}

impl From<&HeaderMap> for HeaderList {
    fn from(map: &HeaderMap) -> Self {
        map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
