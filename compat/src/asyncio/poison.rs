//! What a panic of a callback leaves behind.

use std::cell::Cell;
use std::rc::Rc;

use super::loop_state::LoopState;
use crate::error::Result;
use crate::runtime::Failure;

/// Calls user code on behalf of a protocol. A panic sets `is_poisoned` before what the callback put off is delivered.
pub(super) fn call_or_poison<R>(
    lp: &Rc<LoopState>,
    is_poisoned: &Cell<bool>,
    call: impl FnOnce() -> Result<R>,
) -> Result<R, Failure> {
    lp.call(|| {
        let poison = PoisonOnUnwind { is_poisoned };
        let result = call();
        std::mem::forget(poison);
        result
    })
}

/// Marks a protocol whose callback unwinds.
struct PoisonOnUnwind<'a> {
    is_poisoned: &'a Cell<bool>,
}

impl Drop for PoisonOnUnwind<'_> {
    fn drop(&mut self) {
        self.is_poisoned.set(true);
    }
}
