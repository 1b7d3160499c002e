//! [`PathValue`]: what a variable of a rule stands for.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use super::uuid::Uuid;

/// A value that was matched, that stands as a default in a rule, or that a URL is built from.
///
/// Numbers, strings and UUIDs convert into it. `u64` beyond the largest [`i64`] becomes its digits.
#[derive(Clone)]
#[non_exhaustive]
pub enum PathValue<'a> {
    /// Of the converters `string`, `path` and `any`.
    Str(Cow<'a, str>),
    /// Of `int`.
    Int(i64),
    /// Of `float`.
    Float(f64),
    /// Of `uuid`.
    Uuid(Uuid),
    /// Of a converter of the application's own.
    Custom(Rc<dyn Any>),
}

impl<'a> PathValue<'a> {
    /// A value for a converter of the application's own.
    pub fn custom<C: Any>(value: C) -> Self {
        PathValue::Custom(Rc::new(value))
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            PathValue::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            PathValue::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The float, if it is one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            PathValue::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The UUID, if it is one.
    pub fn as_uuid(&self) -> Option<Uuid> {
        match self {
            PathValue::Uuid(uuid) => Some(*uuid),
            _ => None,
        }
    }

    /// The value of a converter of the application's own, if it is a `C`.
    pub fn downcast_ref<C: Any>(&self) -> Option<&C> {
        match self {
            PathValue::Custom(value) => value.downcast_ref(),
            _ => None,
        }
    }

    /// As text, which a [`Custom`](PathValue::Custom) value does not have. A float always has a point and never an
    /// exponent.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            PathValue::Str(text) => Some(Cow::Borrowed(text)),
            PathValue::Int(number) => Some(Cow::Owned(number.to_string())),
            PathValue::Float(number) => {
                let text = number.to_string();
                let is_whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                Some(Cow::Owned(if is_whole { text + ".0" } else { text }))
            }
            PathValue::Uuid(uuid) => Some(Cow::Owned(uuid.to_string())),
            PathValue::Custom(_) => None,
        }
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> PathValue<'static> {
        match self {
            PathValue::Str(text) => PathValue::Str(Cow::Owned(text.into_owned())),
            PathValue::Int(number) => PathValue::Int(number),
            PathValue::Float(number) => PathValue::Float(number),
            PathValue::Uuid(uuid) => PathValue::Uuid(uuid),
            PathValue::Custom(value) => PathValue::Custom(value),
        }
    }

    /// The same value, borrowing its text from this one.
    pub(in crate::app) fn borrowed(&self) -> PathValue<'_> {
        match self {
            PathValue::Str(text) => PathValue::Str(Cow::Borrowed(text)),
            PathValue::Int(number) => PathValue::Int(*number),
            PathValue::Float(number) => PathValue::Float(*number),
            PathValue::Uuid(uuid) => PathValue::Uuid(*uuid),
            PathValue::Custom(value) => PathValue::Custom(Rc::clone(value)),
        }
    }

    /// Whether both read the same in a URL; custom values, whether they are one and the same.
    pub(super) fn reads_as(&self, other: &PathValue<'_>) -> bool {
        match (self, other) {
            (PathValue::Custom(one), PathValue::Custom(other)) => Rc::ptr_eq(one, other),
            _ => self.text().is_some_and(|text| other.text().is_some_and(|other| text == other)),
        }
    }
}

/// Values of different kinds are different: `1` is neither `1.0` nor `"1"`. Custom values are equal to themselves alone.
impl PartialEq for PathValue<'_> {
    fn eq(&self, other: &PathValue<'_>) -> bool {
        match (self, other) {
            (PathValue::Str(one), PathValue::Str(other)) => one == other,
            (PathValue::Int(one), PathValue::Int(other)) => one == other,
            (PathValue::Float(one), PathValue::Float(other)) => one == other,
            (PathValue::Uuid(one), PathValue::Uuid(other)) => one == other,
            (PathValue::Custom(one), PathValue::Custom(other)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl fmt::Debug for PathValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathValue::Str(text) => f.debug_tuple("Str").field(text).finish(),
            PathValue::Int(number) => f.debug_tuple("Int").field(number).finish(),
            PathValue::Float(number) => f.debug_tuple("Float").field(number).finish(),
            PathValue::Uuid(uuid) => write!(f, "Uuid({uuid})"),
            PathValue::Custom(_) => f.write_str("Custom(..)"),
        }
    }
}

impl<'a> From<&'a str> for PathValue<'a> {
    fn from(text: &'a str) -> Self {
        PathValue::Str(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for PathValue<'a> {
    fn from(text: &'a String) -> Self {
        PathValue::Str(Cow::Borrowed(text))
    }
}

impl From<String> for PathValue<'_> {
    fn from(text: String) -> Self {
        PathValue::Str(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for PathValue<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        PathValue::Str(text)
    }
}

impl From<bool> for PathValue<'_> {
    fn from(is_true: bool) -> Self {
        PathValue::Str(Cow::Borrowed(if is_true { "true" } else { "false" }))
    }
}

impl From<f32> for PathValue<'_> {
    fn from(number: f32) -> Self {
        PathValue::Float(number.into())
    }
}

impl From<f64> for PathValue<'_> {
    fn from(number: f64) -> Self {
        PathValue::Float(number)
    }
}

impl From<Uuid> for PathValue<'_> {
    fn from(uuid: Uuid) -> Self {
        PathValue::Uuid(uuid)
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for PathValue<'_> {
            fn from(number: $integer) -> Self {
                i64::try_from(number).map_or_else(|_| PathValue::Str(Cow::Owned(number.to_string())), PathValue::Int)
            }
        }
    )*};
}

from_integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);
