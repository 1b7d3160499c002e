//! The options of an action: a JSON object.

use std::time::Duration;

use serde_json::{Map, Value};

/// Options by their names, of which none may be unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options<'a> {
    /// The action, for messages.
    action: &'a str,
    fields: &'a Map<String, Value>,
}

impl<'a> Options<'a> {
    pub(crate) fn parse(action: &'a str, options: &'a Value, known: &[&str]) -> Result<Self, String> {
        let fields = options.as_object().ok_or_else(|| format!("not the options of {action}: {options}"))?;
        match fields.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("unknown option of {action}: {key}")),
            None => Ok(Options { action, fields }),
        }
    }

    pub(crate) fn value(self, key: &str) -> Option<&'a Value> {
        self.fields.get(key)
    }

    pub(crate) fn text(self, key: &str) -> Result<String, String> {
        self.optional_text(key)?.ok_or_else(|| format!("{} without {key}", self.action))
    }

    pub(crate) fn optional_text(self, key: &str) -> Result<Option<String>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong(key, "a text", other)),
        }
    }

    pub(crate) fn flag(self, key: &str, default: bool) -> Result<bool, String> {
        match self.value(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong(key, "true or false", other)),
        }
    }

    pub(crate) fn number<N: TryFrom<u64>>(self, key: &str) -> Result<Option<N>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => {
                let number = value.as_u64().and_then(|number| N::try_from(number).ok());
                number.map(Some).ok_or_else(|| self.wrong(key, "a number", value))
            }
        }
    }

    pub(crate) fn seconds(self, key: &str) -> Result<Option<Duration>, String> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => match value.as_f64().map(Duration::try_from_secs_f64) {
                Some(Ok(duration)) => Ok(Some(duration)),
                _ => Err(self.wrong(key, "a number of seconds", value)),
            },
        }
    }

    pub(crate) fn wrong(self, key: &str, wanted: &str, found: &Value) -> String {
        format!("the option {key} of {} needs {wanted}, not {found}", self.action)
    }
}
