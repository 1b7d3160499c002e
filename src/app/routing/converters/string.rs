//! [`StringConverter`]: `string(length)` and `string(minlength, maxlength)`.

use std::borrow::Cow;

use super::super::arguments::{Argument, ArgumentError, Arguments};
use super::super::converter::{Converter, Parsed};
use super::super::value::PathValue;

/// Any text of one segment that is not empty, its length counted in characters.
#[derive(Debug)]
pub(super) struct StringConverter {
    /// At least 1: an empty segment is no value.
    min: usize,
    max: Option<usize>,
}

impl StringConverter {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, ArgumentError> {
        let [min, max, length] = arguments.bind(["minlength", "maxlength", "length"])?;
        let count = |argument: Option<&Argument>| {
            let Some(argument) = argument else { return Ok(None) };
            match argument.parse("a number of characters")? {
                0 => Err(argument.error("expected at least 1, as an empty segment is no value")),
                n_chars => Ok(Some(n_chars)),
            }
        };
        let (min, max, length) = (count(min)?, count(max)?, count(length)?);
        let (min, max) = match length {
            Some(_) if min.or(max).is_some() => {
                return Err(ArgumentError::new("length stands alone: minlength and maxlength would add nothing"));
            }
            Some(length) => (length, Some(length)),
            None => (min.unwrap_or(1), max),
        };
        match max {
            Some(max) if max < min => {
                Err(ArgumentError::new(format!("nothing is at least {min} and at most {max} characters long")))
            }
            _ => Ok(StringConverter { min, max }),
        }
    }
}

impl Converter for StringConverter {
    fn parse(&self, text: &str) -> Option<Parsed> {
        let is_taken = match (self.min, self.max) {
            (1, None) => !text.is_empty(),
            (min, max) => {
                let n_chars = text.chars().count();
                min <= n_chars && max.is_none_or(|max| n_chars <= max)
            }
        };
        is_taken.then_some(Parsed::Text)
    }

    fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
        value.text().map(Cow::into_owned)
    }

    fn longest(&self, text: &str) -> usize {
        let end = self.max.and_then(|max| text.char_indices().nth(max));
        end.map_or(text.len(), |(end, _)| end)
    }

    fn expects(&self) -> Cow<'static, str> {
        match (self.min, self.max) {
            (1, None) => Cow::Borrowed("text that is not empty"),
            (min, None) => Cow::Owned(format!("text of at least {min} characters")),
            (min, Some(max)) if min == max => Cow::Owned(format!("text of {min} characters")),
            (min, Some(max)) => Cow::Owned(format!("text of {min} to {max} characters")),
        }
    }
}
