//! Telling the exception handler, and a strict nursery, of what a transport's user code did wrong.

use std::fmt;

use super::exceptions::is_expected;
use super::membership::Membership;
use crate::runtime::{ExceptionContext, Failure};

/// Reports a failure with the transport and the protocol; strictly, one that is no error of the operating system also
/// ends the nursery.
pub(super) fn report<T, P>(
    membership: &Membership,
    is_strict: bool,
    message: &'static str,
    failure: Failure,
    transport: T,
    protocol: Option<P>,
) where
    T: fmt::Debug + 'static,
    P: fmt::Debug + 'static,
{
    let err = failure.into_error();
    if is_strict && !is_expected(&err) {
        membership.nursery().fail(err.clone());
    }
    let mut context = ExceptionContext::new(message, Some(err)).with("transport", transport);
    if let Some(protocol) = protocol {
        context = context.with("protocol", protocol);
    }
    membership.nursery().core().call_exception_handler(&context);
}
