//! [`Serving`]: a hook that goes on as long as the application serves.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::isolated::Isolated;
use crate::{CancelScope, Error, Event, Nursery, Outcome, Result, RuntimeError, shield};

/// The time for which an application serves, as a hook of [`while_serving`](super::App::while_serving) has it.
pub struct Serving {
    state: Rc<State>,
}

impl Serving {
    /// Waits until the application shuts down, and says that it may begin to serve: the `yield` of Quart's generator. A
    /// hook awaits it once; after that it is ready at once.
    pub async fn until_shutdown(&self) {
        self.state.is_up.set(true);
        self.state.settled.set();
        self.state.stop.wait().await;
    }
}

/// A hook of `while_serving` without its types.
pub(super) trait WhileServing {
    fn call(&self, serving: Serving) -> LocalBoxFuture<'_, Result<()>>;
}

impl<F, R> WhileServing for F
where
    F: AsyncFn(Serving) -> R,
    R: Outcome,
{
    fn call(&self, serving: Serving) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async move { self(serving).await.into_result() })
    }
}

/// A hook that has come to its wait. Dropped, it is cancelled.
pub(super) struct Up {
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    /// It has come to its wait.
    is_up: Cell<bool>,
    /// It has come to its wait, or to its end.
    settled: Event,
    /// It is to go on to its end.
    stop: Event,
    over: Event,
    failure: RefCell<Option<Error>>,
    scope: CancelScope,
}

impl Up {
    /// Runs a hook up to its wait. It goes on in `nursery`, shielded: what is behind the wait is for a server that is
    /// cancelled, too. `fail` is called with an error that comes before it was told to go on.
    ///
    /// # Cancel safety
    ///
    /// The hook is cancelled.
    pub(super) async fn start(
        nursery: &Nursery,
        hook: Rc<dyn WhileServing>,
        fail: impl FnOnce(Error) + 'static,
    ) -> Result<Self> {
        let up = Up { state: Rc::default() };
        let state = up.state.clone();
        nursery.start_background(async move {
            let serving = Serving { state: state.clone() };
            let work = Isolated::new(async move { hook.call(serving).await });
            let ended = shield(state.scope.run(work)).await;
            if let Some(Err(err)) = ended {
                if state.is_up.get() && !state.stop.is_set() {
                    fail(err);
                } else {
                    state.failure.replace(Some(err));
                }
            }
            state.over.set();
            state.settled.set();
        });
        up.state.settled.wait().await;
        if up.state.is_up.get() {
            return Ok(up);
        }
        Err(up.state.failure.take().unwrap_or_else(|| RuntimeError::new(NO_WAIT).into()))
    }

    /// Runs it to its end.
    ///
    /// # Cancel safety
    ///
    /// The hook is cancelled.
    pub(super) async fn stop(self) -> Result<()> {
        self.state.stop.set();
        self.state.over.wait().await;
        self.state.failure.take().map_or(Ok(()), Err)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.state.scope.cancel_with("the application does not wait for this hook of while_serving any more");
    }
}

const NO_WAIT: &str = "a hook of while_serving has ended before the application serves: it has to await \
                       serving.until_shutdown()";
