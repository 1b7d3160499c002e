//! How a driver is started.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::process::{Command, Stdio};

/// The command line of a driver. The same command is started once per scenario.
#[derive(Debug, Clone)]
pub struct DriverCommand {
    program: OsString,
    arguments: Vec<OsString>,
    shows_stderr: bool,
}

impl DriverCommand {
    /// A driver without arguments.
    pub fn new(program: impl Into<OsString>) -> DriverCommand {
        DriverCommand { program: program.into(), arguments: Vec::new(), shows_stderr: false }
    }

    /// The driver that a command line stands for; it is split as a shell does, but no shell is used.
    ///
    /// # Errors
    ///
    /// [`DriverCommandError`] if it is empty or a quote stays open.
    pub fn parse(line: &str) -> Result<DriverCommand, DriverCommandError> {
        let mut words = split(line)?.into_iter();
        let program = words.next().ok_or(DriverCommandError::Empty)?;
        Ok(words.fold(DriverCommand::new(program), DriverCommand::argument))
    }

    /// The same driver with one more argument.
    pub fn argument(mut self, argument: impl Into<OsString>) -> DriverCommand {
        self.arguments.push(argument.into());
        self
    }

    /// Lets what the driver writes to stderr through; it is discarded otherwise.
    pub fn show_stderr(mut self) -> DriverCommand {
        self.shows_stderr = true;
        self
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(if self.shows_stderr { Stdio::inherit() } else { Stdio::null() });
        command
    }
}

impl fmt::Display for DriverCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program.to_string_lossy())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", argument.to_string_lossy()))
    }
}

/// Why a text is not the command line of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DriverCommandError {
    /// There is no word in it.
    Empty,
    /// A quote is not closed, or nothing follows the last backslash.
    Unfinished,
}

impl fmt::Display for DriverCommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DriverCommandError::Empty => "the driver's command line is empty",
            DriverCommandError::Unfinished => "the driver's command line ends inside a quote or an escape",
        })
    }
}

impl Error for DriverCommandError {}

/// Words as in a POSIX shell: single quotes keep all, double quotes and backslashes keep blanks.
fn split(line: &str) -> Result<Vec<String>, DriverCommandError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(next) = chars.next() {
        match (quote, next) {
            (None, ' ' | '\t' | '\n') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(next);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == next => quote = None,
            (None | Some('"'), '\\') => {
                let escaped = chars.next().ok_or(DriverCommandError::Unfinished)?;
                word.get_or_insert_default().push(escaped);
            }
            _ => word.get_or_insert_default().push(next),
        }
    }
    words.extend(word);
    if quote.is_some() { Err(DriverCommandError::Unfinished) } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).expect("the line is complete")
    }

    #[test]
    fn words_are_split_at_blanks_outside_quotes() {
        assert_eq!(words("  python3 driver.py  --loop uvloop "), ["python3", "driver.py", "--loop", "uvloop"]);
        assert_eq!(words(r#"'a b' c" d" e\ f """#), ["a b", "c d", "e f", ""]);
    }

    #[test]
    fn an_unfinished_or_empty_command_line_is_refused() {
        for line in ["'a", "\"a", "a\\"] {
            assert_eq!(DriverCommand::parse(line).err(), Some(DriverCommandError::Unfinished), "{line}");
        }
        assert_eq!(DriverCommand::parse("  ").err(), Some(DriverCommandError::Empty));
    }
}
