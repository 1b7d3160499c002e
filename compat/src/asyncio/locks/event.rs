//! [`Event`]: something that tasks wait to happen.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::waiters::Waiters;
use crate::nursery::primitive;

/// A flag that tasks wait for: `asyncio.Event`, a cheap clone of one shared flag, down at first.
///
/// [`set`](Event::set) wakes everybody who waits at that moment, also if [`clear`](Event::clear) follows at once.
///
/// # Examples
///
/// ```
/// use foster_compat::asyncio::Event;
/// use foster_compat::{open_nursery, run};
///
/// run(async {
///     open_nursery(async |nursery| {
///         let ready = Event::new();
///         let waits = ready.clone();
///         nursery.start_soon(async move { waits.wait().await });
///         ready.set();
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone, Default)]
pub struct Event {
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    is_set: Cell<bool>,
    waiters: Waiters,
}

impl Event {
    /// An event that has not happened.
    pub fn new() -> Self {
        Event::default()
    }

    /// Raises the flag and wakes everybody who waits: `event.set`. Idempotent.
    pub fn set(&self) {
        if !self.state.is_set.replace(true) {
            self.state.waiters.wake_all();
        }
    }

    /// Takes the flag down; who comes now waits: `event.clear`.
    pub fn clear(&self) {
        self.state.is_set.set(false);
    }

    /// Whether the flag is up: `event.is_set`.
    pub fn is_set(&self) -> bool {
        self.state.is_set.get()
    }

    /// Waits until the flag is up; if it is, does not give way: `event.wait`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it takes nothing from the others. In a cancelled scope it stays pending also when the flag is up.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn wait(&self) {
        primitive("an event", async {
            if !self.is_set() {
                self.state.waiters.wait(|| ()).await;
            }
        })
        .await
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({})", if self.is_set() { "set" } else { "unset" })
    }
}
