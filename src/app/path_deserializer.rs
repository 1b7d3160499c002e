//! [`PathDeserializer`]: serde's view of the values of a path.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::one_value::as_one_value;
use super::path_error::PathError;
use super::routing::{BoundRule, PathValue};
use super::view_args::ViewArgs;

/// What values are read from, in the order of a rule.
pub(super) trait Values {
    fn n_values(&self) -> usize;

    fn value(&self, nth: usize) -> Option<(&str, Value<'_>)>;
}

/// A value; `None` before there is one, where its converter does not tell its kind.
pub(super) type Value<'a> = Option<PathValue<'a>>;

impl Values for ViewArgs {
    fn n_values(&self) -> usize {
        self.len()
    }

    fn value(&self, nth: usize) -> Option<(&str, Value<'_>)> {
        self.nth(nth).map(|(name, value)| (name, Some(value)))
    }
}

/// Values of the kinds that those of a rule will have.
pub(super) struct Samples<'r>(Vec<(&'r str, Value<'r>)>);

impl<'r> Samples<'r> {
    pub(super) fn of(rule: &'r BoundRule) -> Self {
        Samples(rule.samples().collect())
    }
}

impl Values for Samples<'_> {
    fn n_values(&self) -> usize {
        self.0.len()
    }

    fn value(&self, nth: usize) -> Option<(&str, Value<'_>)> {
        self.0.get(nth).map(|(name, value)| (*name, value.as_ref().map(PathValue::borrowed)))
    }
}

/// Reads all values, or the only one: what is asked of it says which.
pub(super) struct PathDeserializer<'a, V> {
    values: &'a V,
    name: Option<&'a str>,
}

impl<'a, V: Values> PathDeserializer<'a, V> {
    pub(super) fn new(values: &'a V) -> Self {
        PathDeserializer { values, name: None }
    }

    /// Reads the one of that name.
    pub(super) fn named(values: &'a V, name: &'a str) -> Self {
        PathDeserializer { values, name: Some(name) }
    }

    /// The one that is named, or the only one.
    fn only(&self) -> Result<One<'a>, PathError> {
        let n_values = self.values.n_values();
        let found = match self.name {
            Some(wanted) => (0..n_values).filter_map(|nth| self.values.value(nth)).find(|(name, _)| *name == wanted),
            None => self.values.value(0).filter(|_| n_values == 1),
        };
        match (found, self.name) {
            (Some((name, value)), _) => Ok(One { name, value }),
            (None, Some(name)) => Err(PathError::mismatch(format!("there is no value {name:?}"))),
            (None, None) => Err(self.miscounted("one value is expected")),
        }
    }

    fn is_empty(&self) -> bool {
        match self.name {
            Some(_) => self.only().is_err(),
            None => self.values.n_values() == 0,
        }
    }

    fn miscounted(&self, expected: impl fmt::Display) -> PathError {
        let names: Vec<_> = (0..self.values.n_values()).filter_map(|nth| self.values.value(nth)).collect();
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        let what = match &*names {
            [] => format!("the path has no values where {expected}"),
            [name] => format!("the path has one value, {name:?}, where {expected}"),
            names => format!("the path has {} values, {}, where {expected}", names.len(), names.join(", ")),
        };
        PathError::mismatch(what)
    }
}

/// Methods that read the only value.
macro_rules! read_only_value {
    ($($method:ident)*) => {$(
        fn $method<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PathError> {
            self.only()?.$method(visitor)
        }
    )*};
}

