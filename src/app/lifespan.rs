//! [`Lifespan`]: what an application does before its first request and after its last.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;

use super::background::AppNursery;
use super::context::AppContext;
use super::dispatch::caught;
use super::hooks::extend_once;
use super::isolated::{Procedure, report};
use super::shared::Shared;
use super::while_serving::{Up, WhileServing};
use crate::{
    DEFAULT_CLEANUP_TIMEOUT, Error, Event, HttpServer, Nursery, Result, RuntimeError, finally_with, finally_within,
    move_on_after, open_nursery,
};

/// The hooks around serving, each list in the order they were registered.
#[derive(Clone, Default)]
pub(super) struct ServingHooks {
    pub(super) before: Vec<Rc<dyn Procedure>>,
    pub(super) while_: Vec<Rc<dyn WhileServing>>,
    pub(super) after: Vec<Rc<dyn Procedure>>,
}

impl ServingHooks {
    /// Adds others behind these, but for those that are there.
    pub(super) fn extend(&mut self, other: &ServingHooks) {
        extend_once(&mut self.before, &other.before);
        extend_once(&mut self.while_, &other.while_);
        extend_once(&mut self.after, &other.after);
    }
}

/// The methods that add them, for an application and a blueprint.
macro_rules! serving_hook_methods {
    ($field:ident: $before:ident $while_:ident $after:ident) => {
        /// Calls `hook` before the application serves, in the order they are added; those of blueprints behind those of
        /// the application. Its error is that of the server, which does not start. [`g()`](super::g) and
        /// [`current_app()`](super::current_app) are there, and `g()` is one for all hooks around serving.
        pub fn $before<F, R>(&mut self, hook: F) -> &mut Self
        where
            F: AsyncFn() -> R + 'static,
            R: Outcome,
        {
            self.$field.before.push(Rc::new(hook));
            self
        }

        /// Calls `hook` before the application serves, behind those that are called before it, up to where it awaits
        /// [`until_shutdown`](Serving::until_shutdown). What stands behind that comes when the background tasks have
        /// ended: the last added first, and each when the one before has ended. Quart's generators with one `yield`.
        ///
        /// It goes on meanwhile, so it may have a nursery of its own. An error before the wait, or no wait at all, is
        /// that of the server, which does not start; an error in the wait stops the server; one behind it hinders no
        /// other hook, and the first is that of the server. When the server is cancelled, what is behind the wait is
        /// run all the same, as a [`finally`](crate::finally).
        ///
        /// ```
        /// use foster::app::{App, Serving};
        ///
        /// let mut app = App::new();
        /// app.while_serving(async |serving: Serving| {
        ///     println!("opened");
        ///     serving.until_shutdown().await;
        ///     println!("closed");
        /// });
        /// ```
        pub fn $while_<F, R>(&mut self, hook: F) -> &mut Self
        where
            F: AsyncFn(Serving) -> R + 'static,
            R: Outcome,
        {
            self.$field.while_.push(Rc::new(hook));
            self
        }

        /// Calls `hook` at the very end, in the order they are added: after the last connection, the background tasks and
        /// the hooks that go on while it serves. Errors and cancellation are as with these. It is not called for an
        /// application that did not start.
        pub fn $after<F, R>(&mut self, hook: F) -> &mut Self
        where
            F: AsyncFn() -> R + 'static,
            R: Outcome,
        {
            self.$field.after.push(Rc::new(hook));
            self
        }
    };
}
pub(super) use serving_hook_methods;

/// The life of one application:
///
/// ```text
/// start:  nursery opened ─> before_serving ─> while_serving up to the wait ─> what waited for the nursery is started
/// stop:   background tasks end, or are cancelled ─> while_serving behind the wait, last first ─> after_serving
/// ```
///
/// Who takes `up` out of it stops it: the shutdown of the handler, or, where none comes because whoever started it up was
/// cancelled, the task that keeps the nursery.
pub(super) struct Lifespan {
    shared: Rc<Shared>,
    /// Of all hooks around serving.
    context: Rc<AppContext>,
    up: RefCell<Option<AllUp>>,
}

/// The hooks that are to be ended, when all is up.
struct AllUp {
    while_serving: Vec<Up>,
    /// Somebody has begun to end them.
    taken: Event,
}

impl Lifespan {
    pub(super) fn new(shared: Rc<Shared>) -> Rc<Self> {
        let context = AppContext::new(shared.clone(), None);
        Rc::new(Lifespan { shared, context, up: RefCell::default() })
    }

    /// Starts up; the first error ends that, and what was started until then.
    pub(super) async fn start(self: &Rc<Self>, nursery: &Nursery, server: HttpServer) -> Result<()> {
        if self.nursery().was_opened() {
            return Err(RuntimeError::new("the application has been served before: make another one").into());
        }
        self.open_nursery(nursery, server).await;
        let starting = async |while_serving: &mut Vec<Up>| {
            self.context.within(pin!(Some(self.call_startup_hooks(nursery, while_serving)))).await?;
            self.up.replace(Some(AllUp { while_serving: std::mem::take(while_serving), taken: Event::new() }));
            self.nursery().start_waiting();
            Ok(())
        };
        let clean_up = async |while_serving: &mut Vec<Up>| {
            if self.up.borrow().is_some() {
                return;
            }
            self.nursery().hurry();
            self.nursery().drain(None).await;
            let stopping = pin!(Some(stop_in_reverse(std::mem::take(while_serving))));
            let stopped = self.context.within(stopping).await;
            for err in stopped.into_iter().chain(self.nursery().take_failure()) {
                report("an error of an application that did not start", err);
            }
        };
        finally_with(&mut Vec::new(), starting, clean_up).await
    }

