//! How an application is served.

use std::future::{Future, IntoFuture};
use std::io::{Write, stdout};
use std::pin::Pin;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::app::App;
use super::dispatch::answer;
use super::lifespan::Lifespan;
use super::setup_error::SetupError;
use super::shared::Shared;
use crate::http::Response;
use crate::serve::{Options, serve_options};
use crate::{Config, Handler, HttpServer, Nursery, Request, Result, serve, serve_workers};

/// An application as a handler of requests.
struct Served<C> {
    shared: Rc<Shared>,
    lifespan: Rc<Lifespan>,
    call: C,
}

impl<C, A> Handler for Served<C>
where
    C: Fn(Request) -> A + 'static,
    A: Future<Output = Response> + 'static,
{
    type Future = A;

    fn call(&self, request: Request) -> A {
        (self.call)(request)
    }

    fn startup(&self, nursery: Nursery, server: HttpServer) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let app = self.lifespan.start(&nursery, server.clone());
            self.shared.mounts.start_up(&nursery, &server, app).await
        })
    }

    fn shutdown(&self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(self.shared.mounts.shut_down(self.lifespan.stop()))
    }

    /// The application has limits of its own, and each handler that is mounted has its.
    fn max_body_size(&self, limit: Option<u64>) -> Option<u64> {
        self.shared.mounts.limit_bodies(limit);
        None
    }
}

impl App {
    /// Serves the application on `127.0.0.1:5000` until Ctrl-C: Quart's `run`, for development. It prints
    /// `serving on 127.0.0.1:5000`. For any other address, `run(app.run_task(config))`.
    ///
    /// There is no reloader.
    ///
    /// # Errors
    ///
    /// As [`run_task`](App::run_task).
    pub fn run(self) -> Result<()> {
        crate::run(self.run_task(Config::new()).on_serving(|server| announce(&server)))
    }

    /// Serves the application until it is told to stop, in the loop it is awaited in, as a part of whatever nursery that
    /// is: Quart's `run_task`. Await the builder. It stops as [`serve`](crate::serve()) does, and when
    /// [`AppHandle::shutdown`](super::AppHandle::shutdown) is called.
    ///
    /// ```text
    /// before_serving ─> while_serving ─> requests, background tasks
    ///     told to stop ─> connections end, or are cancelled after graceful_timeout
    ///         ─> background tasks end, or are cancelled after background_task_shutdown_timeout
    ///             ─> while_serving, last first ─> after_serving ─> ended
    /// ```
    ///
    /// A second signal is impatient: it aborts the connections and the background tasks, and gives the hooks at the end 5
    /// seconds, or cancels them if they run already.
    ///
    /// If nothing is bound, it is `127.0.0.1:5000`. What is Quart's configuration and what is the server's:
    ///
    /// | Quart, Hypercorn | here | unless set |
    /// | --- | --- | --- |
    /// | `MAX_CONTENT_LENGTH` | [`App::max_content_length`]; [`Limits::max_body_size`](crate::http::Limits::max_body_size) is for other handlers and not looked at | 16 MiB |
    /// | `BODY_TIMEOUT`, of a body that is read as a whole | [`App::body_timeout`] | 60 s |
    /// | `read_timeout` | [`Config::body_timeout`], while nothing of a body comes that is waited for | 60 s (Hypercorn: none) |
    /// | `RESPONSE_TIMEOUT`, of a whole response, which it cuts off silently | none: [`Config::write_timeout`], while the client takes nothing. A response that goes on for long, as one of events, needs no exception | 60 s |
    /// | `BACKGROUND_TASK_SHUTDOWN_TIMEOUT` | [`App::background_task_shutdown_timeout`] | 5 s |
    /// | `graceful_timeout` | [`Config::graceful_timeout`] | 3 s |
    /// | `startup_timeout` | [`Config::startup_timeout`], of all hooks before serving together | 60 s |
    /// | `shutdown_timeout` | [`Config::shutdown_timeout`], of the background tasks and all hooks after that together | 60 s |
    /// | `keep_alive_timeout` | [`Config::keep_alive_timeout`] | 5 s |
    ///
    /// # Errors
    ///
    /// A [`SetupError`]; an address that cannot be bound; what a hook gives, or a background task that
    /// [stops the application](super::BackgroundPolicy::StopApp); a [`TimeoutError`](crate::TimeoutError).
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it aborts its connections and its background tasks, and runs the hooks at the end for up to 5 seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use foster::app::App;
    /// use foster::{Config, open_nursery, run};
    ///
    /// run(open_nursery(async |nursery| {
    ///     let mut app = App::new();
    ///     app.get("/", async || "Hello, World!");
    ///     let serving = app.run_task(Config::new().bind("127.0.0.1:0")).on_serving(|server| server.shutdown());
    ///     nursery.start_soon(serving.into_future());
    ///     Ok(())
    /// }))?;
    /// # foster::Ok(())
    /// ```
    pub fn run_task(self, config: Config) -> RunTask {
        let config = with_an_address(config);
        RunTask::new(|options| async {
            let handler = self.into_handler()?;
            serve(handler, config).with_options(options).await
        })
    }

