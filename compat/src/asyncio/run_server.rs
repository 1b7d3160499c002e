//! `run_server`: a server in one line.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use super::create_server::{Bind, CreateServer, Hosts};
use super::protocol_cell::IntoProtocol;
use super::resolver::Family;
use super::server::{Factory, Server};
use crate::error::Result;
use crate::nursery::{Nursery, NurseryError, Outcome, open_nursery};

/// Serves `factory`'s protocols on `host` and `port` until it is cancelled or the server is closed: trio-protocol's
/// `run_server`. Await the builder.
///
/// It has a nursery of its own, so nothing of the server is left when it returns. For what `host`, `port` and the
/// options mean see [`create_server`](crate::create_server).
///
/// # Errors
///
/// Those of [`create_server`](crate::create_server); with [`strict`](RunServer::strict) also what a connection
/// failed with.
///
/// # Examples
///
/// ```
/// use foster_compat::{Protocol, TaskStatus, open_nursery, run, run_server};
///
/// #[derive(Default)]
/// struct Discard;
/// impl Protocol for Discard {}
///
/// run(async {
///     open_nursery(async |nursery| {
///         let server = nursery
///             .start(async |task_status: TaskStatus<_>| {
///                 run_server(Discard::default, "127.0.0.1", 0).on_serving(|server| task_status.started(server)).await
///             })
///             .await?;
///         assert!(server.is_serving());
///         server.close();
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn run_server<P, F>(factory: F, host: impl Into<Hosts>, port: u16) -> RunServer
where
    F: FnMut() -> P + 'static,
    P: IntoProtocol,
{
    let mut factory = factory;
    RunServer {
        factory: Box::new(move || Ok(factory().into_protocol().0)),
        bind: Bind::At(host.into(), port),
        configure: Vec::new(),
        on_serving: None,
    }
}

/// What [`run_server`] will serve; await it.
#[must_use = "nothing is served until it is awaited"]
pub struct RunServer {
    factory: Factory,
    bind: Bind,
    configure: Vec<Configure>,
    on_serving: Option<Box<dyn FnOnce(Server) -> Result<()>>>,
}

/// Sets one option of the server to be.
type Configure = Box<dyn for<'n> FnOnce(CreateServer<'n>) -> CreateServer<'n>>;

macro_rules! options {
    ($($name:ident($($argument:ident: $type:ty),+);)+) => {
        $(
            #[doc = concat!("See [`CreateServer::", stringify!($name), "`].")]
            pub fn $name(self, $($argument: $type),+) -> Self {
                self.with(move |server| server.$name($($argument),+))
            }
        )+
    };
}

impl RunServer {
    /// Called with the [`Server`] once it accepts connections: to print its address, or to hand it to
    /// [`Nursery::start`]. An error ends the server and is what awaiting it gives.
    pub fn on_serving<R: Outcome>(mut self, call: impl FnOnce(Server) -> R + 'static) -> Self {
        self.on_serving = Some(Box::new(|server| call(server).into_result()));
        self
    }

    options! {
        backlog(backlog: u32);
        max_connections(limit: usize);
        write_buffer_limits(high: Option<usize>, low: Option<usize>);
        idle_timeout(timeout: Duration);
        strict(is_on: bool);
        family(family: Family);
        sock(socket: std::net::TcpListener);
        reuse_address(is_on: bool);
        reuse_port(is_on: bool);
        keep_alive(is_on: bool);
    }

    fn with(mut self, configure: impl for<'n> FnOnce(CreateServer<'n>) -> CreateServer<'n> + 'static) -> Self {
        self.configure.push(Box::new(configure));
        self
    }

    async fn serve(self) -> Result<()> {
        let served = open_nursery(async |nursery: Nursery| {
            let mut server = CreateServer::new(&nursery, self.factory, self.bind);
            for configure in self.configure {
                server = configure(server);
            }
            let server = server.await?;
            if let Some(on_serving) = self.on_serving {
                on_serving(server.clone())?;
            }
            server.serve_forever().await
        })
        .await;
        served.map(drop).map_err(NurseryError::into_error)
    }
}

#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
impl RunServer {
    /// See [`CreateServer::ssl`].
    pub fn ssl(self, context: &super::SslContext) -> Self {
        let context = context.clone();
        self.with(move |server| server.ssl(&context))
    }

    options! {
        ssl_handshake_timeout(timeout: Duration);
        ssl_shutdown_timeout(timeout: Duration);
    }
}

impl IntoFuture for RunServer {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.serve())
    }
}
