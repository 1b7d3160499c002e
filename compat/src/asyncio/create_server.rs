//! `create_server`: a TCP server in a nursery.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::acceptor::{ConnectionOptions, water_marks};
use super::exceptions::ValueError;
use super::listener::Listener;
use super::loop_state::LoopState;
use super::protocol_cell::IntoProtocol;
use super::resolver::{Family, nothing_found, resolve};
use super::server::{Factory, Server};
use super::tls::{SslOptions, TlsParameters, ssl_options};
use crate::error::{Error, Result};
use crate::nursery::{Nursery, checkpoint};

/// asyncio's default; `listen(2)` caps it at `net.core.somaxconn`.
pub(crate) const DEFAULT_BACKLOG: u32 = 100;

/// Makes a TCP server in `nursery`: `loop.create_server`. Await the builder, whose methods are asyncio's keyword
/// arguments.
///
/// `host` is a name, an address, or a list of them, each bound on its own; `""` binds all interfaces, one socket
/// for IPv4 and one for IPv6. Port 0 lets the system choose, for each socket another; see [`Server::sockets`].
/// `factory` makes a protocol for each connection: a [`Protocol`](crate::Protocol), or one of the other kinds in
/// [`Buffered`](crate::Buffered) or [`Shared`](crate::Shared).
///
/// # Errors
///
/// The host does not resolve, or an address cannot be bound (all sockets are closed then); a
/// [`ValueError`](crate::ValueError) for options that make no sense; [`Closed`](crate::Closed) if the nursery has
/// ended.
///
/// # Examples
///
/// ```
/// use foster_compat::{Protocol, create_server, open_nursery, run};
///
/// #[derive(Default)]
/// struct Discard;
/// impl Protocol for Discard {}
///
/// run(async {
///     open_nursery(async |nursery| {
///         let server = create_server(&nursery, Discard::default, "127.0.0.1", 0).backlog(512).await?;
///         println!("serving on {}", server.sockets()[0].getsockname()?);
///         server.close();
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn create_server<'n, P, F>(nursery: &'n Nursery, factory: F, host: impl Into<Hosts>, port: u16) -> CreateServer<'n>
where
    F: FnMut() -> P + 'static,
    P: IntoProtocol,
{
    let mut factory = factory;
    CreateServer::new(nursery, Box::new(move || Ok(factory().into_protocol().0)), Bind::At(host.into(), port))
}

/// What [`create_server`] will make; await it.
#[must_use = "no server is made until it is awaited"]
pub struct CreateServer<'n> {
    nursery: &'n Nursery,
    factory: Factory,
    bind: Bind,
    family: Option<Family>,
    pub(super) options: ServerOptions,
    reuse_address: Option<bool>,
    reuse_port: bool,
    keep_alive: bool,
}

/// What TCP and Unix servers have in common.
#[derive(Clone, Debug)]
pub(super) struct ServerOptions {
    pub(super) backlog: u32,
    pub(super) start_serving: bool,
    pub(super) max_connections: Option<usize>,
    pub(super) high: Option<usize>,
    pub(super) low: Option<usize>,
    pub(super) connection: ConnectionOptions,
    pub(super) ssl: SslOptions,
}

impl Default for ServerOptions {
    fn default() -> Self {
        ServerOptions {
            backlog: DEFAULT_BACKLOG,
            start_serving: true,
            max_connections: None,
            high: None,
            low: None,
            connection: ConnectionOptions::default(),
            ssl: SslOptions::default(),
        }
    }
}

impl ServerOptions {
    /// The options of the connections.
    ///
    /// # Errors
    ///
    /// Limits that make no sense.
    pub(super) fn check(&self) -> Result<(ConnectionOptions, Option<Rc<TlsParameters>>)> {
        if self.backlog == 0 {
            return Err(ValueError::new("backlog must be at least 1, not 0").into());
        }
        if self.max_connections == Some(0) {
            return Err(ValueError::new("max_connections must be at least 1, not 0").into());
        }
        let mut connection = self.connection.clone();
        let limits = (self.high.is_some() || self.low.is_some()).then_some((self.high, self.low));
        let tls = self.ssl.server(limits)?;
        if let Some((high, low)) = limits.filter(|_| tls.is_none()) {
            (connection.low, connection.high) = water_marks(high, low)?;
        }
        Ok((connection, tls))
    }
}

/// What a server is bound to.
pub(super) enum Bind {
    At(Hosts, u16),
    Socket(Socket),
    /// An address and a socket, or two sockets, were given, which is an error.
    Both,
}

