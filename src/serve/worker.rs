//! One loop that serves: its listeners, and how it stops.

use std::rc::Rc;
use std::sync::Arc;

use foster_compat::{Address, IntoProtocol, Loop, Nursery, Result, Server, Shared, create_server, move_on_after};

use super::access_log::AccessLog;
use super::config::Config;
use super::http_server::HttpServer;
use super::place::{Listening, Spot};
use super::stats::Counters;
use crate::handler::Handler;
use crate::http1::{Http1Protocol, Site};

/// What a loop serves with.
pub(super) struct Worker<H: Handler> {
    pub(super) site: Rc<Site<H>>,
    servers: Vec<Server>,
}

impl<H: Handler> Worker<H> {
    /// Binds everything, in `nursery`.
    pub(super) async fn bind(
        nursery: &Nursery,
        handler: H,
        config: &Config,
        spots: Vec<Spot>,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let access_log = config.access_log.as_ref().map(AccessLog::start).transpose()?;
        let site = Rc::new(Site::new(handler, config.clone(), counters, access_log, Loop::new(nursery)));
        let mut servers = Vec::with_capacity(spots.len());
        for spot in spots {
            let factory = {
                let site = site.clone();
                move || Shared(Http1Protocol::new(&site))
            };
            servers.push(listen(nursery, config, factory, spot, false).await?);
        }
        Ok(Worker { site, servers })
    }

    pub(super) fn addresses(&self) -> Result<Vec<Address>> {
        let sockets = self.servers.iter().flat_map(Server::sockets);
        sockets.map(|socket| Ok(socket.getsockname()?)).collect()
    }

    /// Listens and accepts.
    pub(super) fn accept(&self) -> Result<()> {
        self.servers.iter().try_for_each(Server::start_serving)
    }

    /// Serves until `server` was told to stop; then stops in two phases. What is left after the second is the nursery's.
    pub(super) async fn serve(self, nursery: &Nursery, server: &HttpServer) {
        server.told_to_stop().await;
        for server in &self.servers {
            server.close();
        }
        self.site.roster.begin_shutdown();
        let all_gone = async {
            for server in &self.servers {
                server.wait_closed().await;
            }
        };
        if move_on_after(self.site.config.graceful_timeout, all_gone).await.is_none() {
            nursery.cancel_scope().cancel_with("the server is shutting down, and its graceful timeout has passed");
        }
    }
}

/// A server at `spot`, which listens at once or is only bound.
pub(super) async fn listen<P: IntoProtocol>(
    nursery: &Nursery,
    config: &Config,
    factory: impl FnMut() -> P + 'static,
    spot: Spot,
    is_serving: bool,
) -> Result<Server> {
    macro_rules! configured {
        ($server:expr) => {{
            let mut server = $server.backlog(config.backlog).start_serving(is_serving);
            if let Some(limit) = config.max_connections {
                server = server.max_connections(limit);
            }
            server
        }};
    }
    let server = match spot.place {
        Listening::Address(host, port) => {
            configured!(create_server(nursery, factory, host, port)).reuse_port(spot.is_shared)
        }
        Listening::Socket(socket) => configured!(create_server(nursery, factory, "", 0)).sock(socket),
        #[cfg(unix)]
        Listening::Path(path) => {
            return configured!(foster_compat::create_unix_server(nursery, factory, path)).await;
        }
        #[cfg(unix)]
        Listening::UnixSocket(socket) => {
            return configured!(foster_compat::create_unix_server(nursery, factory, "")).sock(socket).await;
        }
    };
    config.secure(server, spot.is_secure).await
}

impl Config {
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub(super) fn has_tls(&self) -> bool {
        self.ssl.is_some()
    }

    #[cfg(not(any(feature = "tls", feature = "tls-aws-lc")))]
    pub(super) fn has_tls(&self) -> bool {
        false
    }

    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    fn secure<'n>(&self, server: foster_compat::CreateServer<'n>, is_secure: bool) -> foster_compat::CreateServer<'n> {
        match self.ssl.as_ref().filter(|_| is_secure) {
            Some(context) => server.ssl(context).ssl_handshake_timeout(self.ssl_handshake_timeout),
            None => server,
        }
    }

    #[cfg(not(any(feature = "tls", feature = "tls-aws-lc")))]
    fn secure<'n>(&self, server: foster_compat::CreateServer<'n>, _is_secure: bool) -> foster_compat::CreateServer<'n> {
        server
    }
}
