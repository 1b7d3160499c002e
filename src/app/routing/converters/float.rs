//! [`FloatConverter`]: `float(min, max, signed)`.

use std::borrow::Cow;

use super::super::arguments::{Argument, ArgumentError, Arguments};
use super::super::converter::{Converter, Parsed};
use super::super::value::PathValue;

/// ASCII digits on both sides of a point, with a minus sign in front if it is signed. What would be infinite is not
/// taken.
#[derive(Debug)]
pub(super) struct FloatConverter {
    min: Option<f64>,
    max: Option<f64>,
    is_signed: bool,
}

impl FloatConverter {
    pub(super) fn new(arguments: &Arguments) -> Result<Self, ArgumentError> {
        let [min, max, signed] = arguments.bind(["min", "max", "signed"])?;
        let number = |argument: Option<&Argument>| {
            let Some(argument) = argument else { return Ok(None) };
            match argument.parse::<f64>("a number")? {
                number if number.is_finite() => Ok(Some(number)),
                _ => Err(argument.error("expected a number that is finite")),
            }
        };
        let (min, max) = (number(min)?, number(max)?);
        let is_signed = signed.map_or(Ok(false), |argument| argument.parse_bool())?;
        match (min, max) {
            (Some(min), Some(max)) if max < min => {
                Err(ArgumentError::new(format!("no number is at least {min} and at most {max}")))
            }
            (_, Some(max)) if max < 0.0 && !is_signed => {
                Err(ArgumentError::new("a maximum below zero needs signed=True"))
            }
            _ => Ok(FloatConverter { min, max, is_signed }),
        }
    }
}

impl Converter for FloatConverter {
    fn parse(&self, text: &str) -> Option<Parsed> {
        if text.is_empty() || self.longest(text) != text.len() || text.ends_with('.') {
            return None;
        }
        let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
        let is_taken = self.min.is_none_or(|min| min <= number) && self.max.is_none_or(|max| number <= max);
        is_taken.then_some(Parsed::Float(number))
    }

    fn to_url(&self, value: &PathValue<'_>) -> Option<String> {
        let number = match value {
            PathValue::Float(number) => *number,
            PathValue::Int(number) => *number as f64,
            PathValue::Str(text) => text.parse().ok()?,
            _ => return None,
        };
        PathValue::Float(number).text().map(Cow::into_owned)
    }

    fn weight(&self) -> u32 {
        50
    }

    /// 0 if there is no point behind digits.
    fn longest(&self, text: &str) -> usize {
        let start = usize::from(self.is_signed && text.starts_with('-'));
        let n_digits = |from: usize| text.bytes().skip(from).take_while(u8::is_ascii_digit).count();
        let point = start + n_digits(start);
        if point == start || text.as_bytes().get(point) != Some(&b'.') {
            return 0;
        }
        point + 1 + n_digits(point + 1)
    }

    fn expects(&self) -> Cow<'static, str> {
        let mut expected = if self.is_signed { "a number" } else { "a number that is not negative" }.to_owned();
        if let Some(min) = self.min {
            expected += &format!(", at least {min}");
        }
        if let Some(max) = self.max {
            expected += &format!(", at most {max}");
        }
        Cow::Owned(expected)
    }
}
