//! [`connect`]: how a client gets its connection.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
use crate::SslContext;
use crate::http::{Body, HeaderList, HeaderName, HeaderValue, Limits, header};
use crate::http1::{Client, ClientError, ClientResponse};
use crate::websocket::deflate::DeflateOffer;
use crate::websocket::handshake::{Accepted, ClientHandshake, Opening, WebSocketUrl};
use crate::websocket::protocol::{Config, WebSocket};
use crate::{Loop, Nursery, TransportRef, move_on_at};

use super::error::ConnectError;

/// How long a connection may take to be a WebSocket: `open_timeout` of Python's `websockets`.
pub const DEFAULT_OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// The most that is kept of what a server says when it refuses: more than a person reads. `websockets` keeps 1 MiB.
const MAX_REFUSAL: usize = 64 * 1024;

/// Connects to a URL, `ws://host:port/path` or, with the feature `tls`, `wss://host:port/path`: Python's
/// `websockets.connect`. What it gives has the options as methods.
///
/// The connection is a child of the nursery.
///
/// ```no_run
/// use foster::websocket::{ConnectError, connect};
///
/// # async fn open(nursery: foster::Nursery) -> foster::Result<()> {
/// match connect(&nursery, "wss://example.org/chat").subprotocols(["chat"]).await {
///     Ok(websocket) => {
///         websocket.send("hello").await?;
///         println!("{:?}", websocket.receive().await?);
///         websocket.close(1000, "").await?;
///     }
///     Err(ConnectError::Rejected { rejected, .. }) => println!("{}", rejected.status()),
///     Err(err) => return Err(err.into()),
/// }
/// # foster::Ok(())
/// # }
/// ```
pub fn connect(nursery: &Nursery, url: impl Into<String>) -> Connect<'_> {
    Connect {
        nursery,
        url: url.into(),
        config: Config::new(),
        headers: HeaderList::new(),
        limits: Limits::default().max_body_size(None),
        open_timeout: Some(DEFAULT_OPEN_TIMEOUT),
        #[cfg(all(feature = "app", feature = "testing"))]
        peer: None,
        #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
        ssl: None,
        #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
        server_hostname: None,
    }
}

/// The WebSocket to be of a client.
#[must_use = "nothing is connected until it is opened"]
pub struct Connect<'n> {
    nursery: &'n Nursery,
    url: String,
    config: Config,
    headers: HeaderList,
    limits: Limits,
    open_timeout: Option<Duration>,
    #[cfg(all(feature = "app", feature = "testing"))]
    peer: Option<crate::testing::Peer>,
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    ssl: Option<SslContext>,
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    server_hostname: Option<String>,
}

/// A connection on which the handshake is done. Reading is paused until
/// [`resume_reading`](crate::ReadTransport::resume_reading). It is the caller's, and ends with the nursery of the client
/// or when it is closed.
#[derive(Debug)]
pub struct Opened {
    /// The transport.
    pub transport: TransportRef,
    /// What the server has sent behind its response already: the first bytes of the first frames.
    pub data: Bytes,
    /// What was agreed on.
    pub accepted: Accepted,
}

