//! Signal handlers of the loop.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};

use super::event_loop::Loop;
use super::exceptions::{RuntimeError, ValueError};
use crate::error::Result;
use crate::nursery::{Nursery, Outcome, Task};
use crate::runtime::{ExceptionContext, Failure};

/// The highest signal number of Linux; the BSDs have fewer.
const MAX_SIGNAL: i32 = 64;

/// The handlers of one loop, by signal.
#[derive(Default)]
pub(super) struct SignalHandlers {
    tasks: RefCell<HashMap<i32, Task<()>>>,
}

impl Loop {
    /// Calls `call` in the loop whenever the process gets `signal`: `loop.add_signal_handler`. It replaces an earlier
    /// one, and for SIGINT and SIGTERM what [`run`](crate::run) does.
    ///
    /// An error of the callback goes to the exception handler. The handler goes with the loop's nursery, which it
    /// does not keep open.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] for a number that is no signal, a [`RuntimeError`] for one that cannot be caught.
    pub fn add_signal_handler<F, R>(&self, number: i32, mut call: F) -> Result<()>
    where
        F: FnMut() -> R + 'static,
        R: Outcome,
    {
        if !(1..=MAX_SIGNAL).contains(&number) {
            return Err(ValueError::new(format!("invalid signal number {number}")).into());
        }
        let mut stream = signal(SignalKind::from_raw(number))
            .map_err(|_| RuntimeError::new(format!("sig {number} cannot be caught")))?;
        self.remove_signal_handler(number);
        let core = self.nursery().core().clone();
        core.set_handled_by_program(number, true)?;
        let task = Nursery::system().create_task(async move {
            while stream.recv().await.is_some() {
                let failure = match catch_unwind(AssertUnwindSafe(|| call().into_result())) {
                    Ok(Ok(())) => continue,
                    Ok(Err(err)) => Failure::Error(err),
                    Err(payload) => Failure::Panic(payload),
                };
                let context = ExceptionContext::new("Exception in callback", Some(failure.into_error()));
                core.call_exception_handler(&context);
            }
        });
        self.signal_handlers().tasks.borrow_mut().insert(number, task);
        Ok(())
    }

    /// Forgets the handler of `signal`; `false` if there was none.
    ///
    /// SIGINT and SIGTERM then end the loop again. Differs from asyncio: any other signal is ignored from then on,
    /// because the default action of the system is not brought back.
    pub fn remove_signal_handler(&self, number: i32) -> bool {
        let task = self.signal_handlers().tasks.borrow_mut().remove(&number);
        match task {
            Some(task) => {
                task.cancel();
                // Its end is a turn away; the handler is gone now.
                let _ = self.nursery().core().set_handled_by_program(number, false);
                true
            }
            None => false,
        }
    }

    fn signal_handlers(&self) -> Rc<SignalHandlers> {
        super::loop_state::LoopState::of(self.nursery().core()).signal_handlers.clone()
    }
}
