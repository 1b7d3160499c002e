//! [`IntConverter`]: `int(fixed_digits, min, max, signed)`.

use std::borrow::Cow;

use super::super::arguments::{Argument, ArgumentError, Arguments};
use super::super::converter::{Converter, Parsed};
use super::super::value::PathValue;

/// ASCII digits, with a minus sign in front if it is signed. A number beyond 64 bits is not taken.
#[derive(Debug)]
pub(super) struct IntConverter {
    /// The length of the text, a minus sign counted, if it is fixed.
    fixed_digits: Option<usize>,
    min: Option<i64>,
    max: Option<i64>,
    is_signed: bool,
}

impl IntConverter {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, ArgumentError> {
        let [fixed_digits, min, max, signed] = arguments.bind(["fixed_digits", "min", "max", "signed"])?;
        let number =
            |argument: Option<&Argument>| argument.map(|argument| argument.parse::<i64>("an integer")).transpose();
        let fixed_digits = match fixed_digits {
            // Werkzeug's default.
            Some(argument) if argument.as_str() == "0" => None,
            Some(argument) => match argument.parse("a number of digits")? {
                n_digits if n_digits > MAX_FIXED_DIGITS => {
                    return Err(argument.error(format!("expected at most {MAX_FIXED_DIGITS} digits")));
                }
                n_digits => Some(n_digits),
            },
            None => None,
        };
        let (min, max) = (number(min)?, number(max)?);
        let is_signed = signed.map_or(Ok(false), |argument| argument.parse_bool())?;
        match (min, max) {
            (Some(min), Some(max)) if max < min => {
                Err(ArgumentError::new(format!("no integer is at least {min} and at most {max}")))
            }
            (_, Some(max)) if max < 0 && !is_signed => {
                Err(ArgumentError::new("a maximum below zero needs signed=True"))
            }
            _ => Ok(IntConverter { fixed_digits, min, max, is_signed }),
        }
    }
}

impl Converter for IntConverter {
    fn parse(&self, text: &str) -> Option<Parsed> {
        let digits = if self.is_signed { text.strip_prefix('-').unwrap_or(text) } else { text };
        // A sign before them would be taken, too.
        if !digits.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        if self.fixed_digits.is_some_and(|n_digits| text.len() != n_digits) {
            return None;
        }
        let number: i64 = text.parse().ok()?;
        let is_taken = self.min.is_none_or(|min| min <= number) && self.max.is_none_or(|max| number <= max);
        is_taken.then_some(Parsed::Int(number))
    }

    fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
        let number = match value {
            PathValue::Int(number) => *number,
            PathValue::Str(text) => text.parse().ok()?,
            _ => return None,
        };
        // A minus sign counts, here as in Python's `zfill`.
        Some(format!("{number:0width$}", width = self.fixed_digits.unwrap_or(0)))
    }

    fn weight(&self) -> u32 {
        50
    }

    fn longest(&self, text: &str) -> usize {
        let start = usize::from(self.is_signed && text.starts_with('-'));
        let digits = text.bytes().skip(start).take_while(u8::is_ascii_digit).count();
        start + digits
    }

    fn expects(&self) -> Cow<'static, str> {
        let kind = if self.is_signed { "an integer" } else { "an integer that is not negative" };
        let mut expected = match self.fixed_digits {
            Some(n_digits) => format!("{kind}, of {n_digits} digits"),
            None => kind.to_owned(),
        };
        if let Some(min) = self.min {
            expected += &format!(", at least {min}");
        }
        if let Some(max) = self.max {
            expected += &format!(", at most {max}");
        }
        Cow::Owned(expected)
    }
}

/// More than any integer of 64 bits needs, its sign counted.
const MAX_FIXED_DIGITS: usize = 20;