/// One host or several: what asyncio takes as `host`.
///
/// Made from a string, an [`IpAddr`], or a list of either. An empty string stands for all interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

impl From<&str> for Hosts {
    fn from(host: &str) -> Self {
        Hosts(vec![host.to_owned()])
    }
}

impl From<String> for Hosts {
    fn from(host: String) -> Self {
        Hosts(vec![host])
    }
}

impl From<&String> for Hosts {
    fn from(host: &String) -> Self {
        Hosts(vec![host.clone()])
    }
}

impl From<IpAddr> for Hosts {
    fn from(host: IpAddr) -> Self {
        Hosts(vec![host.to_string()])
    }
}

impl<T: ToString, const N: usize> From<[T; N]> for Hosts {
    fn from(hosts: [T; N]) -> Self {
        Hosts(hosts.iter().map(ToString::to_string).collect())
    }
}

impl<T: ToString> From<Vec<T>> for Hosts {
    fn from(hosts: Vec<T>) -> Self {
        Hosts(hosts.iter().map(ToString::to_string).collect())
    }
}

macro_rules! server_options {
    () => {
        /// A factory that may fail instead of the one given: the connection is then closed, and the error reported.
        pub fn try_factory<P, F>(mut self, mut factory: F) -> Self
        where
            F: FnMut() -> Result<P> + 'static,
            P: IntoProtocol,
        {
            self.factory = Box::new(move || Ok(factory()?.into_protocol().0));
            self
        }

        /// Connections that may wait to be accepted: 100 unless set. As many, and one, are accepted in a turn.
        pub fn backlog(mut self, backlog: u32) -> Self {
            self.options.backlog = backlog;
            self
        }

        /// Whether to listen at once, which is so unless set; otherwise [`Server::start_serving`] does.
        pub fn start_serving(mut self, is_on: bool) -> Self {
            self.options.start_serving = is_on;
            self
        }

        /// Stops accepting while this many connections live; more wait in the backlog. Not in asyncio. No limit
        /// unless set.
        pub fn max_connections(mut self, limit: usize) -> Self {
            self.options.max_connections = Some(limit);
            self
        }

        /// The marks that connections start with; see
        /// [`set_write_buffer_limits`](crate::WriteTransport::set_write_buffer_limits).
        pub fn write_buffer_limits(mut self, high: Option<usize>, low: Option<usize>) -> Self {
            (self.options.high, self.options.low) = (high, low);
            self
        }

        /// The idle time-out that connections start with; see
        /// [`set_idle_timeout`](crate::ReadTransport::set_idle_timeout).
        pub fn idle_timeout(mut self, timeout: Duration) -> Self {
            self.options.connection.idle_timeout = Some(timeout);
            self
        }

        /// Whether an error or panic in a callback or a task of a connection, other than an `io::Error`, also ends
        /// the nursery, which gives it. Off unless set: asyncio reports it and goes on.
        pub fn strict(mut self, is_on: bool) -> Self {
            self.options.connection.is_strict = is_on;
            self
        }
    };
}
pub(super) use server_options;

impl<'n> CreateServer<'n> {
    pub(super) fn new(nursery: &'n Nursery, factory: Factory, bind: Bind) -> Self {
        CreateServer {
            nursery,
            factory,
            bind,
            family: None,
            options: ServerOptions::default(),
            reuse_address: None,
            reuse_port: false,
            keep_alive: false,
        }
    }

    server_options!();
    ssl_options!();

    /// Binds only addresses of this family.
    pub fn family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Takes a bound listening socket instead of host and port, which must be `""` and 0.
    ///
    /// On Unix a descriptor converts with `TcpListener::from(owned_fd)`.
    pub fn sock(mut self, socket: std::net::TcpListener) -> Self {
        self.bind = match self.bind {
            Bind::At(Hosts(hosts), 0) if hosts == [""] => Bind::Socket(socket.into()),
            Bind::At(..) | Bind::Socket(_) | Bind::Both => Bind::Both,
        };
        self
    }

    /// Whether a port may be bound that was in use moments ago (`SO_REUSEADDR`); on Unix it may unless set.
    pub fn reuse_address(mut self, is_on: bool) -> Self {
        self.reuse_address = Some(is_on);
        self
    }

    /// Whether several sockets may be bound to one port (`SO_REUSEPORT`). Off unless set.
    pub fn reuse_port(mut self, is_on: bool) -> Self {
        self.reuse_port = is_on;
        self
    }

