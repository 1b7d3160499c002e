//! [`nobody`]: the waker of first steps.

use std::task::Waker;

/// A waker that wakes nobody, for the first step of a handler: the task that goes on asks everything again. It is the
/// same one everywhere, so that who keeps wakers can tell it, and has no need of it.
#[inline(never)]
pub(crate) fn nobody() -> &'static Waker {
    Waker::noop()
}
