//! A callback that is called again and again: for a descriptor, for a signal.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::nursery::Outcome;
use crate::runtime::{Context, Core, ExceptionContext, Failure};

type Call = Box<dyn FnMut() -> crate::error::Result<()>>;

pub(super) struct RepeatedCall {
    /// Taken out while it runs, and for good by [`forget`](RepeatedCall::forget).
    call: RefCell<Option<Call>>,
    /// The context variables of who gave it.
    context: Context,
}

impl RepeatedCall {
    pub(super) fn new<F, R>(core: &Core, mut call: F) -> Self
    where
        F: FnMut() -> R + 'static,
        R: Outcome,
    {
        RepeatedCall { call: RefCell::new(Some(Box::new(move || call().into_result()))), context: core.context() }
    }

    /// Makes the call, as a handle in the queue is run; an error or panic goes to the exception handler. It is kept for
    /// the next time if `is_wanted` after it. Gives `false` after a panic, when nothing is kept.
    pub(super) fn run(&self, core: &Core, is_wanted: impl Fn() -> bool) -> bool {
        let Some(mut call) = self.call.take() else { return true };
        core.set_context(self.context.clone());
        let inside = core.enter(core.base);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let result = call();
            if is_wanted() {
                self.call.replace(Some(call));
            }
            result
        }));
        drop(inside);
        core.set_context(Context::new());
        let failure = match outcome {
            Ok(Ok(())) => return true,
            Ok(Err(err)) => Failure::Error(err),
            Err(payload) => Failure::Panic(payload),
        };
        let is_sound = matches!(failure, Failure::Error(_));
        core.call_exception_handler(&ExceptionContext::new("Exception in callback", Some(failure.into_error())));
        is_sound
    }

    /// Drops the call and what it holds; if it is running, when it returns.
    pub(super) fn forget(&self, core: &Core) {
        let call = self.call.take();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(call))) {
            core.report_panic("Exception while a callback was dropped", payload);
        }
    }
}
