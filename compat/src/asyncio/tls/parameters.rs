//! What one connection over TLS is made with, and how the builders are told.

use std::rc::Rc;
use std::time::Duration;

use super::context::SslContext;
use super::session::Session;
use crate::asyncio::acceptor::checked_marks;
use crate::asyncio::exceptions::ValueError;
use crate::error::Result;

/// asyncio's `SSL_HANDSHAKE_TIMEOUT`.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);
/// asyncio's `SSL_SHUTDOWN_TIMEOUT`.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
/// asyncio's `FLOW_CONTROL_HIGH_WATER_SSL_WRITE`.
pub(super) const HIGH: usize = 512 * 1024;

/// Shared by the connections of a server.
pub(crate) struct TlsParameters {
    pub(super) context: SslContext,
    pub(super) server_side: bool,
    pub(super) server_hostname: Option<String>,
    pub(super) handshake_timeout: Duration,
    pub(super) shutdown_timeout: Duration,
    pub(super) marks: (usize, usize),
}

impl TlsParameters {
    pub(super) fn session(&self) -> Result<Session> {
        Session::new(&self.context, self.server_side, self.server_hostname.as_deref())
    }
}

/// The `ssl` arguments of asyncio's functions.
#[derive(Clone, Debug, Default)]
pub(crate) struct SslOptions {
    pub(crate) context: Option<SslContext>,
    pub(crate) server_hostname: Option<String>,
    pub(crate) handshake_timeout: Option<Duration>,
    pub(crate) shutdown_timeout: Option<Duration>,
}

impl SslOptions {
    /// For the side that connects; `host` is what it connects to, if anything was named.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] in asyncio's words for arguments that make no sense.
    pub(crate) fn client(
        &self,
        host: Option<&str>,
        limits: Option<(Option<usize>, Option<usize>)>,
    ) -> Result<Option<Rc<TlsParameters>>> {
        if self.context.is_none() && self.server_hostname.is_some() {
            return Err(ValueError::new("server_hostname is only meaningful with ssl").into());
        }
        let server_hostname = match (&self.server_hostname, host) {
            (Some(name), _) => Some(name.as_str()),
            (None, Some(host)) => Some(host),
            (None, None) if self.context.is_some() => {
                return Err(ValueError::new("You must set server_hostname when using ssl without a host").into());
            }
            (None, None) => None,
        };
        self.parameters(false, server_hostname, limits)
    }

    /// For the side that accepts. Errors are those of [`client`](SslOptions::client).
    pub(crate) fn server(&self, limits: Option<(Option<usize>, Option<usize>)>) -> Result<Option<Rc<TlsParameters>>> {
        self.parameters(true, None, limits)
    }

    /// An empty name is none.
    pub(super) fn parameters(
        &self,
        server_side: bool,
        server_hostname: Option<&str>,
        limits: Option<(Option<usize>, Option<usize>)>,
    ) -> Result<Option<Rc<TlsParameters>>> {
        let timeout = |name: &str, given: Option<Duration>, default: Duration| match given {
            Some(_) if self.context.is_none() => Err(ValueError::new(format!("{name} is only meaningful with ssl"))),
            Some(Duration::ZERO) => Err(ValueError::new(format!("{name} should be a positive number, got 0"))),
            given => Ok(given.unwrap_or(default)),
        };
        let handshake_timeout = timeout("ssl_handshake_timeout", self.handshake_timeout, HANDSHAKE_TIMEOUT)?;
        let shutdown_timeout = timeout("ssl_shutdown_timeout", self.shutdown_timeout, SHUTDOWN_TIMEOUT)?;
        let Some(context) = self.context.clone() else { return Ok(None) };
        let server_hostname = server_hostname.filter(|name| !name.is_empty()).map(str::to_owned);
        if !server_side && context.check_hostname() && server_hostname.is_none() {
            return Err(ValueError::new("check_hostname requires server_hostname").into());
        }
        let marks = match limits {
            Some((high, low)) => checked_marks(high, low, HIGH)?,
            None => (HIGH / 4, HIGH),
        };
        let parameters =
            TlsParameters { context, server_side, server_hostname, handshake_timeout, shutdown_timeout, marks };
        // A context of the wrong side, or a name that is none, is the caller's mistake and not a connection's.
        parameters.session()?;
        Ok(Some(Rc::new(parameters)))
    }
}
