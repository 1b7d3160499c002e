//! [`PairsDeserializer`]: serde's view of names with values, of a query or a form.

use std::fmt;
use std::str::FromStr;

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Unexpected, Visitor};

use super::one_value::as_one_value;
use super::pairs_error::PairsError;
use crate::http::MultiDict;

/// Reads all pairs: those of one name are one entry.
pub(super) struct PairsDeserializer<'a> {
    pairs: &'a MultiDict,
}

impl<'a> PairsDeserializer<'a> {
    pub(super) fn new(pairs: &'a MultiDict) -> Self {
        PairsDeserializer { pairs }
    }
}

/// Methods that no pairs can be read by.
macro_rules! refuse {
    ($($method:ident)*) => {$(
        fn $method<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
            Err(de::Error::invalid_type(Unexpected::Map, &visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for PairsDeserializer<'_> {
    type Error = PairsError;

    fn deserialize_any<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
        visitor.visit_map(Entries::of(self.pairs))
    }

    fn deserialize_seq<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
        MapDeserializer::new(self.pairs.iter().map(|(name, value)| (name, Text(value)))).deserialize_seq(visitor)
    }

    fn deserialize_option<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
        if self.pairs.is_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<Z: Visitor<'de>>(self, _: &'static str, visitor: Z) -> Result<Z::Value, PairsError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<Z: Visitor<'de>>(self, _: &'static str, visitor: Z) -> Result<Z::Value, PairsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<Z: Visitor<'de>>(self, _: usize, visitor: Z) -> Result<Z::Value, PairsError> {
        Err(de::Error::invalid_type(Unexpected::Map, &visitor))
    }

    fn deserialize_tuple_struct<Z: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: Z,
    ) -> Result<Z::Value, PairsError> {
        Err(de::Error::invalid_type(Unexpected::Map, &visitor))
    }

    fn deserialize_enum<Z: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: Z,
    ) -> Result<Z::Value, PairsError> {
        Err(de::Error::invalid_type(Unexpected::Map, &visitor))
    }

    refuse! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_identifier
    }

    serde::forward_to_deserialize_any! { map struct ignored_any }
}

/// Names with all their values.
struct Entries<'a> {
    /// Sorted by name, those of one name in their order, so that many names cost no more than sorting them.
    pairs: Vec<(&'a str, &'a str)>,
    at: usize,
}

impl<'a> Entries<'a> {
    fn of(pairs: &'a MultiDict) -> Self {
        let mut pairs: Vec<_> = pairs.iter().collect();
        pairs.sort_by_key(|(name, _)| *name);
        Entries { pairs, at: 0 }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = PairsError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, PairsError> {
        let Some((name, _)) = self.pairs.get(self.at) else { return Ok(None) };
        let name: StrDeserializer<'_, PairsError> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, PairsError> {
        let rest = &self.pairs[self.at..];
        let name = rest[0].0;
        let n_values = rest.iter().take_while(|(other, _)| *other == name).count();
        self.at += n_values;
        seed.deserialize(Entry { pairs: &rest[..n_values] }).map_err(|err| err.of(name))
    }
}

/// The values of one name: at least one.
struct Entry<'a> {
    pairs: &'a [(&'a str, &'a str)],
}

impl<'a> Entry<'a> {
    fn first(&self) -> Text<'a> {
        Text(self.pairs[0].1)
    }
}

/// Methods that read the first value.
macro_rules! read_first {
    ($($method:ident)*) => {$(
        fn $method<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
            self.first().$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Entry<'_> {
    type Error = PairsError;

    /// What says itself what it is: the only value, or all.
    fn deserialize_any<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
        if self.pairs.len() == 1 { self.first().deserialize_any(visitor) } else { self.deserialize_seq(visitor) }
    }

    as_one_value!(PairsError);

    fn deserialize_enum<Z: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: Z,
    ) -> Result<Z::Value, PairsError> {
        self.first().deserialize_enum(name, variants, visitor)
    }

    fn deserialize_seq<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
        SeqDeserializer::new(self.pairs.iter().map(|(_, value)| Text(value))).deserialize_seq(visitor)
    }

    fn deserialize_tuple<Z: Visitor<'de>>(self, _: usize, visitor: Z) -> Result<Z::Value, PairsError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<Z: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: Z,
    ) -> Result<Z::Value, PairsError> {
        self.deserialize_seq(visitor)
    }

    read_first! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_identifier deserialize_unit deserialize_map
    }

    serde::forward_to_deserialize_any! { unit_struct struct }
}

/// One value.
struct Text<'a>(&'a str);

impl Text<'_> {
    fn refused(&self, expected: impl fmt::Display) -> PairsError {
        PairsError::refused(format!("is {:?} where {expected} is expected", self.0))
    }

    /// A float that is a number.
    fn float<N: FromStr + Into<f64> + Copy>(&self) -> Result<N, PairsError> {
        let number = self.0.parse().ok().filter(|number: &N| (*number).into().is_finite());
        number.ok_or_else(|| self.refused("a number"))
    }
}

/// Methods that read an integer.
macro_rules! read_integers {
    ($($method:ident $visit:ident $integer:ident)*) => {$(
        fn $method<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
            let expected = format_args!("an integer from {} to {}", $integer::MIN, $integer::MAX);
            visitor.$visit(self.0.parse().map_err(|_| self.refused(expected))?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = PairsError;

    fn deserialize_any<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
        visitor.visit_str(self.0)
    }

    fn deserialize_bool<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
        match self.0 {
            "true" | "on" | "1" => visitor.visit_bool(true),
            "false" | "off" | "0" => visitor.visit_bool(false),
            _ => Err(self.refused("true or false")),
        }
    }

    read_integers! {
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_i128 visit_i128 i128
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_u128 visit_u128 u128
    }

    fn deserialize_f32<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
        visitor.visit_f32(self.float()?)
    }

    fn deserialize_f64<Z: Visitor<'de>>(self, visitor: Z) -> Result<Z::Value, PairsError> {
        visitor.visit_f64(self.float()?)
    }

    as_one_value!(PairsError);

    fn deserialize_enum<Z: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: Z,
    ) -> Result<Z::Value, PairsError> {
        visitor.visit_enum(StrDeserializer::new(self.0))
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
    }
}

impl<'de> IntoDeserializer<'de, PairsError> for Text<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
