//! [`AppNursery`]: where work is done that outlives a request.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::context::AppContext;
use crate::{Context, Nursery, Outcome, get_running_loop};

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

    /// Starts a task with what a request is worked on with; where the application does not run, in the loop's nursery.
    pub(super) fn start_in(&self, context: &Rc<AppContext>, task: impl Future<Output = ()> + 'static) {
        context.enter(Context::new()).run(|| match (self.state.nursery.borrow().is_some(), get_running_loop()) {
            (false, Ok(running)) => drop(running.create_task(task)),
            _ => self.start_soon(task),
        });
    }
}
