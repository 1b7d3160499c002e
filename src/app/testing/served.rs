//! [`Served`]: an application under test, as its clients share it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::opening::{Door, Opening};
use crate::app::running::handler;
use crate::app::shared::Shared;
use crate::handler::{Ends, Handler};
use crate::testing::{InMemoryHttpServer, Peer, serve_http};
use crate::{Config, Error, Event, ExceptionContext, HttpServer, Loop, Nursery, Result};

/// What the ends of a connection are, as those of [`testing::connect`](crate::testing::connect).
const SOCKNAME: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 8888);
const PEERNAME: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 2), 50000);

pub(super) struct Served {
    pub(super) shared: Rc<Shared>,
    nursery: Nursery,
    pub(super) loop_: Loop,
    /// Happens when the application is shut down.
    pub(super) stopping: Event,
    /// For its lifespan, and for WebSockets.
    server: Box<dyn Server>,
    /// WebSockets that are being opened, by the port of their client.
    openings: Openings,
    plain: Ends,
    secure: Ends,
}

pub(super) type Openings = Rc<RefCell<HashMap<u16, Rc<Opening>>>>;

/// A server in memory, whatever its handler is.
trait Server {
    fn startup(&self) -> LocalBoxFuture<'_, Result<()>>;
    fn shutdown(&self) -> LocalBoxFuture<'_, Result<()>>;
    fn connect(&self) -> Peer;
    fn handle(&self) -> HttpServer;
}

impl<H: Handler> Server for InMemoryHttpServer<H> {
    fn startup(&self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(self.lifespan_startup())
    }

    fn shutdown(&self) -> LocalBoxFuture<'_, Result<()>> {
        InMemoryHttpServer::shutdown(self);
        Box::pin(self.lifespan_shutdown())
    }

    fn connect(&self) -> Peer {
        InMemoryHttpServer::connect(self)
    }

    fn handle(&self) -> HttpServer {
        self.server_handle()
    }
}

impl Served {
    pub(super) fn new(shared: Rc<Shared>, nursery: &Nursery) -> Rc<Self> {
        let openings = Openings::default();
        let door = Door::new(handler(shared.clone()), shared.clone(), openings.clone());
        let server = serve_http(nursery, door, Config::new());
        let ends = |is_secure| Ends {
            peername: Some(SocketAddr::from(PEERNAME).into()),
            sockname: Some(SocketAddr::from(SOCKNAME).into()),
            is_secure,
        };
        Rc::new(Served {
            shared,
            nursery: nursery.clone(),
            loop_: Loop::new(nursery),
            stopping: server.shutdown_event(),
            server: Box::new(server),
            openings,
            plain: ends(false),
            secure: ends(true),
        })
    }

    pub(super) fn nursery(&self) -> &Nursery {
        &self.nursery
    }

    pub(super) fn ends(&self, is_secure: bool) -> &Ends {
        if is_secure { &self.secure } else { &self.plain }
    }

    /// Where the application lives, unless it says otherwise.
    pub(super) fn home(&self) -> &str {
        self.shared.options.server_name.as_deref().unwrap_or("localhost")
    }

    /// Gives the application a nursery, if it was not started up.
    pub(super) fn settle_in(&self) {
        if !self.shared.nursery.was_opened() {
            self.shared.nursery.open(self.nursery.clone(), self.server.handle(), &self.shared);
            self.shared.nursery.start_waiting();
        }
    }

    pub(super) async fn startup(&self) -> Result<()> {
        self.server.startup().await?;
        self.settle_in();
        Ok(())
    }

    pub(super) async fn shutdown(&self) -> Result<()> {
        self.server.shutdown().await
    }

    /// Connects a client that opens a WebSocket.
    pub(super) fn connect(&self, opening: Rc<Opening>) -> Peer {
        self.settle_in();
        let peer = self.server.connect();
        self.openings.borrow_mut().insert(peer.port(), opening);
        peer
    }

    /// Tells the exception handler of the loop, as a server does.
    pub(super) fn report(&self, message: &'static str, err: Error) {
        self.loop_.call_exception_handler(&ExceptionContext::new(message, Some(err)));
    }
}
