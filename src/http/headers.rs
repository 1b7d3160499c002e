//! [`Headers`]: the fields of a head, looked up where they stand.

use std::fmt;

use ::http::{HeaderMap, HeaderName, HeaderValue};

use super::head::Field;

/// The header fields of a head, in the order they came. Looking one up walks the list and builds no map.
///
/// Names compare without regard to case. Values are bytes: visible ASCII, spaces and tabs inside, and bytes from 0x80 up.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    text: &'a [u8],
    fields: &'a [Field],
}

impl<'a> Headers<'a> {
    pub(crate) fn new(text: &'a [u8], fields: &'a [Field]) -> Self {
        Headers { text, fields }
    }

    /// The value of the first field of that name, if it is UTF-8.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.get_bytes(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value of the first field of that name.
    pub fn get_bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.get_all(name).next()
    }

    /// The values of all fields of that name.
    pub fn get_all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let text = self.text;
        let named = self.fields.iter().filter(move |field| field.name.cut(text).eq_ignore_ascii_case(name.as_bytes()));
        named.map(move |field| field.value.cut(text))
    }

    /// Whether there is a field of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get_bytes(name).is_some()
    }

    /// Whether one of the comma-separated members of that field is `token`, in any case, as `Connection: close` has it.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.get_all(name).flat_map(tokens).any(|found| found.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The fields as they came: names in the sender's spelling.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let text = self.text;
        self.fields
            .iter()
            .map(move |field| (std::str::from_utf8(field.name.cut(text)).unwrap_or_default(), field.value.cut(text)))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields as the map of the `http` crate, which allocates for each of them.
    pub fn to_header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.len());
        for (name, value) in self.iter() {
            let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value));
            // Both were checked when the head was read.
            if let (Ok(name), Ok(value)) = parsed {
                map.append(name, value);
            }
        }
        map
    }
}

/// The members of a comma-separated list, without the whitespace around them; empty ones are left out.
pub(crate) fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, String::from_utf8_lossy(value)))).finish()
    }
}
