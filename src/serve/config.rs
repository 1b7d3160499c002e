//! [`Config`]: what a server does, with Hypercorn's names.

use std::sync::Arc;
use std::time::Duration;

use super::access_log::AccessLog;
use crate::http::Limits;

/// How a server serves. The names are Hypercorn's where it has the option.
///
/// ```
/// use std::time::Duration;
///
/// use foster::Config;
/// use foster::http::Limits;
///
/// let config = Config::new()
///     .bind("127.0.0.1:8000")
///     .bind("unix:/run/app.sock")
///     .graceful_timeout(Duration::from_secs(10))
///     .limits(Limits::default().max_body_size(Some(1024 * 1024)));
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) bind: Vec<Bind>,
    pub(crate) workers: usize,
    pub(crate) backlog: u32,
    pub(crate) max_connections: Option<usize>,
    pub(crate) graceful_timeout: Duration,
    pub(crate) startup_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) keep_alive_timeout: Duration,
    pub(crate) keep_alive_max_requests: u32,
    pub(crate) ssl_handshake_timeout: Duration,
    pub(crate) head_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) limits: Limits,
    pub(crate) include_date_header: bool,
    pub(crate) server_header: Option<crate::http::HeaderValue>,
    pub(crate) access_log: Option<AccessLog>,
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub(crate) ssl: Option<foster_compat::SslContext>,
}

/// Something to listen on.
#[derive(Clone, Debug)]
pub(crate) struct Bind {
    pub(crate) place: Place,
    pub(crate) is_insecure: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Place {
    Named(String),
    Socket(Arc<std::net::TcpListener>),
}

impl Default for Config {
    fn default() -> Self {
        Config {
            bind: Vec::new(),
            workers: 1,
            backlog: 1024,
            max_connections: None,
            graceful_timeout: Duration::from_secs(3),
            startup_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(5),
            keep_alive_max_requests: 1000,
            ssl_handshake_timeout: Duration::from_secs(60),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            limits: Limits::default(),
            include_date_header: true,
            server_header: None,
            access_log: None,
            #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
            ssl: None,
        }
    }
}

impl Config {
    /// The defaults, bound to nothing.
    pub fn new() -> Self {
        Config::default()
    }

    /// How many connections the kernel keeps until they are accepted: 1,024 unless set (Hypercorn: 100, which a burst
    /// of clients fills).
    pub fn backlog(mut self, backlog: u32) -> Self {
        self.backlog = backlog;
        self
    }

    /// The most connections at once, of each worker and listener; those beyond it wait in the backlog. No limit unless
    /// set.
    pub fn max_connections(mut self, limit: usize) -> Self {
        self.max_connections = Some(limit);
        self
    }

    /// How long requests under way may go on once the server was told to stop: 3 s unless set.
    pub fn graceful_timeout(mut self, timeout: Duration) -> Self {
        self.graceful_timeout = timeout;
        self
    }

    /// How long the [startup](crate::Handler::startup) of the handler may take: 60 s unless set. The server ends with an
    /// error then.
    pub fn startup_timeout(mut self, timeout: Duration) -> Self {
        self.startup_timeout = timeout;
        self
    }

    /// How long the [shutdown](crate::Handler::shutdown) of the handler may take, after `graceful_timeout`: 60 s unless
    /// set. What is left of it is cancelled then, and the server ends with an error.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// How long a connection is kept open between two requests: 5 s unless set.
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.keep_alive_timeout = timeout;
        self
    }

    /// How many requests a connection serves before it is closed: 1,000 unless set, one at least.
    pub fn keep_alive_max_requests(mut self, n: u32) -> Self {
        self.keep_alive_max_requests = n.max(1);
        self
    }

    /// How long the TLS handshake may take: 60 s unless set.
    pub fn ssl_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.ssl_handshake_timeout = timeout;
        self
    }

    /// How long a client may take for a whole request head, from its first byte, or from the connect for the first
    /// one: 10 s unless set; it is answered 408. Hypercorn has one time-out for this and `keep_alive_timeout`.
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// How long nothing of a request's body may come while it is wanted: 60 s unless set; the handler is told, and 408
    /// is the answer unless it gives another. Hypercorn's `read_timeout`, which is off by default.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// How long a client may take nothing of what was written to it: 60 s unless set; the connection is aborted. Not in
    /// Hypercorn, where such a client holds its connection for ever.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// What a message may cost.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether responses get a `Date`: they do unless switched off (RFC 9110, 6.6.1 asks for it).
    pub fn include_date_header(mut self, is_on: bool) -> Self {
        self.include_date_header = is_on;
        self
    }

    /// A `Server` field for the responses of handlers that have none. None unless set: it tells an attacker more than a client.
    pub fn server_header(mut self, value: crate::http::HeaderValue) -> Self {
        self.server_header = Some(value);
        self
    }

    /// Writes a line for each request. Off unless set.
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.access_log = Some(log);
        self
    }

    /// Where to listen, one more each time: `host:port`, `[ipv6]:port`, `host` (port 8000), `unix:/path`, or `fd://n` for
    /// a listening socket that systemd has passed (`LISTEN_FDS`; the first is 3). `127.0.0.1:8000` if nothing is bound.
    /// Over TLS if [`ssl`](Config::ssl) is set, but for Unix sockets.
    pub fn bind(self, bind: impl Into<String>) -> Self {
        self.bind_to(Place::Named(bind.into()), false)
    }

    /// As [`bind`](Config::bind), and never over TLS.
    pub fn insecure_bind(self, bind: impl Into<String>) -> Self {
        self.bind_to(Place::Named(bind.into()), true)
    }

    /// As [`bind`](Config::bind), for a socket that is bound already.
    pub fn bind_listener(self, listener: std::net::TcpListener) -> Self {
        self.bind_to(Place::Socket(Arc::new(listener)), false)
    }

    /// Whether it says where to listen.
    #[cfg(feature = "app")]
    pub(crate) fn is_bound(&self) -> bool {
        !self.bind.is_empty()
    }

    fn bind_to(mut self, place: Place, is_insecure: bool) -> Self {
        self.bind.push(Bind { place, is_insecure });
        self
    }

    /// How many loops [`serve_workers`](crate::serve_workers) starts, each in a thread of its own: one unless set, one
    /// at least.
    pub fn workers(mut self, n: usize) -> Self {
        self.workers = n.max(1);
        self
    }

    /// Serves what is bound over TLS. The context says which protocols it offers by ALPN: `http/1.1`, or none.
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub fn ssl(mut self, context: &foster_compat::SslContext) -> Self {
        self.ssl = Some(context.clone());
        self
    }

    /// As [`ssl`](Config::ssl), with the certificate chain and the key in files: Hypercorn's `certfile` and `keyfile`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or holds something else.
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub fn certfile(
        self,
        certfile: impl AsRef<std::path::Path>,
        keyfile: impl AsRef<std::path::Path>,
    ) -> foster_compat::Result<Self> {
        let context = foster_compat::SslContext::server()
            .load_cert_chain(certfile, keyfile)
            .set_alpn_protocols(["http/1.1"])
            .build()?;
        Ok(self.ssl(&context))
    }
}
