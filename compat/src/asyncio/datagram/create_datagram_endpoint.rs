//! `create_datagram_endpoint`: a datagram socket in a nursery.

use std::fmt;
use std::future::{Future, IntoFuture};
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;

use socket2::{Socket, Type};

use super::datagram_socket::DatagramSocket;
use super::endpoint::DatagramEndpoint;
#[cfg(unix)]
use super::open_socket::open_unix;
use super::open_socket::{OpenOptions, Opened, open_inet};
use super::protocol_cell::IntoDatagramProtocol;
use super::socket_io::SocketIo;
use super::transport_ref::DatagramTransportRef;
use crate::asyncio::establish::made;
use crate::asyncio::exceptions::ValueError;
use crate::asyncio::loop_state::LoopState;
use crate::asyncio::resolver::Family;
use crate::error::Result;
use crate::nursery::Nursery;

/// Opens a datagram socket and gives it a protocol: `loop.create_datagram_endpoint`. Await the builder, whose methods
/// are asyncio's keyword arguments; it gives the transport and the handle of the protocol.
///
/// At least one of `local_addr`, `remote_addr`, `family` and `sock` has to be given (or, for Unix sockets, a path).
/// `factory` is called once the socket is open. It returns after `connection_made` and before the first
/// `datagram_received`. The endpoint is a child of `nursery`: it is closed when the nursery is cancelled, and the
/// nursery waits for it.
///
/// As many as 32 datagrams are handed over in one turn of the loop, each with a callback of its own, while nothing else
/// is to be run: what a callback queues always runs before the next datagram, as in asyncio.
///
/// # Cancel safety
///
/// Cancelled or dropped, it closes what it has opened: a socket without a call of the factory, an endpoint that is
/// being made with a `connection_lost` if there was a `connection_made`.
///
/// # Errors
///
/// A host does not resolve. No address can be bound or connected: one address gives its own error, several give one
/// that names each. The error of the factory. A [`ValueError`] for options that make no sense;
/// [`Closed`](crate::Closed) if the nursery has ended.
///
/// # Examples
///
/// An echo server, and a client that asks it:
///
/// ```
/// use foster_compat::{
///     Address, DatagramProtocol, DatagramTransportRef, Result, create_datagram_endpoint, open_nursery, run,
/// };
///
/// #[derive(Default)]
/// struct Echo {
///     transport: DatagramTransportRef,
/// }
///
/// impl DatagramProtocol for Echo {
///     fn connection_made(&mut self, transport: DatagramTransportRef) -> Result<()> {
///         self.transport = transport;
///         Ok(())
///     }
///
///     fn datagram_received(&mut self, data: &[u8], addr: Address) -> Result<()> {
///         self.transport.sendto(data, Some(&addr))
///     }
/// }
///
/// #[derive(Default)]
/// struct Ask {
///     transport: DatagramTransportRef,
/// }
///
/// impl DatagramProtocol for Ask {
///     fn connection_made(&mut self, transport: DatagramTransportRef) -> Result<()> {
///         self.transport = transport;
///         self.transport.sendto(b"anybody there?", None)
///     }
///
///     fn datagram_received(&mut self, data: &[u8], addr: Address) -> Result<()> {
///         println!("{addr} says {}", String::from_utf8_lossy(data));
///         self.transport.close();
///         Ok(())
///     }
/// }
///
/// run(async {
///     open_nursery(async |nursery| {
///         let (server, _) = create_datagram_endpoint(&nursery, Echo::default).local_addr("127.0.0.1", 0).await?;
///         let port = server.sockname().and_then(|name| name.port()).unwrap_or_default();
///         let (client, _) = create_datagram_endpoint(&nursery, Ask::default).remote_addr("127.0.0.1", port).await?;
///         client.closed().await;
///         server.close();
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn create_datagram_endpoint<'n, P, F>(nursery: &'n Nursery, factory: F) -> CreateDatagramEndpoint<'n, P>
where
    F: FnOnce() -> P + 'n,
    P: IntoDatagramProtocol,
{
    CreateDatagramEndpoint {
        nursery,
        factory: Box::new(move || Ok(factory())),
        sock: None,
        #[cfg(unix)]
        local_path: None,
        #[cfg(unix)]
        remote_path: None,
        options: OpenOptions::default(),
        is_strict: false,
    }
}

/// What [`create_datagram_endpoint`] will make; await it.
#[must_use = "no endpoint is made until it is awaited"]
pub struct CreateDatagramEndpoint<'n, P> {
    nursery: &'n Nursery,
    factory: Box<dyn FnOnce() -> Result<P> + 'n>,
    sock: Option<Socket>,
    #[cfg(unix)]
    local_path: Option<PathBuf>,
    #[cfg(unix)]
    remote_path: Option<PathBuf>,
    options: OpenOptions,
    is_strict: bool,
}

impl<'n, P: IntoDatagramProtocol> CreateDatagramEndpoint<'n, P> {
    /// A factory that may fail instead of the one given: the socket is then closed, and its error is what awaiting the
    /// builder gives.
    pub fn try_factory(mut self, factory: impl FnOnce() -> Result<P> + 'n) -> Self {
        self.factory = Box::new(factory);
        self
    }

    /// Binds the socket to an address of this host and this port. The host `""` is all interfaces; port 0 lets the
    /// system choose.
    pub fn local_addr(mut self, host: impl Into<String>, port: u16) -> Self {
        self.options.local_addr = Some((host.into(), port));
        self
    }