    /// Whether the kernel probes idle connections (`SO_KEEPALIVE`). Off unless set.
    pub fn keep_alive(mut self, is_on: bool) -> Self {
        self.keep_alive = is_on;
        self
    }

    async fn make(self) -> Result<Server> {
        let (connection, tls) = self.options.check()?;
        let lp = LoopState::of(self.nursery.core());
        let sockets = match &self.bind {
            Bind::Socket(socket) => {
                // A descriptor of any kind converts to the type that `sock` takes.
                if socket.r#type()? != Type::STREAM {
                    return Err(ValueError::new(format!("A Stream Socket was expected, got {socket:?}")).into());
                }
                vec![socket.try_clone()?]
            }
            Bind::Both => {
                return Err(ValueError::new("host/port and sock can not be specified at the same time").into());
            }
            Bind::At(hosts, port) => {
                let addresses = resolve_all(&lp, hosts, *port, self.family).await?;
                self.bind_all(&addresses)?
            }
        };
        let server = Server::new(self.nursery, self.factory, connection, tls, self.options.max_connections)?;
        let close_on_error = CloseOnError { server: Some(&server) };
        for socket in sockets {
            socket.set_nonblocking(true)?;
            server.add_listener(Listener::tcp(&lp, server.weak(), socket, self.options.backlog));
        }
        if self.options.start_serving {
            server.start_serving()?;
        }
        // asyncio gives the loop one turn, so that what connects now is accepted soon.
        checkpoint().await;
        close_on_error.defuse();
        Ok(server)
    }

    fn bind_all(&self, addresses: &[SocketAddr]) -> Result<Vec<Socket>> {
        let mut sockets = Vec::new();
        let mut unavailable = None;
        for address in addresses {
            match self.bind_one(*address) {
                Ok(Some(socket)) => sockets.push(socket),
                Ok(None) => {}
                Err(err) if err.kind() == io::ErrorKind::AddrNotAvailable && addresses.len() > 1 => {
                    unavailable = Some(bind_error(*address, &err));
                }
                Err(err) => return Err(bind_error(*address, &err)),
            }
        }
        match (sockets.is_empty(), unavailable) {
            (false, _) => Ok(sockets),
            (true, Some(err)) => Err(err),
            (true, None) => Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                format!("could not bind on any address out of {addresses:?}"),
            )
            .into()),
        }
    }

    /// `None` where the system does not have the family, as IPv6 may be missing.
    fn bind_one(&self, address: SocketAddr) -> io::Result<Option<Socket>> {
        let Ok(socket) = Socket::new(Domain::for_address(address), Type::STREAM, None) else { return Ok(None) };
        if self.reuse_address.unwrap_or(cfg!(unix)) {
            socket.set_reuse_address(true)?;
        }
        #[cfg(unix)]
        if self.reuse_port {
            socket.set_reuse_port(true)?;
        }
        if self.keep_alive {
            socket.set_keepalive(true)?;
        }
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&SockAddr::from(address))?;
        Ok(Some(socket))
    }
}

impl<'n> IntoFuture for CreateServer<'n> {
    type Output = Result<Server>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Server>> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

/// Closes a server that could not be set up, or whose making was cancelled.
pub(super) struct CloseOnError<'a> {
    pub(super) server: Option<&'a Server>,
}

impl CloseOnError<'_> {
    pub(super) fn defuse(mut self) {
        self.server = None;
    }
}

impl Drop for CloseOnError<'_> {
    fn drop(&mut self) {
        if let Some(server) = self.server {
            server.close();
        }
    }
}

/// The addresses to bind, each once, in the order given.
async fn resolve_all(lp: &LoopState, hosts: &Hosts, port: u16, family: Option<Family>) -> Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for host in &hosts.0 {
        let found = if host.is_empty() {
            let all: [SocketAddr; 2] = [(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()];
            all.into_iter().filter(|address| family.is_none_or(|family| family == Family::of(address))).collect()
        } else {
            resolve(lp, host, port, family).await?
        };
        for address in found {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    if addresses.is_empty() {
        return Err(nothing_found(&hosts.0));
    }
    Ok(addresses)
}

fn bind_error(address: SocketAddr, err: &io::Error) -> Error {
    let message = format!("error while attempting to bind on address {address}: {err}");
    io::Error::new(err.kind(), message).into()
}

impl fmt::Debug for CreateServer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateServer").field("options", &self.options).finish_non_exhaustive()
    }
}