impl Connect<'_> {
    /// The limits and time-outs of the WebSocket, the subprotocols it offers, and its compression.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The subprotocols that are offered, the one that is liked best first: [`Config::subprotocols`]. None unless set.
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.config = self.config.subprotocols(names);
        self
    }

    /// One more header field of the request. `Host` and `Authorization` replace those of the URL; those of the handshake
    /// itself are refused.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// These header fields in the place of all others: `additional_headers`.
    pub fn headers(mut self, headers: HeaderList) -> Self {
        self.headers = headers;
        self
    }

    /// What the response may cost: the default limits, and none for the body of a refusal, of which 64 KiB are read, unless
    /// set.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long it may take in all, from looking up the host to the end of the handshake. 10 s unless set; `None` for no
    /// limit.
    pub fn open_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.open_timeout = timeout;
        self
    }

    /// The certificates and settings of TLS, as of [`http1::Connect::ssl`](crate::http1::Connect::ssl).
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

    /// Over a connection in memory: the URL only says what is asked for.
    #[cfg(all(feature = "app", feature = "testing"))]
    pub(crate) fn over_peer(mut self, peer: crate::testing::Peer) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Connects and asks for the WebSocket, for a protocol of one's own. Compression is not offered.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it closes what it has opened.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: [`Rejected`](ConnectError::Rejected) has the response of a server that refuses.
    pub async fn open(self) -> Result<Opened, ConnectError> {
        self.ask_for(None).await
    }

    async fn websocket(self) -> Result<WebSocket, ConnectError> {
        let (config, loop_) = (self.config.clone(), Loop::new(self.nursery));
        let offer = config.compression_offer();
        let extensions = offer.as_ref().map(DeflateOffer::to_header_value);
        let Opened { transport, data, accepted } = self.ask_for(extensions).await?;
        let compression = match offer.map(|offer| offer.accepted(accepted.extensions())).transpose() {
            Ok(compression) => compression.flatten(),
            Err(_) => {
                transport.close();
                return Err(ConnectError::Rejected { rejected: accepted.reject(), body: Bytes::new() });
            }
        };
        Ok(WebSocket::of_client(config, loop_, transport, data, compression, accepted.subprotocol()))
    }

    async fn ask_for(self, extensions: Option<HeaderValue>) -> Result<Opened, ConnectError> {
        let url: WebSocketUrl = self.url.parse().map_err(ConnectError::Url)?;
        let subprotocols = self.config.offered_subprotocols().iter().cloned();
        let handshake = ClientHandshake::new(Opening::Upgrade, subprotocols, extensions);
        let handshake = handshake.map_err(ConnectError::Request)?;
        let mut headers = handshake.request(&self.headers).map_err(ConnectError::Request)?;
        if let Some(authorization) = url.authorization().filter(|_| !headers.contains(&header::AUTHORIZATION)) {
            headers.append(header::AUTHORIZATION, authorization.clone());
        }

        let timeout = self.open_timeout;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let Some(response) = before(deadline, self.ask(&url, headers)).await else {
            return Err(ConnectError::TimedOut(timeout.unwrap_or_default()));
        };
        let response = response.map_err(ConnectError::Http)?;
        let accepted = match handshake.check(response.head().clone()) {
            Ok(accepted) => accepted,
            Err(rejected) => {
                let mut body = Vec::new();
                // What has come by then has to do: the status says the most.
                let _ = before(deadline, read_beginning(response.into_body(), &mut body)).await;
                return Err(ConnectError::Rejected { rejected, body: body.into() });
            }
        };
        match response.upgrade() {
            Some(upgraded) => Ok(Opened { transport: upgraded.transport, data: upgraded.data, accepted }),
            None => Err(ConnectError::Http(ClientError::Closed { source: None })),
        }
    }

    async fn ask(self, url: &WebSocketUrl, headers: HeaderList) -> Result<ClientResponse, ClientError> {
        let client = self.client(url).await?;
        client.request(Opening::Upgrade.method(), url.target()).headers(headers).await
    }

    async fn client(self, url: &WebSocketUrl) -> Result<Client, ClientError> {
        #[cfg(all(feature = "app", feature = "testing"))]
        if let Some(peer) = self.peer {
            return Client::over_peer(self.nursery, peer, url.host_header().clone(), self.limits).await;
        }
        let scheme = if url.is_secure() { "https" } else { "http" };
        let host = url.host_header().to_str().unwrap_or_default();
        let connecting = Client::connect(self.nursery, format!("{scheme}://{host}")).limits(self.limits);
        #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
        let connecting = match &self.ssl {
            Some(context) => connecting.ssl(context),
            None => connecting,
        };
        #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
        let connecting = match self.server_hostname {
            Some(name) => connecting.server_hostname(name),
            None => connecting,
        };
        connecting.await
    }
}

/// Waits until `deadline` at most.
async fn before<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => move_on_at(deadline, future).await,
        None => Some(future.await),
    }
}

/// Reads as much of a body as is kept, and as comes.
async fn read_beginning(mut body: Body, kept: &mut Vec<u8>) {
    while let Ok(Some(chunk)) = body.chunk().await {
        kept.extend_from_slice(&chunk[..chunk.len().min(MAX_REFUSAL - kept.len())]);
        if kept.len() == MAX_REFUSAL {
            break;
        }
    }
}

impl<'n> IntoFuture for Connect<'n> {
    type Output = Result<WebSocket, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    /// Connects and asks for the WebSocket. A redirect is not followed.
    ///
    /// [`ConnectError::Rejected`] has the response of a server that refuses. Cancelled or dropped, it closes what it has
    /// opened.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.websocket())
    }
}

impl fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may have a password.
        f.debug_struct("Connect").field("config", &self.config).finish_non_exhaustive()
    }
}
