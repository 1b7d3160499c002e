//! [`MultiDict`]: names with values, of a query or a form.

use std::fmt;
use std::str::FromStr;

use ::http::StatusCode;

/// Names with values, in the order they came, a name as often as it came: Werkzeug's `MultiDict`, for the arguments of a
/// query and the fields of a form. Looking one up walks the list.
///
/// ```
/// use foster::http::MultiDict;
///
/// let args = MultiDict::parse_query("tag=a&tag=b+c&page=2")?;
/// assert_eq!(args.get("tag"), Some("a"));
/// assert_eq!(args.get_all("tag").collect::<Vec<_>>(), ["a", "b c"]);
/// assert_eq!(args.get_as("page").unwrap_or(1), 2);
/// assert_eq!(args.get_as::<u32>("tag"), None);
/// # foster::Ok(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiDict {
    pairs: Vec<(String, String)>,
}

impl MultiDict {
    /// An empty one, which allocates nothing.
    pub const fn new() -> Self {
        MultiDict { pairs: Vec::new() }
    }

    /// Reads a query, without its question mark, or a form of the type `application/x-www-form-urlencoded`.
    ///
    /// An empty text has no pairs, a piece without `=` is a name with an empty value, and `+` is a space. It never fails
    /// for what a pair is made of: a percent sign without two hexadecimal digits stays, and what is not UTF-8 becomes
    /// U+FFFD, where Werkzeug leaves it percent-encoded.
    ///
    /// # Errors
    ///
    /// [`TooManyPairs`] for more than [`MAX_PAIRS`]: leaving some out would have two readers of one request see
    /// different arguments.
    pub fn parse_query(query: impl AsRef<[u8]>) -> Result<Self, TooManyPairs> {
        MultiDict::parse_query_within(query, MAX_PAIRS)
    }

    /// As [`parse_query`](MultiDict::parse_query) with another limit than [`MAX_PAIRS`].
    ///
    /// # Errors
    ///
    /// [`TooManyPairs`] for more than `limit`.
    pub fn parse_query_within(query: impl AsRef<[u8]>, limit: usize) -> Result<Self, TooManyPairs> {
        let mut read = MultiDict::new();
        for (name, value) in form_urlencoded::parse(query.as_ref()) {
            if read.len() == limit {
                return Err(TooManyPairs { limit });
            }
            read.append(name, value);
        }
        Ok(read)
    }

    /// Adds a pair, beside others of its name: Werkzeug's `add`.
    pub fn append(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.pairs.push((name.into(), value.into()));
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// The first value of that name as a `T`; `None` if there is none, or if it is no `T`: Werkzeug's `get(type=)`.
    pub fn get_as<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// All values of that name: Werkzeug's `getlist`.
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Whether there is a value of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All pairs in order: Werkzeug's `items(multi=True)`, which puts those of a name together.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many pairs there are: Python's `len` counts names.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for MultiDict {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        MultiDict { pairs: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

/// As Werkzeug's `max_form_parts`, Django's `DATA_UPLOAD_MAX_NUMBER_FIELDS` and PHP's `max_input_vars`.
pub const MAX_PAIRS: usize = 1000;

/// A query or a form with more pairs than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyPairs {
    /// How many there may be.
    pub limit: usize,
}

impl TooManyPairs {
    /// The status that answers it: 413, as in Werkzeug.
    pub fn status(&self) -> StatusCode {
        StatusCode::PAYLOAD_TOO_LARGE
    }
}

impl fmt::Display for TooManyPairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a query or a form has more than {} pairs of names and values", self.limit)
    }
}

impl std::error::Error for TooManyPairs {}
