//! [`Connect`]: how a client gets its connection.

use std::fmt;
use std::future::{Future, IntoFuture};
#[cfg(unix)]
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;

#[cfg(unix)]
use crate::create_unix_connection;
use crate::http::{HeaderValue, Limits, Target};
use crate::http1::client_connection::ClientConnection;
use crate::{Nursery, Result, Shared, create_connection};
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
use crate::{SslContext, SslObject};

use super::Client;
use super::connection::{ClientProtocol, Connection};
use super::error::ClientError;

/// The connection to be of a client; await it.
#[must_use = "nothing is connected until it is awaited"]
pub struct Connect<'n> {
    nursery: &'n Nursery,
    address: Address,
    limits: Limits,
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    ssl: Option<SslContext>,
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    server_hostname: Option<String>,
}

enum Address {
    Url(String),
    #[cfg(unix)]
    Unix(PathBuf),
}

impl<'n> Connect<'n> {
    pub(super) fn to_url(nursery: &'n Nursery, url: String) -> Self {
        Connect::new(nursery, Address::Url(url))
    }

    #[cfg(unix)]
    pub(super) fn to_unix(nursery: &'n Nursery, path: PathBuf) -> Self {
        Connect::new(nursery, Address::Unix(path))
    }

    fn new(nursery: &'n Nursery, address: Address) -> Self {
        Connect {
            nursery,
            address,
            limits: Limits::default().max_body_size(None),
            #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
            ssl: None,
            #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
            server_hostname: None,
        }
    }

    /// What a response may cost: the default limits, and none for its body, unless set.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The certificates and settings of TLS. Unless set, `https` verifies the server with the system's authorities and
    /// offers `http/1.1` by ALPN; a context of one's own should do the latter too. A Unix socket speaks TLS if it is set.
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub fn ssl(mut self, context: &SslContext) -> Self {
        self.ssl = Some(context.clone());
        self
    }

    /// The name that the certificate of the server has to bear, where it is not the host of the URL.
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub fn server_hostname(mut self, name: impl Into<String>) -> Self {
        self.server_hostname = Some(name.into());
        self
    }

    async fn make(mut self) -> Result<Client, ClientError> {
        let mut machine = ClientConnection::new(Rc::new(self.limits.clone()));
        match std::mem::replace(&mut self.address, Address::Url(String::new())) {
            Address::Url(url) => {
                let origin = Origin::parse(&url).ok_or(ClientError::Url(url))?;
                machine.set_host(Some(origin.header.clone()));
                self.connect(machine, &origin).await
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                machine.set_host(Some(HeaderValue::from_static("localhost")));
                self.connect_unix(machine, path).await
            }
        }
    }

    async fn connect(self, machine: ClientConnection, origin: &Origin) -> Result<Client, ClientError> {
        let connection = Connection::new(machine);
        let inner = connection.clone();
        let factory = move || Shared(ClientProtocol { connection: inner });
        let connecting = create_connection(self.nursery, factory, origin.host.clone(), origin.port);
        #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
        let connecting = match self.context(origin)? {
            Some(context) => {
                let connecting = connecting.ssl(&context);
                match self.server_hostname {
                    Some(name) => connecting.server_hostname(name),
                    None => connecting,
                }
            }
            None => connecting,
        };
        #[cfg(not(any(feature = "tls", feature = "tls-aws-lc")))]
        if origin.is_https {
            return Err(ClientError::Connect(crate::Error::msg("https needs the feature \"tls\"")));
        }
        connecting.await.map_err(ClientError::Connect)?;
        into_client(connection)
    }

    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    fn context(&self, origin: &Origin) -> Result<Option<SslContext>, ClientError> {
        match &self.ssl {
            Some(context) if origin.is_https => Ok(Some(context.clone())),
            Some(_) => Err(ClientError::Connect(crate::ValueError::new("ssl is for https, not for http").into())),
            None if origin.is_https => {
                let context = SslContext::client().set_alpn_protocols(["http/1.1"]).build();
                context.map(Some).map_err(ClientError::Connect)
            }
            None => Ok(None),
        }
    }

    #[cfg(unix)]
    async fn connect_unix(self, machine: ClientConnection, path: PathBuf) -> Result<Client, ClientError> {
        let connection = Connection::new(machine);
        let inner = connection.clone();
        let factory = move || Shared(ClientProtocol { connection: inner });
        let connecting = create_unix_connection(self.nursery, factory, path);
        #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
        let connecting = match &self.ssl {
            Some(context) => connecting.ssl(context).server_hostname(self.server_hostname.unwrap_or_default()),
            None => connecting,
        };
        connecting.await.map_err(ClientError::Connect)?;
        into_client(connection)
    }
}

#[cfg(all(feature = "app", feature = "testing"))]
impl Client {
    /// One on a connection in memory, whose requests are for `host`.
    pub(crate) async fn over_peer(
        nursery: &Nursery,
        peer: crate::testing::Peer,
        host: HeaderValue,
        limits: Limits,
    ) -> Result<Client, ClientError> {
        let mut machine = ClientConnection::new(Rc::new(limits));
        machine.set_host(Some(host));
        let connection = Connection::new(machine);
        peer.connect(nursery, Shared(ClientProtocol { connection: connection.clone() }));
        // The turn in which it is made.
        crate::checkpoint().await;
        into_client(connection)
    }
}

/// The client, unless the server has chosen a protocol that it does not speak.
fn into_client(connection: Rc<Connection>) -> Result<Client, ClientError> {
    let client = Client { connection };
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    if let Some(object) = client.transport().get_extra_info("ssl_object").and_then(|info| info.downcast::<SslObject>())
    {
        match object.selected_alpn_protocol() {
            Some("http/1.1" | "http/1.0") | None => {}
            Some(name) => return Err(ClientError::Protocol(name.to_owned())),
        }
    }
    Ok(client)
}

impl<'n> IntoFuture for Connect<'n> {
    type Output = Result<Client, ClientError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Connect");
        match &self.address {
            Address::Url(url) => shown.field("url", url),
            #[cfg(unix)]
            Address::Unix(path) => shown.field("path", path),
        };
        shown.finish_non_exhaustive()
    }
}

/// Where a URL without a path leads.
struct Origin {
    is_https: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// What `Host` says.
    header: HeaderValue,
}

impl Origin {
    fn parse(url: &str) -> Option<Self> {
        let form = Target::parse(url, false, false);
        let Some(Target::Absolute { scheme, authority, path: "/", query: None }) = form else { return None };
        let is_https = scheme.eq_ignore_ascii_case("https");
        let default_port = if is_https { 443 } else { 80 };
        // A colon behind the bracket of an IPv6 address, or the only one.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, if port.is_empty() { default_port } else { port.parse().ok()? })
            }
            _ => (authority, default_port),
        };
        let header = if port == default_port { host } else { authority };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some(Origin { is_https, host: bare.to_owned(), port, header: HeaderValue::from_str(header).ok()? })
    }
}