    /// Connects the socket to an address of this host and this port: `sendto` goes there, and only what comes from
    /// there is received. With `allow_broadcast` only the first holds.
    ///
    /// Of several addresses of one family the first is taken; in asyncio it is the last.
    pub fn remote_addr(mut self, host: impl Into<String>, port: u16) -> Self {
        self.options.remote_addr = Some((host.into(), port));
        self
    }

    /// Takes only addresses of this family. Without any address the socket is not bound before something is sent.
    pub fn family(mut self, family: Family) -> Self {
        self.options.family = Some(family);
        self
    }

    /// Whether several sockets may be bound to one port (`SO_REUSEPORT`). Off unless set.
    pub fn reuse_port(mut self, is_on: bool) -> Self {
        self.options.reuse_port = is_on;
        self
    }

    /// Whether datagrams may be sent to a broadcast address (`SO_BROADCAST`). Off unless set.
    pub fn allow_broadcast(mut self, is_on: bool) -> Self {
        self.options.allow_broadcast = is_on;
        self
    }

    /// Takes a datagram socket instead of addresses and options. One that is connected has its peer as remote address.
    pub fn sock(mut self, socket: impl Into<DatagramSocket>) -> Self {
        self.sock = Some(socket.into().0);
        self
    }

    /// Makes it a Unix socket bound to this path: `family=AF_UNIX` with `local_addr` in asyncio. A socket file that
    /// stands there is replaced; nobody removes the file afterwards, as in asyncio. On Linux a path that begins with a
    /// NUL byte is an abstract name.
    #[cfg(unix)]
    pub fn local_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.local_path = Some(path.into());
        self
    }

    /// Makes it a Unix socket connected to this path: `family=AF_UNIX` with `remote_addr` in asyncio. The peer can
    /// answer only if there is a `local_path` too.
    #[cfg(unix)]
    pub fn remote_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.remote_path = Some(path.into());
        self
    }

    /// Whether an error or panic in a callback or a task of the endpoint, other than an `io::Error`, also ends the
    /// nursery, which gives it. Off unless set: asyncio reports it and goes on. Not in asyncio.
    pub fn strict(mut self, is_on: bool) -> Self {
        self.is_strict = is_on;
        self
    }

    async fn make(mut self) -> Result<(DatagramTransportRef, P::Handle)> {
        let lp = LoopState::of(self.nursery.core());
        let opened = self.open(&lp).await?;
        let io = SocketIo::new(opened.socket)?;
        let (cell, handle) = (self.factory)()?.into_datagram_protocol();
        let endpoint = DatagramEndpoint::start(&lp, self.nursery, cell, io, opened.remote, self.is_strict)?;
        let transport = DatagramTransportRef::new(endpoint);
        made(self.nursery.core(), || transport.close()).await?;
        Ok((transport, handle))
    }

    async fn open(&mut self, lp: &LoopState) -> Result<Opened> {
        if let Some(socket) = self.sock.take() {
            self.check_given(&socket)?;
            return Ok(Opened::given(socket));
        }
        #[cfg(unix)]
        if self.local_path.is_some() || self.remote_path.is_some() {
            if self.options.local_addr.is_some() || self.options.remote_addr.is_some() || self.options.family.is_some()
            {
                let message = "addresses or a family and paths can not be specified at the same time";
                return Err(ValueError::new(message).into());
            }
            return open_unix(self.local_path.as_deref(), self.remote_path.as_deref(), &self.options);
        }
        open_inet(lp, &self.options).await
    }

    fn check_given(&self, socket: &Socket) -> Result<()> {
        // A descriptor of any kind converts to the type that `sock` takes.
        if socket.r#type()? != Type::DGRAM {
            return Err(ValueError::new(format!("A UDP Socket was expected, got {socket:?}")).into());
        }
        let problems = self.modifiers();
        if problems.is_empty() {
            return Ok(());
        }
        let message = format!(
            "socket modifier keyword arguments can not be used when sock is specified. ({})",
            problems.join(", ")
        );
        Err(ValueError::new(message).into())
    }

    /// What was asked for beside a socket, as asyncio names it.
    fn modifiers(&self) -> Vec<String> {
        let OpenOptions { local_addr, remote_addr, family, reuse_port, allow_broadcast } = &self.options;
        let mut modifiers = Vec::new();
        for (name, addr) in [("local_addr", local_addr), ("remote_addr", remote_addr)] {
            modifiers.extend(addr.as_ref().map(|(host, port)| format!("{name}=('{host}', {port})")));
        }
        #[cfg(unix)]
        for (name, path) in [("local_path", &self.local_path), ("remote_path", &self.remote_path)] {
            modifiers.extend(path.as_ref().map(|path| format!("{name}={path:?}")));
        }
        modifiers.extend(family.map(|family| match family {
            Family::Inet => "family=AF_INET".to_owned(),
            Family::Inet6 => "family=AF_INET6".to_owned(),
        }));
        for (name, is_on) in [("reuse_port", reuse_port), ("allow_broadcast", allow_broadcast)] {
            modifiers.extend(is_on.then(|| format!("{name}=True")));
        }
        modifiers
    }
}

impl<'n, P: IntoDatagramProtocol> IntoFuture for CreateDatagramEndpoint<'n, P> {
    type Output = Result<(DatagramTransportRef, P::Handle)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl<P> fmt::Debug for CreateDatagramEndpoint<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateDatagramEndpoint").field("options", &self.options).finish_non_exhaustive()
    }
}
