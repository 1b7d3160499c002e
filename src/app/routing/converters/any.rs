//! [`AnyConverter`]: `any(one, other, "with, comma")`.

use std::borrow::Cow;

use super::super::arguments::{ArgumentError, Arguments};
use super::super::converter::{Converter, Parsed};
use super::super::value::PathValue;

/// One of the words that are listed.
#[derive(Debug)]
pub(super) struct AnyConverter {
    /// Sorted, so that the order in the rule makes no difference.
    words: Vec<String>,
}

impl AnyConverter {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, ArgumentError> {
        if let Some(named) = arguments.list.iter().find(|argument| argument.name.is_some()) {
            return Err(named.error("expected a word, found a name with a value; put quotes around it"));
        }
        let mut words: Vec<String> = arguments.positional().map(|word| word.as_str().to_owned()).collect();
        if words.is_empty() {
            return Err(ArgumentError::new("expected the words it takes, as in any(about, help)"));
        }
        if let Some(empty) = arguments.positional().find(|word| word.as_str().is_empty()) {
            return Err(empty.error("expected a word, as an empty segment is no value"));
        }
        words.sort_unstable();
        words.dedup();
        Ok(AnyConverter { words })
    }

    fn is_listed(&self, text: &str) -> bool {
        self.words.binary_search_by(|word| word.as_str().cmp(text)).is_ok()
    }
}

impl Converter for AnyConverter {
    fn parse(&self, text: &str) -> Option<Parsed> {
        self.is_listed(text).then_some(Parsed::Text)
    }

    fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
        value.text().map(Cow::into_owned)
    }

    fn longest(&self, text: &str) -> usize {
        self.words.iter().filter(|word| text.starts_with(word.as_str())).map(String::len).max().unwrap_or(0)
    }

    fn expects(&self) -> Cow<'static, str> {
        Cow::Owned(format!(
            "one of {}",
            self.words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
        ))
    }
}
