//! [`UuidConverter`]: `uuid`.

use std::borrow::Cow;

use super::super::arguments::{ArgumentError, Arguments};
use super::super::converter::{Converter, Parsed};
use super::super::uuid::Uuid;
use super::super::value::PathValue;

/// A UUID with its hyphens, in either case.
#[derive(Debug)]
pub(super) struct UuidConverter;

impl UuidConverter {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, ArgumentError> {
        let [] = arguments.bind([])?;
        Ok(UuidConverter)
    }
}

impl Converter for UuidConverter {
    fn parse(&self, text: &str) -> Option<Parsed> {
        text.parse().ok().map(Parsed::Uuid)
    }

    fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
        match value {
            PathValue::Uuid(uuid) => Some(uuid.to_string()),
            PathValue::Str(text) => text.parse().ok().map(|uuid: Uuid| uuid.to_string()),
            _ => None,
        }
    }

    fn longest(&self, text: &str) -> usize {
        if text.is_char_boundary(Uuid::TEXT_LENGTH) { Uuid::TEXT_LENGTH.min(text.len()) } else { 0 }
    }

    fn expects(&self) -> Cow<'static, str> {
        Cow::Borrowed("a UUID")
    }
}
