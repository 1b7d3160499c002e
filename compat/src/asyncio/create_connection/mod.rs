//! `create_connection`: a TCP client.

mod connect;
pub(super) mod connect_error;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;

use self::connect::{connect_any, interleave};
use self::connect_error::{combine, group};
use super::client_options::{ClientOptions, client_options};
use super::establish::establish;
use super::exceptions::ValueError;
use super::loop_state::LoopState;
use super::protocol_cell::IntoProtocol;
use super::resolver::{Family, resolve};
use super::stream_socket::{Connected, StreamSocket};
use super::tls::{TlsParameters, ssl_client_options};
use super::transport_ref::TransportRef;
use crate::error::Result;
use crate::nursery::Nursery;

/// Connects to `host` and `port` and gives the connection a protocol: `loop.create_connection`. Await the builder,
/// whose methods are asyncio's keyword arguments; it gives the transport and the handle of the protocol.
///
/// The addresses of the host are tried one after the other, in the order of the resolver, unless
/// [`happy_eyeballs_delay`](CreateConnection::happy_eyeballs_delay) is set. `factory` is called once the socket is
/// connected. It returns after `connection_made` and before the first `data_received`. The connection is a child of
/// `nursery`.
///
/// # Cancel safety
///
/// Cancelled or dropped, it closes what it has opened: a socket that is being connected without a call of the factory,
/// a connection that is being made with a `connection_lost` if there was a `connection_made`.
///
/// # Errors
///
/// The host does not resolve: an `io::Error` of kind `NotFound`, where Python has `socket.gaierror`. No address can be connected: one address gives its own error, several give one that
/// names each, `Multiple exceptions: ...`, whose kind is theirs if they agree. The error of the factory. A
/// [`ValueError`] for options that make no sense; [`Closed`](crate::Closed) if the nursery has ended.
///
/// # Examples
///
/// ```
/// use foster_compat::{Protocol, Result, TransportRef, create_connection, create_server, open_nursery, run};
///
/// #[derive(Default)]
/// struct Greet {
///     transport: TransportRef,
/// }
///
/// impl Protocol for Greet {
///     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
///         self.transport = transport;
///         self.transport.write(b"hello")
///     }
/// }
///
/// #[derive(Default)]
/// struct Collect {
///     received: Vec<u8>,
/// }
///
/// impl Protocol for Collect {
///     fn data_received(&mut self, data: &[u8]) -> Result<()> {
///         self.received.extend_from_slice(data);
///         Ok(())
///     }
/// }
///
/// run(async {
///     open_nursery(async |nursery| {
///         let server = create_server(&nursery, Collect::default, "127.0.0.1", 0).await?;
///         let port = server.sockets()[0].getsockname()?.port().unwrap_or_default();
///         let (transport, _greet) = create_connection(&nursery, Greet::default, "127.0.0.1", port).await?;
///         transport.close();
///         transport.closed().await;
///         server.close();
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn create_connection<'n, P, F>(
    nursery: &'n Nursery,
    factory: F,
    host: impl Into<String>,
    port: u16,
) -> CreateConnection<'n, P>
where
    F: FnOnce() -> P + 'n,
    P: IntoProtocol,
{
    CreateConnection {
        nursery,
        factory: Box::new(move || Ok(factory())),
        host: host.into(),
        port,
        sock: None,
        family: None,
        local_addr: None,
        happy_eyeballs_delay: None,
        interleave: None,
        all_errors: false,
        options: ClientOptions::default(),
    }
}

/// What [`create_connection`] will make; await it.
#[must_use = "nothing is connected until it is awaited"]
pub struct CreateConnection<'n, P> {
    nursery: &'n Nursery,
    factory: Box<dyn FnOnce() -> Result<P> + 'n>,
    host: String,
    port: u16,
    sock: Option<StreamSocket>,
    family: Option<Family>,
    local_addr: Option<(String, u16)>,
    happy_eyeballs_delay: Option<Duration>,
    interleave: Option<usize>,
    all_errors: bool,
    options: ClientOptions,
}

impl<'n, P: IntoProtocol> CreateConnection<'n, P> {
    client_options!();
    ssl_client_options!();

    /// Connects only to addresses of this family.
    pub fn family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// Takes a connected socket instead of host and port, which must be `""` and 0. A Unix socket will do as well.
    pub fn sock(mut self, socket: impl Into<StreamSocket>) -> Self {
        self.sock = Some(socket.into());
        self
    }

    /// Binds the socket to an address of this host and this port before it connects; port 0 lets the system choose.
    pub fn local_addr(mut self, host: impl Into<String>, port: u16) -> Self {
        self.local_addr = Some((host.into(), port));
        self
    }

    /// Tries the next address after this long while the one before is still being connected, and takes what is
    /// connected first: "Happy Eyeballs", RFC 8305, which recommends 250 ms. Off unless set, as in asyncio.
    pub fn happy_eyeballs_delay(mut self, delay: Duration) -> Self {
        self.happy_eyeballs_delay = Some(delay);
        self
    }

    /// How many addresses of the first family are tried before one of the other; from there on the families take
    /// turns. 1 if `happy_eyeballs_delay` is set, else the order is the resolver's. 0 keeps that order.
    pub fn interleave(mut self, first_address_family_count: usize) -> Self {
        self.interleave = Some(first_address_family_count);
        self
    }

    /// Whether a failure of every address is given as a [`NurseryError`](crate::NurseryError), Python's
    /// `ExceptionGroup`, with each error as a member.
    pub fn all_errors(mut self, is_on: bool) -> Self {
        self.all_errors = is_on;
        self
    }

    async fn make(mut self) -> Result<(TransportRef, P::Handle)> {
        let tls = self.check()?;
        let socket = match self.sock.take() {
            Some(socket) => socket.register()?,
            None => Connected::tcp(self.connect().await?),
        };
        establish(self.nursery, socket, self.factory, &self.options, tls).await
    }

    fn check(&self) -> Result<Option<Rc<TlsParameters>>> {
        let has_address = !self.host.is_empty() || self.port != 0;
        match &self.sock {
            Some(_) if has_address => {
                return Err(ValueError::new("host/port and sock can not be specified at the same time").into());
            }
            None if !has_address => {
                return Err(ValueError::new("host and port was not specified and no sock specified").into());
            }
            _ => {}
        }
        self.options.check()?;
        let host = (!self.host.is_empty()).then_some(self.host.as_str());
        self.options.ssl.client(host, self.options.write_buffer_limits)
    }

    async fn connect(&self) -> Result<TcpStream> {
        let lp = LoopState::of(self.nursery.core());
        let mut addresses = resolve(&lp, &self.host, self.port, self.family).await?;
        let local = match &self.local_addr {
            Some((host, port)) => Some(resolve(&lp, host, *port, self.family).await?),
            None => None,
        };
        let first_count = self.interleave.unwrap_or(usize::from(self.happy_eyeballs_delay.is_some()));
        if first_count > 0 {
            addresses = interleave(addresses, first_count);
        }
        let connected = connect_any(&addresses, local.as_deref(), self.happy_eyeballs_delay).await;
        connected.map_err(|errors| if self.all_errors { group(errors) } else { combine(errors) })
    }
}

impl<'n, P: IntoProtocol> IntoFuture for CreateConnection<'n, P> {
    type Output = Result<(TransportRef, P::Handle)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl<P> fmt::Debug for CreateConnection<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateConnection")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
