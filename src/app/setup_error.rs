//! [`SetupError`]: why an application does not start.

use std::collections::HashSet;
use std::fmt;

/// Everything that is wrong with how an application was set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupError {
    messages: Vec<String>,
}

impl SetupError {
    /// What a blueprint does wrong that is registered several times is said once.
    pub(super) fn new(mut messages: Vec<String>) -> Self {
        let mut said = HashSet::new();
        messages.retain(|message| said.insert(message.clone()));
        SetupError { messages }
    }

    /// What is wrong, a message each.
    pub fn messages(&self) -> &[String] {
        &self.messages
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.messages {
            [only] => write!(f, "the application cannot start: {only}"),
            messages => {
                write!(f, "the application cannot start for {} reasons:", messages.len())?;
                messages.iter().try_for_each(|message| write!(f, "\n{message}"))
            }
        }
    }
}

impl std::error::Error for SetupError {}
