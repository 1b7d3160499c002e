//! [`Arguments`]: what stands in parentheses behind the name of a converter.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The arguments of a converter: `2, maxlength=5` of `<string(2, maxlength=5):code>`. Empty without parentheses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    pub(super) list: Vec<Argument>,
}

/// One argument of a converter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    pub(super) name: Option<String>,
    pub(super) value: String,
    /// Where it stands in the rule.
    pub(super) span: Range<usize>,
}

impl Arguments {
    /// The values that have no name, in order.
    pub fn positional(&self) -> impl Iterator<Item = &Argument> {
        self.list.iter().filter(|argument| argument.name.is_none())
    }

    /// The value with that name.
    pub fn named(&self, name: &str) -> Option<&Argument> {
        self.list.iter().find(|argument| argument.name.as_deref() == Some(name))
    }

    /// The arguments for parameters of these names, as Python binds them: those without a name come first and fill the
    /// parameters in order.
    ///
    /// # Errors
    ///
    /// [`ArgumentError`] if there are more than parameters, if a name is none of them, or if one is given twice.
    pub fn bind<const N: usize>(&self, parameters: [&str; N]) -> Result<[Option<&Argument>; N], ArgumentError> {
        let mut bound = [None; N];
        for (n, argument) in self.list.iter().enumerate() {
            let at = match &argument.name {
                None => Some(n).filter(|n| *n < N),
                Some(name) => parameters.iter().position(|parameter| parameter == name),
            };
            let Some(at) = at else {
                let known = if N == 0 { "none".to_owned() } else { parameters.join(", ") };
                return Err(argument.error(format!("there is no such argument; there is {known}")));
            };
            if bound[at].replace(argument).is_some() {
                return Err(argument.error(format!("{} is given twice", parameters[at])));
            }
        }
        Ok(bound)
    }

    /// All of them in one spelling, so that equal ones compare equal.
    pub(super) fn canonical(&self) -> String {
        let mut shown: Vec<String> =
            self.list.iter().map(|argument| format!("{:?}={:?}", argument.name, argument.value)).collect();
        let n_positional = self.positional().count();
        shown[n_positional..].sort_unstable();
        shown.join(",")
    }
}

impl Argument {
    /// Its value as text, without quotes.
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// Its value as a number or whatever else can be read from text.
    ///
    /// # Errors
    ///
    /// [`ArgumentError`], which says what was found and what `expected`.
    pub fn parse<V: FromStr>(&self, expected: &str) -> Result<V, ArgumentError> {
        self.value.parse().map_err(|_| self.error(format!("expected {expected}, found {:?}", self.value)))
    }

    /// Its value as a truth value, in Python's spelling or Rust's.
    ///
    /// # Errors
    ///
    /// [`ArgumentError`] if it is neither.
    pub fn parse_bool(&self) -> Result<bool, ArgumentError> {
        match self.value.as_str() {
            "True" | "true" => Ok(true),
            "False" | "false" => Ok(false),
            other => Err(self.error(format!("expected True or False, found {other:?}"))),
        }
    }

    /// An error that points at this argument.
    pub fn error(&self, message: impl Into<String>) -> ArgumentError {
        ArgumentError { message: message.into(), span: Some(self.span.clone()) }
    }
}

/// What is wrong with the arguments of a converter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentError {
    pub(super) message: String,
    /// Where in the rule, if it is about one argument.
    pub(super) span: Option<Range<usize>>,
}

impl ArgumentError {
    /// An error about all of them; [`Argument::error`] points at one.
    pub fn new(message: impl Into<String>) -> Self {
        ArgumentError { message: message.into(), span: None }
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ArgumentError {}
