//! [`Methods`]: a set of methods with an order to be shown in.

use std::fmt;

use crate::http::Method;

/// A set of methods, as a rule has them and as `Allow` lists them.
///
/// Its order does not depend on how it was put together: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE, CONNECT,
/// then all others by their names. Methods are told apart by case, as HTTP does.
///
/// ```
/// use foster::app::routing::Methods;
/// use foster::http::Method;
///
/// let methods = Methods::from_iter([Method::OPTIONS, Method::GET, Method::POST]);
/// assert_eq!(methods.to_string(), "GET, POST, OPTIONS");
/// assert!(methods.contains(&Method::GET) && !methods.contains(&Method::PUT));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Methods {
    /// A bit for each of [`STANDARD`].
    standard: u16,
    /// By their names, none of them standard.
    others: Vec<Method>,
}

impl Methods {
    /// A set without any.
    pub const fn new() -> Self {
        Methods { standard: 0, others: Vec::new() }
    }

    /// Adds a method.
    pub fn insert(&mut self, method: Method) {
        match bit(&method) {
            0 => {
                if let Err(at) = self.others.binary_search_by(|other| other.as_str().cmp(method.as_str())) {
                    self.others.insert(at, method);
                }
            }
            bit => self.standard |= bit,
        }
    }

    /// Whether a method is one of them.
    pub fn contains(&self, method: &Method) -> bool {
        self.contains_key(MethodKey::of(method))
    }

    pub(super) fn contains_key(&self, key: MethodKey<'_>) -> bool {
        match key.bit {
            0 => self.others.contains(key.method),
            bit => self.standard & bit != 0,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.standard == 0 && self.others.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Method> {
        STANDARD.iter().filter(|method| self.standard & bit(method) != 0).chain(&self.others)
    }

    /// Adds those of another set.
    pub(super) fn insert_all(&mut self, others: &Methods) {
        self.standard |= others.standard;
        others.others.iter().for_each(|method| self.insert(method.clone()));
    }
}

impl FromIterator<Method> for Methods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        let mut set = Methods::new();
        methods.into_iter().for_each(|method| set.insert(method));
        set
    }
}

/// As the value of `Allow`.
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, method) in self.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}

/// A method that many sets are asked for.
#[derive(Clone, Copy)]
pub(super) struct MethodKey<'m> {
    method: &'m Method,
    bit: u16,
}

impl<'m> MethodKey<'m> {
    pub(super) fn of(method: &'m Method) -> Self {
        MethodKey { method, bit: bit(method) }
    }
}

/// The bit of a standard method, 0 for others.
fn bit(method: &Method) -> u16 {
    match *method {
        Method::GET => 1,
        Method::HEAD => 1 << 1,
        Method::POST => 1 << 2,
        Method::PUT => 1 << 3,
        Method::PATCH => 1 << 4,
        Method::DELETE => 1 << 5,
        Method::OPTIONS => 1 << 6,
        Method::TRACE => 1 << 7,
        Method::CONNECT => 1 << 8,
        _ => 0,
    }
}

static STANDARD: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];
