//! [`Mounts`]: handlers below paths of an application.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::app::App;
use super::isolated::report;
use crate::http::{IntoResponse, Response, StatusCode, client_fault, hex_pair};
use crate::{Error, Handler, HttpServer, Nursery, Result, finally_with, handler};

impl App {
    /// Hands the requests for a path, and for all below it, to another handler: another application, or an axum `Router`
    /// as [`tower::handler`](crate::tower::handler()). What Hypercorn and Werkzeug have a `DispatcherMiddleware` for.
    ///
    /// The handler sees the path without the prefix, `/` for the prefix itself, and finds the prefix in
    /// [`root_path`](crate::Request::root_path): an application that is mounted builds its URLs with it. Bodies stream,
    /// and WebSockets and other upgrades are its own. Of several prefixes the longest counts; one ends where a segment of
    /// the path does: `/api` is for `/api` and `/api/users`, and not for `/apiary`.
    ///
    /// It comes before all routes, for every host, and none of the application's hooks, handlers of errors and limits are
    /// for it. Its [startup](Handler::startup) is awaited before the hooks before serving, in the order in which handlers
    /// were mounted, its [shutdown](Handler::shutdown) behind those after serving, the last first.
    ///
    /// A prefix that is none, one that is there twice, and a route that it would hide keep the application from
    /// starting.
    ///
    /// ```
    /// use foster::app::{App, Request};
    /// # fn main() -> foster::Result<()> {
    ///
    /// let mut shop = App::new();
    /// shop.get("/cart", async |request: Request| format!("{} in {}", request.path(), request.root_path()));
    ///
    /// let mut app = App::new();
    /// app.get("/", async || "Hello, World!");
    /// // Answers `/shop/cart` with `/cart in /shop`.
    /// app.mount("/shop", shop.into_handler()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn mount(&mut self, prefix: impl Into<String>, handler: impl Handler) -> &mut Self {
        let mut prefix: String = prefix.into();
        if prefix.ends_with('/') && !prefix.ends_with("//") {
            prefix.pop();
        }
        self.mounts.all.push(Mount { prefix, handler: Rc::new(handler), max_body_size: Cell::new(None) });
        self
    }
}

/// What is mounted, in the order it was.
#[derive(Default)]
pub(super) struct Mounts {
    all: Vec<Mount>,
}

/// A handler below a path.
pub(super) struct Mount {
    /// Not percent-encoded, and without a slash at its end.
    prefix: String,
    handler: Rc<dyn Mounted>,
    /// Of its requests.
    max_body_size: Cell<Option<u64>>,
}

