//! What can be wrong with a file of scenarios or of scenario ids.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a data file cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        err: io::Error,
    },
    /// The file is not a JSON list.
    NotAList {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// A scenario does not follow the language of `SCENARIOS.md`.
    InvalidScenario {
        /// Its id, or its position if it has none.
        scenario: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A list names a scenario that does not exist.
    UnknownId {
        /// The id.
        id: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Unreadable { path, err } => {
                write!(f, "cannot read {}: {err}", path.display())
            }
            LoadError::NotAList { path, found } => {
                write!(f, "{} is not a JSON list: {found}", path.display())
            }
            LoadError::InvalidScenario { scenario, problem } => {
                write!(f, "scenario {scenario} is not valid: {problem}")
            }
            LoadError::UnknownId { id } => write!(f, "there is no scenario {id}"),
        }
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            LoadError::Unreadable { err, .. } => Some(err),
            _ => None,
        }
    }
}
