//! The seam between the protocols and whoever answers: [`Request`] to [`Response`](crate::http::Response).

mod request;
mod upgraded;

use std::future::{Future, ready};

use foster_compat::{Nursery, Result};
use futures::future::LocalBoxFuture;

use crate::http::IntoResponse;
use crate::serve::HttpServer;

pub use request::Request;
pub use upgraded::Upgraded;

pub(crate) use request::{Connected, Ends};

/// Answers requests: what [`serve`](crate::serve()) serves. Every `Fn(Request) -> impl Future` is one whose result is a
/// response or makes one.
///
/// The future is polled at once, and if it is ready then, it is never queued. One that waits is a child of the
/// connection's nursery: it is cancelled when the connection is lost, with that reason. It need not be `Send`.
///
/// It runs in a `tracing` span `request` with the fields `method`, `path`, `peer` and, once there is one, `status`, if a
/// subscriber wants spans of the level DEBUG from the target `foster` (`RUST_LOG=foster=debug`), and in none otherwise.
///
/// ```
/// use foster::{Handler, Request};
/// use foster::http::Response;
///
/// fn hello() -> impl Handler {
///     |request: Request| async move {
///         let name = request.query().unwrap_or("world").to_owned();
///         Response::text(format!("Hello, {name}!"))
///     }
/// }
/// ```
///
/// One that is more than a function may have a *lifespan*, ASGI's word for what an application does before the first
/// connection and after the last:
///
/// ```text
/// sockets bound ─> startup ─> accepting ─> told to stop ─> drained, or cancelled after graceful_timeout
///                     │                                        └─> shutdown ─> nursery of startup cancelled ─> ended
///                     └─ an error: nothing is accepted, no shutdown
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler of requests",
    label = "a handler is a `Fn(Request) -> impl Future` that gives a response",
    note = "the future gives a `foster::http::Response`, text, bytes, a status, or a `Result` of these"
)]
pub trait Handler: 'static {
    /// What is polled until there is an answer.
    type Future: Future<Output: IntoResponse> + 'static;

    /// Begins to answer.
    fn call(&self, request: Request) -> Self::Future;

    /// Awaited once, before anything is accepted: ASGI's `lifespan.startup`. Nothing unless implemented.
    ///
    /// What it starts in `nursery` outlives all connections and is cancelled after [`shutdown`](Handler::shutdown); an
    /// error there ends the server. `server` tells it to stop, also before it serves: the startup is then waited for,
    /// and nothing is ever accepted. With [`serve_workers`](crate::serve_workers) each worker has a startup of its own,
    /// one that is started again another, and `server` is that of all of them.
    ///
    /// # Cancel safety
    ///
    /// Cancelled after [`Config::startup_timeout`](crate::Config::startup_timeout), when its nursery is, and with the
    /// server. What it has begun by then is its own to end, as by [`finally`](crate::finally): there is no shutdown
    /// without a startup.
    ///
    /// # Errors
    ///
    /// An error is that of [`serve`](crate::serve()), and nothing is accepted.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::Pin;
    /// use std::time::Duration;
    ///
    /// use foster::http::Response;
    /// use foster::{Config, Handler, HttpServer, Nursery, Request, Result, run, serve, sleep};
    ///
    /// struct App;
    ///
    /// impl Handler for App {
    ///     type Future = std::future::Ready<Response>;
    ///
    ///     fn call(&self, _: Request) -> Self::Future {
    ///         std::future::ready(Response::text("up"))
    ///     }
    ///
    ///     fn startup(&self, nursery: Nursery, server: HttpServer) -> Pin<Box<dyn Future<Output = Result<()>> + '_>> {
    ///         Box::pin(async move {
    ///             nursery.start_soon(async move {
    ///                 sleep(Duration::from_millis(1)).await;
    ///                 server.shutdown();
    ///             });
    ///             Ok(())
    ///         })
    ///     }
    /// }
    ///
    /// run(serve(App, Config::new().bind("127.0.0.1:0")))?;
    /// # foster::Ok(())
    /// ```
    fn startup(&self, nursery: Nursery, server: HttpServer) -> LocalBoxFuture<'_, Result<()>> {
        let _ = (nursery, server);
        Box::pin(ready(Ok(())))
    }

    /// Awaited once after the last connection has ended, while what was started in the nursery of
    /// [`startup`](Handler::startup) still runs: ASGI's `lifespan.shutdown`. Nothing unless implemented, and not called
    /// unless the startup came to its end without an error.
    ///
    /// # Cancel safety
    ///
    /// `graceful_timeout` does not concern it; it is cancelled after
    /// [`Config::shutdown_timeout`](crate::Config::shutdown_timeout), and with the server if that happens while it runs.
    /// A server that is cancelled before that, from outside, by a second signal or by an error in the nursery of the
    /// startup, aborts its connections and runs it all the same, as a [`finally`](crate::finally): shielded, for up to
    /// [`DEFAULT_CLEANUP_TIMEOUT`](crate::DEFAULT_CLEANUP_TIMEOUT). ASGI's servers promise nothing there.
    ///
    /// # Errors
    ///
    /// An error is that of [`serve`](crate::serve()), once all has ended, unless there was one before.
    fn shutdown(&self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    /// The largest body that a connection lets through, where the configuration allows `limit`: that, unless
    /// implemented, by a handler with limits of its own for what it serves. Asked once, before the startup; `None` is no
    /// limit.
    fn max_body_size(&self, limit: Option<u64>) -> Option<u64> {
        limit
    }
}

impl<F, A> Handler for F
where
    F: Fn(Request) -> A + 'static,
    A: Future + 'static,
    A::Output: IntoResponse,
{
    type Future = A;

    fn call(&self, request: Request) -> A {
        self(request)
    }
}
