//! [`Event`].

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use tokio::sync::Notify;

use super::sleep::primitive;

/// Something that happens once and that tasks can wait for: `trio.Event`.
///
/// There is no `clear`, as in trio: make a new one for the next time. Clones are the same event. It belongs to one
/// thread.
///
/// # Examples
///
/// ```
/// use foster_compat::{Event, open_nursery, run};
///
/// run(async {
///     let started = Event::new();
///     open_nursery(async |nursery| {
///         let event = started.clone();
///         nursery.start_soon(async move { event.set() });
///         started.wait().await;
///         assert!(started.is_set());
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
    waiters: Notify,
}

impl Event {
    /// An event that has not happened.
    pub fn new() -> Self {
        Event::default()
    }

    /// Says that it has happened, and wakes everybody who waits, in the order they came. Nothing happens the second
    /// time.
    pub fn set(&self) {
        if !self.state.is_set.replace(true) {
            self.state.waiters.notify_waiters();
        }
    }

    /// Whether it has happened.
    pub fn is_set(&self) -> bool {
        self.state.is_set.get()
    }

    /// Waits until it has happened; ready at once if it has. Differs from trio, where even that gives way for a turn.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it no longer waits, and nothing is lost.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn wait(&self) {
        let happened = async {
            if !self.is_set() {
                self.state.waiters.notified().await;
            }
        };
        primitive("an event", happened).await
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}
