//! [`PathConverter`]: `path`.

use std::borrow::Cow;

use super::super::arguments::{ArgumentError, Arguments};
use super::super::converter::{Converter, Parsed};
use super::super::value::PathValue;

/// Text over any number of segments. It is not empty and does not begin with a slash, not even with one that came as
/// `%2F`: what is joined to a folder stays a relative path.
#[derive(Debug)]
pub(super) struct PathConverter;

impl PathConverter {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, ArgumentError> {
        let [] = arguments.bind([])?;
        Ok(PathConverter)
    }
}

impl Converter for PathConverter {
    fn parse(&self, text: &str) -> Option<Parsed> {
        (!text.is_empty() && !text.starts_with('/')).then_some(Parsed::Text)
    }

    fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
        value.text().map(Cow::into_owned)
    }

    fn weight(&self) -> u32 {
        200
    }

    fn is_part_isolating(&self) -> bool {
        false
    }

    fn expects(&self) -> Cow<'static, str> {
        Cow::Borrowed("text that is not empty and does not begin with a slash")
    }
}
