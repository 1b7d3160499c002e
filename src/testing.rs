//! For tests: everything of [`foster_compat::testing`], and servers of HTTP without a network.

pub use foster_compat::testing::*;

use std::rc::Rc;
use std::sync::Arc;

use foster_compat::{Loop, Nursery, Shared};

use crate::handler::Handler;
use crate::http1::{Http1Protocol, Site};
use crate::serve::{Config, Counters, Stats};

/// Serves clients in memory with a handler: [`serve`](crate::serve()) without a network. What the configuration binds
/// is not looked at, and signals are not; its limits and time-outs count, also in paused time.
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
    InMemoryHttpServer { site, server: serve(nursery, factory) }
}

type Factory<H> = Box<dyn FnMut() -> Shared<Http1Protocol<H>>>;

/// What [`serve_http`] gives.
pub struct InMemoryHttpServer<H: Handler> {
    site: Rc<Site<H>>,
    server: InMemoryServer<Factory<H>>,
}

impl<H: Handler> InMemoryHttpServer<H> {
    /// Connects a client, as [`InMemoryServer::connect`].
    pub fn connect(&self) -> Peer {
        self.server.connect()
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        self.site.roster.counters.stats()
    }

    /// Begins to stop, as [`HttpServer::shutdown`](crate::HttpServer::shutdown): what is idle is closed, responses under
    /// way say so. Nothing is cancelled after `graceful_timeout`: that is for the nursery of the test to do.
    pub fn shutdown(&self) {
        self.site.roster.begin_shutdown();
    }
}
