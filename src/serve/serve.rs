//! [`serve`]: a handler, served from one loop.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use foster_compat::{Loop, Nursery, NurseryError, Result, finally, open_nursery};

use super::access_log::AccessLog;
use super::config::Config;
use super::http_server::HttpServer;
use super::lifespan::serve_within;
use super::place::spots;
use super::worker::Worker;
use crate::handler::Handler;

/// Serves `handler` over HTTP/1.1 from the loop it is awaited in, until it is told to stop: Hypercorn's `serve`. Await
/// the builder.
///
/// It stops on SIGINT and SIGTERM, unless it was given another [`shutdown_trigger`](Serve::shutdown_trigger), and when
/// [`HttpServer::shutdown`] is called, in two phases: it stops accepting, closes what is idle, lets every response under
/// way say `Connection: close`, and tells handlers that ask ([`Request::shutdown`](crate::Request::shutdown)); after
/// `graceful_timeout` it cancels what is left. A second signal cancels it at once. It has a nursery of its own, so
/// nothing of it is left when it returns; cancelled from outside, it aborts its connections.
///
/// Before it accepts, the handler's [`startup`](Handler::startup) is awaited, and at the end its
/// [`shutdown`](Handler::shutdown). Until then signals are what they are to [`run`](crate::run).
///
/// It is one loop whatever [`Config::workers`] says, which is for [`serve_workers`](crate::serve_workers).
///
/// # Errors
///
/// An address that cannot be bound; what the startup or the shutdown gives; a [`TimeoutError`](crate::TimeoutError) if one
/// of these takes too long.
///
/// # Examples
///
/// ```
/// use foster::http::Response;
/// use foster::{Config, Request, run, serve};
///
/// run(async {
///     let hello = |request: Request| async move { Response::text(format!("you want {}", request.path())) };
///     serve(hello, Config::new().bind("127.0.0.1:0")).on_serving(|server| server.shutdown()).await
/// })?;
/// # foster::Ok(())
/// ```
pub fn serve<H: Handler>(handler: H, config: Config) -> Serve<H> {
    Serve { handler, config, options: Options::default() }
}

/// What [`serve`] will serve; await it.
#[must_use = "nothing is served until it is awaited"]
pub struct Serve<H> {
    handler: H,
    config: Config,
    options: Options,
}

/// What a server has beside its handler and its configuration.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) shutdown_trigger: Option<Pin<Box<dyn Future<Output = ()>>>>,
    pub(crate) on_serving: Option<Box<dyn FnOnce(HttpServer)>>,
}

/// The methods of a builder that set its `options`.
macro_rules! serve_options {
    () => {
        /// Stops when `trigger` is ready, instead of on signals: Hypercorn's `shutdown_trigger`.
        pub fn shutdown_trigger(mut self, trigger: impl Future<Output = ()> + 'static) -> Self {
            self.options.shutdown_trigger = Some(Box::pin(trigger));
            self
        }

        /// Called once it accepts connections: to print its addresses, or to keep the handle.
        pub fn on_serving(mut self, call: impl FnOnce(HttpServer) + 'static) -> Self {
            self.options.on_serving = Some(Box::new(call));
            self
        }
    };
}
pub(crate) use serve_options;

impl<H: Handler> Serve<H> {
    serve_options!();

    #[cfg(feature = "app")]
    pub(crate) fn with_options(self, options: Options) -> Self {
        Serve { options, ..self }
    }

    async fn run(self) -> Result<()> {
        let Serve { handler, config, options } = self;
        let access_log = config.access_log.clone();
        let served = open_nursery(async |app: Nursery| {
            // With the configuration goes a listener that was given: it would go on listening after the server has
            // closed it.
            let bind = async move |nursery: &Nursery| {
                let counters = Arc::default();
                let worker = Worker::bind(nursery, handler, &config, spots(&config)?, Arc::clone(&counters)).await?;
                let server = HttpServer::new(worker.addresses()?);
                server.add_counters(counters);
                Ok((worker, server))
            };
            serve_within(&app, bind, |server| options.begin(&app, server)).await
        });
        logged(access_log, served).await.map(drop).map_err(NurseryError::into_error)
    }
}

/// Waits at the end, whatever it is, until the access log is written.
pub(super) async fn logged<T>(log: Option<AccessLog>, served: impl Future<Output = T>) -> T {
    match log {
        Some(log) => finally(served, log.flushed()).await,
        None => served.await,
    }
}

impl Options {
    /// Waits for what stops the server, in the background of its nursery, and says that it serves.
    pub(super) fn begin(self, nursery: &Nursery, server: &HttpServer) -> Result<()> {
        match self.shutdown_trigger {
            Some(trigger) => {
                let server = server.clone();
                nursery.start_background(async move {
                    trigger.await;
                    server.shutdown();
                });
            }
            None => stop_on_signals(nursery, server)?,
        }
        if let Some(on_serving) = self.on_serving {
            on_serving(server.clone());
        }
        Ok(())
    }
}

/// The first signal is a request; the second cancels what is left.
#[cfg(unix)]
fn stop_on_signals(nursery: &Nursery, server: &HttpServer) -> Result<()> {
    for number in [SIGINT, SIGTERM] {
        let (server, scope) = (server.clone(), nursery.cancel_scope());
        Loop::new(nursery).add_signal_handler(number, move || {
            if server.is_stopping() {
                scope.cancel_with("the server was told to stop twice");
            }
            server.shutdown();
        })?;
    }
    Ok(())
}

/// POSIX numbers them.
#[cfg(unix)]
const SIGINT: i32 = 2;
#[cfg(unix)]
const SIGTERM: i32 = 15;

#[cfg(not(unix))]
fn stop_on_signals(_nursery: &Nursery, _server: &HttpServer) -> Result<()> {
    Ok(())
}

impl<H: Handler> IntoFuture for Serve<H> {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