impl<'de, V: Values> Deserializer<'de> for PathDeserializer<'_, V> {
    type Error = PathError;

    read_only_value! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_identifier
    }

    /// What says itself what it is: the only value, else a map.
    fn deserialize_any<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PathError> {
        match self.only() {
            Ok(value) => value.deserialize_any(visitor),
            Err(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PathError> {
        if self.is_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PathError> {
        if self.is_empty() { visitor.visit_unit() } else { Err(self.miscounted("none are expected")) }
    }

    fn deserialize_unit_struct<Z: Visitor<'de>>(self, _: &'static str, visitor: Z) -> Result<Z::Value, PathError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<Z: Visitor<'de>>(self, _: &'static str, visitor: Z) -> Result<Z::Value, PathError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<Z: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: Z,
    ) -> Result<Z::Value, PathError> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_seq<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PathError> {
        if self.name.is_some() {
            return self.only()?.deserialize_any(visitor);
        }
        visitor.visit_seq(All { values: self.values, nth: 0 })
    }

    fn deserialize_tuple<Z: Visitor<'de>>(self, n_values: usize, visitor: Z) -> Result<Z::Value, PathError> {
        if self.name.is_none() && self.values.n_values() != n_values {
            return Err(self.miscounted(format_args!("a tuple of {n_values} is expected")));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<Z: Visitor<'de>>(
        self,
        _: &'static str,
        n_values: usize,
        visitor: Z,
    ) -> Result<Z::Value, PathError> {
        self.deserialize_tuple(n_values, visitor)
    }

    fn deserialize_map<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PathError> {
        if self.name.is_some() {
            return self.only()?.deserialize_any(visitor);
        }
        visitor.visit_map(All { values: self.values, nth: 0 })
    }

    fn deserialize_struct<Z: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: Z,
    ) -> Result<Z::Value, PathError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_ignored_any<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PathError> {
        visitor.visit_unit()
    }
}

/// The values from one on, or, between a key and its value, that value again.
struct All<'a, V> {
    values: &'a V,
    nth: usize,
}

impl<'de, V: Values> SeqAccess<'de> for All<'_, V> {
    type Error = PathError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, PathError> {
        let Some((name, value)) = self.values.value(self.nth) else { return Ok(None) };
        self.nth += 1;
        seed.deserialize(One { name, value }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.n_values() - self.nth)
    }
}

impl<'de, V: Values> MapAccess<'de> for All<'_, V> {
    type Error = PathError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, PathError> {
        let Some((name, _)) = self.values.value(self.nth) else { return Ok(None) };
        let name: StrDeserializer<'_, PathError> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, PathError> {
        let (name, value) = self.values.value(self.nth).expect("a key was given for it");
        self.nth += 1;
        seed.deserialize(One { name, value })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.n_values() - self.nth)
    }
}

/// Reads one value.
struct One<'a> {
    name: &'a str,
    value: Value<'a>,
}

impl One<'_> {
    fn visit<'de, Z: Visitor<'de>>(&self, visitor: Z) -> Result<Z::Value, PathError> {
        match &self.value {
            Some(PathValue::Str(text)) => visitor.visit_str(text),
            Some(PathValue::Int(number)) => visitor.visit_i64(*number),
            Some(PathValue::Float(number)) => visitor.visit_f64(*number),
            Some(PathValue::Uuid(uuid)) => visitor.visit_str(&uuid.to_string()),
            Some(PathValue::Custom(_)) => Err(PathError::mismatch(format!(
                "{:?} has the type of its own converter: take it from request.view_args()",
                self.name
            ))),
            None => Err(PathError::Refused),
        }
    }
}

impl<'de> Deserializer<'de> for One<'_> {
    type Error = PathError;

    fn deserialize_any<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PathError> {
        self.visit(visitor).map_err(|err| err.of(self.name))
    }

    fn deserialize_bool<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PathError> {
        match &self.value {
            Some(PathValue::Str(text)) => match &**text {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => Err(PathError::Refused),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    as_one_value!(PathError);

    fn deserialize_enum<Z: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: Z,
    ) -> Result<Z::Value, PathError> {
        match &self.value {
            Some(PathValue::Str(text)) => {
                visitor.visit_enum(StrDeserializer::new(text)).map_err(|err: PathError| err.of(self.name))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier
    }
}
