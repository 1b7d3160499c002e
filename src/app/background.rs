//! [`AppNursery`]: where work is done that outlives a request.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::context::AppContext;
use crate::{Context, Nursery, Outcome};

/// The nursery of an application: Quart-Trio's `app.nursery`. A cheap clone.
#[derive(Clone)]
pub struct AppNursery {
    state: Rc<State>,
}

struct State {
    nursery: RefCell<Option<Nursery>>,
    waiting: RefCell<Vec<LocalBoxFuture<'static, ()>>>,
}

impl AppNursery {
    pub(super) fn new() -> Self {
        AppNursery { state: Rc::new(State { nursery: RefCell::default(), waiting: RefCell::default() }) }
    }

    /// Starts a task.
    pub fn start_soon<F>(&self, task: F)
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        let task = async move {
            let _ = task.await.into_result();
        };
        match &*self.state.nursery.borrow() {
            Some(nursery) => nursery.start_soon(task),
            None => self.state.waiting.borrow_mut().push(Box::pin(task)),
        }
    }

    /// Runs from now on, in `nursery`. What waits goes on waiting.
    #[cfg(feature = "testing")]
    pub(super) fn open(&self, nursery: Nursery, _server: crate::HttpServer, _shared: &Rc<super::shared::Shared>) {
        self.state.nursery.replace(Some(nursery));
    }

    /// Whether it has run.
    #[cfg(feature = "testing")]
    pub(super) fn was_opened(&self) -> bool {
        self.state.nursery.borrow().is_some()
    }

    /// Starts what has waited, in its order.
    #[cfg(feature = "testing")]
    pub(super) fn start_waiting(&self) {
        for task in self.state.waiting.take() {
            self.start_soon(task);
        }
    }

    /// Starts a task with what a request is worked on with.
    pub(super) fn start_in(&self, context: &Rc<AppContext>, task: impl Future<Output = ()> + 'static) {
        context.enter(Context::new()).run(|| self.start_soon(task));
    }
}
