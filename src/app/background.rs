//! [`AppNursery`]: where work is done that outlives a request.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::ops::Deref;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::time::Duration;

use futures::future::{LocalBoxFuture, select};

use super::context::{AppContext, has_request_context};
use super::isolated::{report, reporting};
use super::shared::Shared;
use crate::{
    Closed, Context, DEFAULT_CLEANUP_TIMEOUT, Error, Event, HttpServer, Nursery, Outcome, get_running_loop,
    move_on_after,
};

/// The nursery of an application: Quart-Trio's `app.nursery`, which is there before the application serves, too. A cheap
/// clone, by [`App::nursery`](super::App::nursery) and [`AppHandle::nursery`](super::AppHandle::nursery).
///
/// A task that is started before the application serves waits until the hooks of
/// [`before_serving`](super::App::before_serving) and [`while_serving`](super::App::while_serving) are through; one that
/// they start, or a request, begins at once, also where there was no startup: a service of tower has none. When the
/// server has stopped, tasks have
/// [`background_task_shutdown_timeout`](super::App::background_task_shutdown_timeout) to end, those included that are
/// started meanwhile; then they are cancelled.
///
/// A task has a context of its own: [`g()`](super::g) and [`current_app()`](super::current_app) are there, the
/// [`request()`](super::request) that started it is not, and nothing of its connection is kept. An error or a panic of a
/// task is its own: it is told to the exception handler of the loop, once, and everybody else goes on. In Quart-Trio such
/// an error ends the nursery, while the server keeps serving.
///
/// ```
/// use foster::app::App;
///
/// async fn background_task() {}
///
/// let mut app = App::new();
/// let nursery = app.nursery();
/// app.get("/", async move || {
///     nursery.start_soon(background_task());
///     ("Started", 201)
/// });
/// ```
#[derive(Clone)]
pub struct AppNursery {
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    /// What is started once the application serves.
    waiting: RefCell<Vec<Waiting>>,
    /// Absent before the startup.
    running: OnceCell<Running>,
    /// Everybody is to end.
    stopping: Event,
    /// Everybody is cancelled, with the server.
    cancelled: Event,
    /// Everybody has ended, and nobody begins.
    over: Event,
    /// Why the application stops itself.
    failure: RefCell<Option<Error>>,
}

struct Running {
    nursery: Nursery,
    server: HttpServer,
    /// Not to be kept alive by who keeps the nursery, as a view of it does.
    shared: Weak<Shared>,
}

struct Waiting {
    name: &'static str,
    /// It has no nursery before it is started: the nursery has it.
    task: Box<dyn FnOnce(AppNursery) -> LocalBoxFuture<'static, ()>>,
}

/// The nursery as its application has it. What waits in it may have the nursery, too, and goes with the application.
pub(super) struct OwnNursery(AppNursery);

impl OwnNursery {
    pub(super) fn new() -> Self {
        OwnNursery(AppNursery { state: Rc::default() })
    }
}

impl Deref for OwnNursery {
    type Target = AppNursery;

    fn deref(&self) -> &AppNursery {
        &self.0
    }
}

impl Drop for OwnNursery {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl AppNursery {
    /// Starts a task: `app.nursery.start_soon`.
    ///
    /// # Panics
    ///
    /// With one sentence once the application has shut down: [`try_start_soon`](AppNursery::try_start_soon) asks. While
    /// the thread is unwinding that is logged instead.
    #[track_caller]
    pub fn start_soon<F>(&self, task: F)
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        expect_open(self.try_start_soon(task));
    }

    /// As [`start_soon`](AppNursery::start_soon), for use where the application may have shut down.
    ///
    /// # Errors
    ///
    /// [`Closed`] then.
    pub fn try_start_soon<F>(&self, task: F) -> Result<(), Closed>
    where
        F: Future + 'static,
        F::Output: Outcome,
    {
        let task = reporting("a background task failed", async { task.await.into_result() });
        self.start(std::any::type_name::<F>(), |_| task)
    }

