//! [`AppHandle`]: an application at work.

use std::any::Any;
use std::rc::Rc;

use super::background::AppNursery;
use super::shared::Shared;

/// An application at work, as [`current_app()`](super::current_app) gives it. A cheap clone.
#[derive(Clone)]
pub struct AppHandle {
    pub(super) shared: Rc<Shared>,
}

impl AppHandle {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        AppHandle { shared }
    }

    /// Where tasks are started that outlive a request.
    pub fn nursery(&self) -> AppNursery {
        self.shared.nursery.clone()
    }

    /// The [state](super::App::state) of that type.
    pub fn state<T: Any>(&self) -> Option<Rc<T>> {
        self.shared.states.get()
    }

    /// Whether errors are shown to clients.
    pub fn is_debug(&self) -> bool {
        self.shared.options.debug
    }
}
