//! An action as the scenario writes it: a name and its arguments.

use std::time::Duration;

use serde_json::Value;

use crate::action::{Action, Actions, parse_actions};
use crate::exception::Exception;
use crate::signal::Signal;

/// One action, not yet understood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    pub(crate) name: &'a str,
    arguments: &'a [Value],
}

impl<'a> Words<'a> {
    pub(crate) fn new(action: &'a Value) -> Result<Self, String> {
        match action.as_array().map(Vec::as_slice) {
            Some([Value::String(name), arguments @ ..]) => Ok(Words { name, arguments }),
            _ => Err(format!("not an action: {action}")),
        }
    }

    /// The argument at a position, which is null if it is left out.
    pub(crate) fn value(self, at: usize) -> &'a Value {
        self.given(at).unwrap_or(&Value::Null)
    }

    /// The argument at a position, if it is not left out.
    pub(crate) fn given(self, at: usize) -> Option<&'a Value> {
        self.arguments.get(at)
    }

    pub(crate) fn text(self, at: usize) -> Result<String, String> {
        self.optional_text(at).ok_or_else(|| self.wrong(at, "a text"))
    }

    pub(crate) fn optional_text(self, at: usize) -> Option<String> {
        self.value(at).as_str().map(str::to_owned)
    }

    pub(crate) fn number(self, at: usize) -> Result<usize, String> {
        self.optional_number(at).ok_or_else(|| self.wrong(at, "a number"))
    }

    pub(crate) fn optional_number(self, at: usize) -> Option<usize> {
        self.value(at).as_u64().and_then(|number| usize::try_from(number).ok())
    }

    pub(crate) fn milliseconds(self, at: usize) -> Result<Duration, String> {
        let milliseconds = self.value(at).as_u64().ok_or_else(|| self.wrong(at, "a number of milliseconds"))?;
        Ok(Duration::from_millis(milliseconds))
    }

    pub(crate) fn list(self, at: usize) -> Result<&'a [Value], String> {
        self.value(at).as_array().map(Vec::as_slice).ok_or_else(|| self.wrong(at, "a list"))
    }

    pub(crate) fn texts(self, at: usize) -> Result<Vec<String>, String> {
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| self.wrong(at, "a list of texts"));
        self.list(at)?.iter().map(text).collect()
    }

    pub(crate) fn actions(self, at: usize) -> Result<Actions, String> {
        parse_actions(self.value(at))
    }

    pub(crate) fn action(self, at: usize) -> Result<Box<Action>, String> {
        Action::parse(self.value(at)).map(Box::new)
    }

    /// The exception whose name is at a position, with the message behind it.
    pub(crate) fn exception(self, at: usize) -> Result<Exception, String> {
        let message = self.optional_text(at + 1).unwrap_or_default();
        Exception::new(&self.text(at)?, &message).ok_or_else(|| self.wrong(at, "an exception"))
    }

    pub(crate) fn signal(self, at: usize) -> Result<Signal, String> {
        Signal::of_name(&self.text(at)?).ok_or_else(|| self.wrong(at, "a signal"))
    }

    /// Says what an argument should have been.
    pub(crate) fn wrong(self, at: usize, wanted: &str) -> String {
        format!("the action {} needs {wanted}, not {}", self.name, self.value(at))
    }
}