    /// Stops; the first error is given, and ends nothing else.
    pub(super) async fn stop(&self) -> Result<()> {
        let Some(mut up) = self.take_up().map(Some) else { return Ok(()) };
        let timeout = self.shared.options.background_task_shutdown_timeout;
        let stopping = async |up: &mut Option<AllUp>| {
            self.nursery().drain(timeout).await;
            match up.take() {
                Some(up) => self.end(up).await,
                None => Ok(()),
            }
        };
        let clean_up = async |up: &mut Option<AllUp>| {
            if let Some(up) = up.take() {
                self.nursery().hurry();
                self.nursery().drain(None).await;
                self.end_unheard(up).await;
            }
        };
        finally_with(&mut up, stopping, clean_up).await
    }

    fn nursery(&self) -> &AppNursery {
        &self.shared.nursery
    }

    fn take_up(&self) -> Option<AllUp> {
        let up = self.up.take();
        if let Some(up) = &up {
            up.taken.set();
        }
        up
    }

    /// Opens the nursery of the application, in a task that keeps it until it is told to stop.
    async fn open_nursery(self: &Rc<Self>, nursery: &Nursery, server: HttpServer) {
        let (lifespan, is_open) = (self.clone(), Event::new());
        let opened = is_open.clone();
        nursery.start_background(async move {
            let keep = async {
                let tasks = open_nursery(async |tasks| {
                    let app = lifespan.nursery();
                    app.open(tasks, server, &lifespan.shared);
                    opened.set();
                    let _body = Body(app);
                    app.stopping().wait().await;
                    Ok(())
                });
                // Its tasks keep their errors to themselves.
                let _ = tasks.await;
            };
            finally_within(2 * DEFAULT_CLEANUP_TIMEOUT, keep, lifespan.nursery_ended()).await;
        });
        is_open.wait().await;
    }

    /// The nursery has ended: it was told to stop, or it was cancelled with all around it. Then a shutdown comes when the
    /// connections have ended, unless nobody means to give one.
    async fn nursery_ended(&self) {
        self.nursery().end();
        let taken = self.up.borrow().as_ref().map(|up| up.taken.clone());
        let Some(taken) = taken.filter(|_| self.has_an_end()) else { return };
        if move_on_after(DEFAULT_CLEANUP_TIMEOUT, taken.wait()).await.is_none() {
            if let Some(up) = self.take_up() {
                self.end_unheard(up).await;
            }
        }
    }

    /// Whether there is something to do at the end.
    fn has_an_end(&self) -> bool {
        let hooks = &self.shared.serving_hooks;
        !hooks.while_.is_empty() || !hooks.after.is_empty()
    }

    async fn call_startup_hooks(&self, nursery: &Nursery, while_serving: &mut Vec<Up>) -> Result<()> {
        let hooks = &self.shared.serving_hooks;
        for hook in &hooks.before {
            caught(hook.call()).await?;
        }
        for hook in &hooks.while_ {
            let app = self.nursery().clone();
            while_serving.push(Up::start(nursery, hook.clone(), move |err| app.fail(err)).await?);
        }
        Ok(())
    }

    /// Calls the hooks at the end. The first error is given, the others are reported.
    async fn end(&self, up: AllUp) -> Result<()> {
        let mut errors: Vec<Error> = self.nursery().take_failure().into_iter().collect();
        let hooks = async {
            errors.extend(stop_in_reverse(up.while_serving).await);
            for hook in &self.shared.serving_hooks.after {
                errors.extend(caught(hook.call()).await.err());
            }
        };
        self.context.within(pin!(Some(hooks))).await;
        let mut errors = errors.into_iter();
        let first = errors.next();
        for err in errors {
            report("a further error of an application that shuts down", err);
        }
        first.map_or(Ok(()), Err)
    }

    /// As [`end`](Lifespan::end), where nobody hears of the error.
    async fn end_unheard(&self, up: AllUp) {
        if let Err(err) = self.end(up).await {
            report("the shutdown of an application that was cancelled failed", err);
        }
    }
}

/// The body of the nursery. One that is cancelled lets its body go at once, and ends when its tasks have.
struct Body<'a>(&'a AppNursery);

impl Drop for Body<'_> {
    fn drop(&mut self) {
        if !self.0.stopping().is_set() {
            self.0.hurry();
        }
    }
}

/// Runs hooks to their ends, and gives their errors.
async fn stop_in_reverse(while_serving: Vec<Up>) -> Vec<Error> {
    let mut errors = Vec::new();
    for up in while_serving.into_iter().rev() {
        errors.extend(up.stop().await.err());
    }
    errors
}