    /// Starts a task that reports its failure itself, in a context of its own.
    pub(super) fn start<F>(
        &self,
        name: &'static str,
        task: impl FnOnce(AppNursery) -> F + 'static,
    ) -> Result<(), Closed>
    where
        F: Future<Output = ()> + 'static,
    {
        match self.state.running.get() {
            Some(running) => running.start(name, task(self.clone())),
            None if self.state.over.is_set() => Err(Closed),
            None if has_request_context() => start_unserved(name, task(self.clone())),
            None => {
                let task = Box::new(|nursery| -> LocalBoxFuture<'static, ()> { Box::pin(task(nursery)) });
                self.state.waiting.borrow_mut().push(Waiting { name, task });
                Ok(())
            }
        }
    }

    /// Starts a task with what a request is worked on with; where the application does not run, in the loop's nursery.
    pub(super) fn start_in(&self, context: &Rc<AppContext>, task: impl Future<Output = ()> + 'static) {
        let task = reporting("a task of a request that is over failed", async {
            task.await;
            Ok(())
        });
        let own = self.state.running.get().map(|running| running.nursery.clone());
        let own = own.filter(|nursery| !nursery.is_closed());
        // Without a loop there is nobody who could work on it.
        let Some(nursery) = own.or_else(|| Some(get_running_loop().ok()?.nursery().clone())) else { return };
        context.enter(Context::new()).run(|| nursery.start_soon(task));
    }

    // ---- for the lifespan of the application

    /// Runs from now on, in `nursery`. What waits goes on waiting.
    pub(super) fn open(&self, nursery: Nursery, server: HttpServer, shared: &Rc<Shared>) {
        let running = Running { nursery, server, shared: Rc::downgrade(shared) };
        // It is opened once.
        let _ = self.state.running.set(running);
    }

    /// Whether it has run.
    pub(super) fn was_opened(&self) -> bool {
        self.state.running.get().is_some()
    }

    /// Starts what has waited, in its order.
    pub(super) fn start_waiting(&self) {
        for Waiting { name, task } in self.state.waiting.take() {
            if self.start(name, task).is_err() {
                return;
            }
        }
    }

    /// Happens when tasks are to end.
    pub(super) fn stopping(&self) -> &Event {
        &self.state.stopping
    }

    /// The server is cancelled: there is no time left.
    pub(super) fn hurry(&self) {
        self.state.cancelled.set();
    }

    /// Waits for all tasks, and cancels them after `timeout`, if they are not before that. Those that go on for long even
    /// then are not waited for any more.
    pub(super) async fn drain(&self, timeout: Option<Duration>) {
        let State { running, stopping, cancelled, over, .. } = &*self.state;
        let Some(Running { nursery, .. }) = running.get() else { return };
        stopping.set();
        let (all_over, all_cancelled) = (pin!(over.wait()), pin!(cancelled.wait()));
        let waited = move_on_after(timeout.unwrap_or_default(), select(all_over, all_cancelled)).await;
        if over.is_set() {
            return;
        }
        let patience = if cancelled.is_set() { HASTY_PATIENCE } else { PATIENCE };
        if let (Some(timeout), None) = (timeout, waited) {
            let n_tasks = nursery.n_children();
            tracing::warn!("{n_tasks} background tasks are cancelled {timeout:?} after the server has stopped");
        }
        nursery.cancel_scope().cancel_with("the application shuts down, and the time of background tasks is over");
        if move_on_after(patience, over.wait()).await.is_none() {
            tracing::warn!("background tasks that were cancelled {patience:?} ago are not waited for any more");
        }
    }

    /// Everybody has ended.
    pub(super) fn end(&self) {
        self.state.over.set();
        let never_started = self.state.waiting.take();
        drop(never_started);
    }

    /// Tells the server to stop.
    pub(super) fn shutdown(&self) {
        if let Some(running) = self.state.running.get() {
            running.server.shutdown();
        }
    }

    /// Tells the server to stop, and keeps the error as what the application ends with.
    pub(super) fn fail(&self, err: Error) {
        self.shutdown();
        let mut failure = self.state.failure.borrow_mut();
        if failure.is_none() {
            *failure = Some(err);
        } else {
            drop(failure);
            report("a further error of an application that stops because of one", err);
        }
    }

    /// Why the application has stopped itself.
    pub(super) fn take_failure(&self) -> Option<Error> {
        self.state.failure.take()
    }
}

impl Running {
    fn start(&self, name: &str, task: impl Future<Output = ()> + 'static) -> Result<(), Closed> {
        let shared = self.shared.upgrade().filter(|_| !self.nursery.is_closed()).ok_or(Closed)?;
        start_apart(&shared, &self.nursery, name, task);
        Ok(())
    }
}

/// Starts a task of a request that is answered without a startup, as by a service of tower: there is no later for it to
/// wait for, and it goes to the loop's nursery.
fn start_unserved(name: &str, task: impl Future<Output = ()> + 'static) -> Result<(), Closed> {
    let context = AppContext::current().ok_or(Closed)?;
    let running = get_running_loop().map_err(|_| Closed)?;
    start_apart(&context.shared, running.nursery(), name, task);
    Ok(())
}

/// Starts a task in a context of its own.
fn start_apart(shared: &Rc<Shared>, nursery: &Nursery, name: &str, task: impl Future<Output = ()> + 'static) {
    let mut context = AppContext::new(shared.clone(), None).enter(Context::new());
    context.run(|| nursery.start_soon_named(name, task));
}

/// How long tasks that were cancelled are waited for: as long as a clean-up may take.
const PATIENCE: Duration = DEFAULT_CLEANUP_TIMEOUT;

/// As [`PATIENCE`], where the server was cancelled with them: the hooks at the end have the rest of that time.
const HASTY_PATIENCE: Duration = Duration::from_secs(2);

#[track_caller]
pub(super) fn expect_open(started: Result<(), Closed>) {
    if let Err(Closed) = started {
        if std::thread::panicking() {
            tracing::warn!("a background task was not started: {HAS_SHUT_DOWN}");
        } else {
            panic!("{HAS_SHUT_DOWN}");
        }
    }
}

const HAS_SHUT_DOWN: &str = "the application has shut down and takes no more background tasks: await the work where it \
                             is to be done";