    /// Serves an application from each of several loops, as [`serve_workers`](crate::serve_workers()) does: `factory`
    /// makes one for each [worker](Config::workers), in its thread, with a lifespan of its own. Await the builder; all
    /// else is as with [`run_task`](App::run_task).
    ///
    /// One more is made first, where this is awaited, to see whether it can be served, and let go of.
    ///
    /// # Errors
    ///
    /// A [`SetupError`], before anything else is done; else as [`serve_workers`](crate::serve_workers()).
    ///
    /// # Examples
    ///
    /// ```
    /// use foster::app::App;
    /// use foster::{Config, run};
    ///
    /// fn app() -> App {
    ///     let mut app = App::new();
    ///     app.get("/", async || "Hello, World!");
    ///     app
    /// }
    ///
    /// let config = Config::new().bind("127.0.0.1:0").workers(2);
    /// run(App::run_workers(app, config).on_serving(|server| server.shutdown()))?;
    /// # foster::Ok(())
    /// ```
    pub fn run_workers(factory: impl Fn() -> App + Send + Sync + 'static, config: Config) -> RunTask {
        let config = with_an_address(config);
        RunTask::new(|options| async move {
            drop(factory().set_up()?);
            let handlers = move || {
                let handler = factory().into_handler();
                handler.unwrap_or_else(|err| panic!("the factory makes different applications: {err}"))
            };
            serve_workers(handlers, config).with_options(options).await
        })
    }

    /// The application as a handler, for [`serve`](crate::serve()) and [`serve_workers`](crate::serve_workers): what
    /// [`run_task`](App::run_task) serves, to be configured and bound as any other.
    ///
    /// # Errors
    ///
    /// [`SetupError`], with everything that is wrong.
    pub fn into_handler(self) -> Result<impl Handler, SetupError> {
        Ok(handler(self.set_up()?))
    }
}

/// An application that is set up, as a handler.
pub(super) fn handler(shared: Rc<Shared>) -> impl Handler {
    let (lifespan, for_calls) = (Lifespan::new(shared.clone()), shared.clone());
    let call = move |request: Request| answer(for_calls.clone(), request);
    Served { shared, lifespan, call }
}

/// What [`App::run_task`] and [`App::run_workers`] will serve; await it.
#[must_use = "nothing is served until it is awaited"]
pub struct RunTask {
    serve: Box<dyn FnOnce(Options) -> LocalBoxFuture<'static, Result<()>>>,
    options: Options,
}

impl RunTask {
    fn new<F>(serve: impl FnOnce(Options) -> F + 'static) -> Self
    where
        F: Future<Output = Result<()>> + 'static,
    {
        RunTask { serve: Box::new(|options| Box::pin(serve(options))), options: Options::default() }
    }

    serve_options!();
}

impl IntoFuture for RunTask {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>>>>;

    fn into_future(self) -> Self::IntoFuture {
        (self.serve)(self.options)
    }
}

/// Where Quart serves unless told otherwise.
fn with_an_address(config: Config) -> Config {
    if config.is_bound() { config } else { config.bind("127.0.0.1:5000") }
}

/// Prints where the server listens, a line for each address.
fn announce(server: &HttpServer) {
    for address in server.addresses() {
        // Nobody has to read the output.
        let _ = writeln!(stdout(), "serving on {address}");
    }
}
