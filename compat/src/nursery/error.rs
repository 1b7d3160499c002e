//! [`NurseryError`]: everything that went wrong in one nursery.

use std::fmt;

use crate::error::Error;

/// All errors of the body and the children of one nursery, in the order they happened: Python's `ExceptionGroup`.
///
/// Always a group, also for a single error, and never empty. A nested nursery's errors stay one member, which
/// [`errors`](NurseryError::errors) shows as it is and the searching methods look into.
#[derive(Debug)]
pub struct NurseryError {
    errors: Vec<Error>,
}

impl NurseryError {
    /// `None` where there is nothing to report.
    pub(crate) fn from_errors(errors: Vec<Error>) -> Option<Self> {
        (!errors.is_empty()).then_some(NurseryError { errors })
    }

    pub(crate) fn from_error(err: Error) -> Self {
        NurseryError { errors: vec![err] }
    }

    /// The members, first in time first.
    pub fn errors(&self) -> &[Error] {
        &self.errors
    }

    /// The members by value, first in time first.
    pub fn into_errors(self) -> Vec<Error> {
        self.errors
    }

    /// The one member if there is no other, else the group: for a function whose nursery is its own affair, and whose
    /// caller wants the error itself.
    pub fn into_error(mut self) -> Error {
        if self.errors.len() == 1 { self.errors.remove(0) } else { self.into() }
    }

    /// Every error that is not itself a group, depth first, first in time first.
    pub fn leaves(&self) -> Vec<&Error> {
        let mut leaves = Vec::new();
        let mut rest: Vec<&Error> = self.errors.iter().rev().collect();
        while let Some(err) = rest.pop() {
            match err.downcast_ref::<NurseryError>() {
                Some(group) => rest.extend(group.errors.iter().rev()),
                None => leaves.push(err),
            }
        }
        leaves
    }

    /// The first leaf that is an `E`.
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.leaves().into_iter().find_map(Error::downcast_ref)
    }

    /// Whether a leaf is an `E`.
    pub fn contains<E: std::error::Error + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// The group of the leaves that are an `E` and the group of the rest: `ExceptionGroup.split(E)`, which is what
    /// `except*` does. `None` where a part would be empty; nested groups keep their shape.
    pub fn split<E: std::error::Error + 'static>(self) -> (Option<NurseryError>, Option<NurseryError>) {
        self.split_by(&|err| err.is::<E>())
    }

    /// As [`split`](NurseryError::split), with any condition on the leaves.
    pub fn split_by(self, is_match: &dyn Fn(&Error) -> bool) -> (Option<NurseryError>, Option<NurseryError>) {
        let (mut matching, mut rest) = (Vec::new(), Vec::new());
        for err in self.errors {
            match err.downcast_ref::<NurseryError>() {
                Some(group) => {
                    let copy = NurseryError { errors: group.errors.clone() };
                    let (inner, other) = copy.split_by(is_match);
                    matching.extend(inner.map(Error::new));
                    rest.extend(other.map(Error::new));
                }
                None if is_match(&err) => matching.push(err),
                None => rest.push(err),
            }
        }
        (NurseryError::from_errors(matching), NurseryError::from_errors(rest))
    }
}

impl fmt::Display for NurseryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.errors {
            [only] => write!(f, "1 error in a nursery: {only:#}"),
            errors => {
                write!(f, "{} errors in a nursery: ", errors.len())?;
                for (n, err) in errors.iter().enumerate() {
                    let separator = if n == 0 { "" } else { "; " };
                    write!(f, "{separator}({}) {err:#}", n + 1)?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for NurseryError {}
