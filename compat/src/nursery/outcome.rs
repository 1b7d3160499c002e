//! What a child of a nursery, or a callback, may return.

use crate::error::{Error, Result};

/// What a child of a nursery, or a callback of the loop, may return: nothing, [`Result<()>`](crate::Result), or never.
///
/// There is one error type so that a body which uses `?` and ends with `Ok(())` needs no annotation.
#[diagnostic::on_unimplemented(
    message = "a child task or callback returns `()`, `foster::Result<()>` or never, not `{Self}`",
    note = "end the block with `Ok(())` and let errors convert with `?`, or keep the value with `create_task`"
)]
pub trait Outcome {
    /// The outcome as a result.
    #[doc(hidden)]
    fn into_result(self) -> Result<()>;
}

impl Outcome for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl Outcome for Result<(), Error> {
    fn into_result(self) -> Result<()> {
        self
    }
}

impl Outcome for Never {
    fn into_result(self) -> Result<()> {
        self
    }
}

/// The type of a function that never returns, written so that stable Rust accepts it.
pub(crate) type Never = <fn() -> ! as Returns>::Type;

/// Names the return type of a function pointer.
#[doc(hidden)]
pub trait Returns {
    /// What the function returns.
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}
