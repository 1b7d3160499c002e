//! For tests: everything of [`foster_compat::testing`], and servers of HTTP without a network.

pub use foster_compat::testing::*;

use std::rc::Rc;
use std::sync::Arc;

use foster_compat::{Loop, Nursery, Result, Shared};

use crate::handler::Handler;
use crate::http1::{Http1Protocol, Site};
use crate::serve::{Config, Counters, HttpServer, Stats, shut_down, start_up};

/// Serves clients in memory with a handler: [`serve`](crate::serve()) without a network. What the configuration binds
/// is not looked at, and signals are not; its limits and time-outs count, also in paused time.
///
/// It serves at once, without the handler's startup, and never awaits its shutdown: that is for the test to do, by
/// [`lifespan_startup`](InMemoryHttpServer::lifespan_startup) and
/// [`lifespan_shutdown`](InMemoryHttpServer::lifespan_shutdown).
///
/// # Examples
///
/// ```
/// use foster::http::Response;
/// use foster::testing::{Script, serve_http};
/// use foster::{Config, Request, open_nursery, run};
///
/// run(open_nursery(async |nursery| {
///     let hello = |request: Request| async move { Response::text(request.path().to_owned()) };
///     let server = serve_http(&nursery, hello, Config::new().include_date_header(false));
///     let script = Script::new()
///         .send("GET /a HTTP/1.0\r\n\r\n")
///         .expect("HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 2\r\n")
///         .expect("connection: close\r\n\r\n/a")
///         .expect_eof();
///     script.run(&server.connect()).await?;
///     assert_eq!(server.stats().n_requests_total, 1);
///     foster::Ok(())
/// }))?;
/// # foster::Ok(())
/// ```
pub fn serve_http<H: Handler>(nursery: &Nursery, handler: H, config: Config) -> InMemoryHttpServer<H> {
    let counters = Arc::new(Counters::default());
    let site = Rc::new(Site::new(handler, config, counters, None, Loop::new(nursery)));
    let factory: Factory<H> = {
        let site = site.clone();
        Box::new(move || Shared(Http1Protocol::new(&site)))
    };
    let handle = HttpServer::new(Vec::new());
    handle.add_counters(site.roster.counters.clone());
    InMemoryHttpServer { nursery: nursery.clone(), handle, site, server: serve(nursery, factory) }
}

type Factory<H> = Box<dyn FnMut() -> Shared<Http1Protocol<H>>>;

/// What [`serve_http`] gives.
pub struct InMemoryHttpServer<H: Handler> {
    nursery: Nursery,
    /// What the startup gets.
    handle: HttpServer,
    site: Rc<Site<H>>,
    server: InMemoryServer<Factory<H>>,
}

impl<H: Handler> InMemoryHttpServer<H> {
    /// Connects a client, as [`InMemoryServer::connect`].
    pub fn connect(&self) -> Peer {
        self.server.connect()
    }

    /// What the startup gets.
    #[cfg(feature = "app")]
    pub(crate) fn server_handle(&self) -> HttpServer {
        self.handle.clone()
    }

    /// Happens when it begins to stop.
    #[cfg(feature = "app")]
    pub(crate) fn shutdown_event(&self) -> foster_compat::Event {
        self.site.roster.shutdown.clone()
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.site.roster.counters.stats()
    }

    /// Begins to stop, as [`HttpServer::shutdown`](crate::HttpServer::shutdown): what is idle is closed, responses under
    /// way say so. Nothing is cancelled after `graceful_timeout`: that is for the nursery of the test to do.
    pub fn shutdown(&self) {
        self.handle.shutdown();
        self.site.roster.begin_shutdown();
    }

    /// Awaits [`Handler::startup`], which gets the nursery of the test and a server without addresses: telling that to
    /// stop is [`shutdown`](InMemoryHttpServer::shutdown).
    ///
    /// # Errors
    ///
    /// As the startup; a [`TimeoutError`](crate::TimeoutError) after `startup_timeout`.
    ///
    /// # Panics
    ///
    /// If the nursery is closed.
    pub async fn lifespan_startup(&self) -> Result<()> {
        let (handle, site) = (self.handle.clone(), self.site.clone());
        self.nursery.start_background(async move {
            handle.told_to_stop().await;
            site.roster.begin_shutdown();
        });
        start_up(&self.site.handler, &self.site.config, &self.nursery, &self.handle).await
    }

    /// Awaits [`Handler::shutdown`]: for a test that has ended its connections, and cancels the nursery afterwards.
    ///
    /// # Errors
    ///
    /// As the shutdown; a [`TimeoutError`](crate::TimeoutError) after `shutdown_timeout`.
    pub async fn lifespan_shutdown(&self) -> Result<()> {
        shut_down(&self.site.handler, &self.site.config).await
    }
}
