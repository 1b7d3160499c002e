//! [`Failure`]: how a view has failed, on its way to the test.

use std::any::Any;
use std::panic::resume_unwind;

use crate::{Error, NurseryError, Panicked, Result};

/// An error or a panic.
pub(super) enum Failure {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

impl Failure {
    /// Of an error that nothing in the application knew. One that is alone in a nursery's is itself.
    pub(super) fn of(mut err: Error) -> Self {
        let mut leaves = err.downcast_ref::<NurseryError>().map(NurseryError::leaves).unwrap_or_default();
        if let (Some(leaf), true) = (leaves.pop(), leaves.is_empty()) {
            err = leaf.clone();
        }
        match err.downcast_ref::<Panicked>() {
            Some(panicked) => Failure::Panic(Box::new(panicked.message().to_owned())),
            None => Failure::Error(err),
        }
    }

    /// Gives the error; resumes the panic.
    pub(super) fn raise<T>(self) -> Result<T> {
        match self {
            Failure::Error(err) => Err(err),
            Failure::Panic(payload) => resume_unwind(payload),
        }
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Failure::Error(err) => err,
            Failure::Panic(payload) => Panicked::new(payload).into(),
        }
    }
}