impl Mounts {
    /// What is wrong with them and these rules, a sentence each.
    pub(super) fn mistakes(&self, patterns: &[&str]) -> Vec<String> {
        let mut mistakes = Vec::new();
        for (nth, Mount { prefix, .. }) in self.all.iter().enumerate() {
            if prefix.is_empty() {
                mistakes.push("a handler is mounted at \"/\", where no route would be left".to_owned());
            } else if !is_prefix(prefix) {
                let rule = "a prefix begins with one slash, and is neither encoded nor a rule";
                mistakes.push(format!("a handler is mounted at {prefix:?}: {rule}"));
            } else if self.all[..nth].iter().any(|other| other.prefix == *prefix) {
                mistakes.push(format!("two handlers are mounted at {prefix:?}"));
            } else {
                let hidden = patterns.iter().filter(|pattern| prefix_len(pattern, prefix).is_some());
                let hides = |pattern| format!("the handler that is mounted at {prefix:?} hides the route {pattern:?}");
                mistakes.extend(hidden.map(hides));
            }
        }
        mistakes
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The handler for a path, with the length of what it is mounted at.
    pub(super) fn find(&self, path: &str) -> Option<(&Mount, usize)> {
        let found = self.all.iter().filter_map(|mount| Some((mount, prefix_len(path, &mount.prefix)?)));
        found.max_by_key(|(mount, _)| mount.prefix.len())
    }

    /// Tells each what the largest body is that the server lets through.
    pub(super) fn limit_bodies(&self, limit: Option<u64>) {
        for mount in &self.all {
            mount.max_body_size.set(mount.handler.max_body_size(limit));
        }
    }

    /// Starts them up in the order they were mounted, and then the application. When one fails, or this is cancelled, those
    /// that are up are shut down, the last first.
    pub(super) async fn start_up(
        &self,
        nursery: &Nursery,
        server: &HttpServer,
        app: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        if self.all.is_empty() {
            return app.await;
        }
        // How many are to be shut down.
        let start = async |n_up: &mut usize| {
            for mount in &self.all {
                mount.handler.startup(nursery.clone(), server.clone()).await?;
                *n_up += 1;
            }
            app.await?;
            *n_up = 0;
            Ok(())
        };
        finally_with(&mut 0, start, async |n_up: &mut usize| self.shut_down_first(n_up).await).await
    }

    /// Shuts down the application, and then what is mounted, the last first. The first error is given, and ends nothing.
    pub(super) async fn shut_down(&self, app: impl Future<Output = Result<()>>) -> Result<()> {
        if self.all.is_empty() {
            return app.await;
        }
        let stop = async |n_up: &mut usize| {
            let mut ended = app.await;
            while let Some(mount) = self.last_up(n_up) {
                match (&ended, mount.handler.shutdown().await) {
                    (Ok(()), other) => ended = other,
                    (Err(_), Err(err)) => report(FURTHER, err),
                    (Err(_), Ok(())) => {}
                }
            }
            ended
        };
        let clean_up = async |n_up: &mut usize| self.shut_down_first(n_up).await;
        finally_with(&mut self.all.len(), stop, clean_up).await
    }

    /// Shuts down the first so many, the last of them first, where nobody hears of errors.
    async fn shut_down_first(&self, n_up: &mut usize) {
        while let Some(mount) = self.last_up(n_up) {
            if let Err(err) = mount.handler.shutdown().await {
                report(FURTHER, err);
            }
        }
    }

    /// The last of the first so many, which is no longer one of them.
    fn last_up(&self, n_up: &mut usize) -> Option<&Mount> {
        *n_up = n_up.checked_sub(1)?;
        self.all.get(*n_up)
    }
}

pub(super) const FAILED: &str = "a mounted handler failed";
const FURTHER: &str = "the shutdown of a mounted handler failed";

impl Mount {
    /// Answers a request whose path begins with `n` bytes that lead here.
    pub(super) async fn answer(&self, n: usize, mut request: handler::Request) -> Response {
        let connection = request.connection().clone();
        let answered = match request.mount(n) {
            Ok(()) => {
                self.limit_body(&mut request);
                self.handler.call(request).await
            }
            Err(err) => Err(err.into()),
        };
        answered.unwrap_or_else(|err: Error| {
            let fault = client_fault(&err);
            if fault.is_none() {
                connection.report(FAILED, err);
            }
            Response::reason(fault.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        })
    }

    fn limit_body(&self, request: &mut handler::Request) {
        let limit = self.max_body_size.get();
        let body = request.body_mut();
        // One that cannot be longer is not looked at again.
        if limit.is_some_and(|limit| body.content_length().is_none_or(|length| length > limit)) {
            body.set_limit(limit);
        }
    }
}

/// A [`Handler`] without its type.
trait Mounted {
    fn call(&self, request: handler::Request) -> LocalBoxFuture<'static, Result<Response>>;
    fn startup(&self, nursery: Nursery, server: HttpServer) -> LocalBoxFuture<'_, Result<()>>;
    fn shutdown(&self) -> LocalBoxFuture<'_, Result<()>>;
    fn max_body_size(&self, limit: Option<u64>) -> Option<u64>;
}

impl<H: Handler> Mounted for H {
    fn call(&self, request: handler::Request) -> LocalBoxFuture<'static, Result<Response>> {
        let answering = Handler::call(self, request);
        Box::pin(async move { answering.await.into_response() })
    }

    fn startup(&self, nursery: Nursery, server: HttpServer) -> LocalBoxFuture<'_, Result<()>> {
        Handler::startup(self, nursery, server)
    }

    fn shutdown(&self) -> LocalBoxFuture<'_, Result<()>> {
        Handler::shutdown(self)
    }

    fn max_body_size(&self, limit: Option<u64>) -> Option<u64> {
        Handler::max_body_size(self, limit)
    }
}

/// Whether paths can begin with it, as it is compared by [`prefix_len`].
pub(super) fn is_prefix(prefix: &str) -> bool {
    prefix.starts_with('/') && !prefix.contains("//") && !prefix.contains(['?', '#', '%', '<'])
}

/// How many bytes of a path, percent-encoded as it came, are this prefix, which is not; `None` if it goes on within a
/// segment, or begins otherwise. An encoded slash is no slash.
pub(super) fn prefix_len(path: &str, prefix: &str) -> Option<usize> {
    let mut rest = path.as_bytes();
    for &wanted in prefix.as_bytes() {
        let (byte, behind) = match *rest {
            [b'%', high, low, ref behind @ ..] => (hex_pair(high, low)?, behind),
            [byte, ref behind @ ..] => (byte, behind),
            [] => return None,
        };
        let is_encoded = rest.len() - behind.len() > 1;
        if byte != wanted || (is_encoded && byte == b'/') {
            return None;
        }
        rest = behind;
    }
    matches!(rest, [] | [b'/', ..]).then_some(path.len() - rest.len())
}
