//! [`AppHandle`]: an application at work.

use std::any::Any;
use std::rc::Rc;

use super::background::AppNursery;
use super::background_task::BackgroundTask;
use super::shared::Shared;
use crate::{Event, Outcome};

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

    /// Starts a background task: as [`App::add_background_task`](super::App::add_background_task), and at once.
    ///
    /// # Panics
    ///
    /// As [`AppNursery::start_soon`].
    #[track_caller]
    pub fn add_background_task<F, R>(&self, task: F) -> BackgroundTask
    where
        F: AsyncFn() -> R + 'static,
        R: Outcome,
    {
        self.shared.nursery.add(task)
    }

    /// Tells the server to stop, as a signal does: Quart's `app.shutdown()`, which there only ends the application and
    /// not its server. Idempotent; returns at once. Does nothing where the application is not served: without the
    /// [startup](crate::Handler::startup) of its handler.
    pub fn shutdown(&self) {
        self.shared.nursery.shutdown();
    }

    /// Happens when the last connection has ended and background tasks are to end: Quart's `app.shutdown_event`. They are
    /// cancelled after
    /// [`background_task_shutdown_timeout`](super::App::background_task_shutdown_timeout). A view asks
    /// [`Request::shutdown`](super::Request::shutdown), which happens before.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use foster::app::{App, current_app};
    /// use foster::move_on_after;
    ///
    /// let mut app = App::new();
    /// app.add_background_task(async || {
    ///     let shutdown = current_app().shutdown_event();
    ///     while move_on_after(Duration::from_secs(60), shutdown.wait()).await.is_none() {
    ///         // Once a minute.
    ///     }
    ///     // At the end.
    /// });
    /// ```
    pub fn shutdown_event(&self) -> Event {
        self.shared.nursery.stopping().clone()
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
