//! `start_tls`: TLS on a connection that has begun without.

use std::fmt;
use std::future::{Future as StdFuture, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use super::context::SslContext;
use super::parameters::SslOptions;
use super::transport::{Begin, TlsTransport};
use crate::asyncio::establish::wait_or_end;
use crate::asyncio::event_loop::Loop;
use crate::asyncio::exceptions::{RuntimeError, TypeError};
use crate::asyncio::future::Future;
use crate::asyncio::loop_state::LoopState;
use crate::asyncio::protocol_cell::{Kind, ProtocolCell};
use crate::asyncio::transport_ref::TransportRef;
use crate::error::Result;
use crate::runtime::{Callback, Item, current};

/// Upgrades a connection to TLS, in the middle of its life: `loop.start_tls`. Await the builder; it gives the transport
/// to use from then on. The protocol stays, and writes to the old transport must end.
///
/// On the side of the client unless [`server_side`](StartTls::server_side) says otherwise. What was written before goes
/// out first, in plain. Bytes of the peer that the protocol has already been given are not TLS's to read; hand those
/// behind its own command to [`leftover`](StartTls::leftover).
///
/// Awaited in a task, as in asyncio: a callback starts one with
/// [`TransportRef::start_soon`](crate::TransportRef::start_soon).
///
/// # Cancel safety
///
/// Cancelled or dropped before the handshake is done, the connection is aborted, with its `connection_lost`.
///
/// # Errors
///
/// An [`SslError`](crate::SslError), a connection error or a time-out of the handshake; the connection is then lost, and
/// its protocol gets one `connection_lost` with that error, also where asyncio forgets it. A
/// [`TypeError`] for a transport that cannot be upgraded, as that of a pipe. A [`RuntimeError`] if it is closing, or was
/// upgraded already. A [`ValueError`](crate::ValueError) for options that make no sense. After these three the
/// connection goes on as it was.
///
/// # Examples
///
/// ```no_run
/// use foster_compat::{Protocol, Result, SslContext, TransportRef, start_tls};
///
/// struct Upgradable {
///     transport: TransportRef,
///     context: SslContext,
/// }
///
/// impl Protocol for Upgradable {
///     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
///         // Once in plain, and once more over TLS.
///         self.transport = transport;
///         Ok(())
///     }
///
///     fn data_received(&mut self, data: &[u8]) -> Result<()> {
///         if let Some(behind) = data.strip_prefix(b"STARTTLS\r\n") {
///             self.transport.write(b"220 go ahead\r\n")?;
///             let upgrade = start_tls(&self.transport, &self.context)
///                 .server_side(true)
///                 .call_connection_made(true)
///                 .leftover(behind);
///             self.transport.start_soon(async move {
///                 upgrade.await?;
///                 Ok(())
///             });
///         }
///         Ok(())
///     }
/// }
/// ```
pub fn start_tls(transport: &TransportRef, context: &SslContext) -> StartTls {
    StartTls {
        transport: transport.clone(),
        options: SslOptions { context: Some(context.clone()), ..SslOptions::default() },
        server_side: false,
        calls_made: false,
        leftover: Vec::new(),
    }
}

/// What [`start_tls`] will do; await it.
#[must_use = "nothing is upgraded until it is awaited"]
pub struct StartTls {
    transport: TransportRef,
    options: SslOptions,
    server_side: bool,
    calls_made: bool,
    leftover: Vec<u8>,
}

impl StartTls {
    /// Whether this is the side that accepts the handshake. Off unless set.
    pub fn server_side(mut self, is_on: bool) -> Self {
        self.server_side = is_on;
        self
    }

    /// The name that the certificate of the server has to bear, on the side of the client.
    pub fn server_hostname(mut self, name: impl Into<String>) -> Self {
        self.options.server_hostname = Some(name.into());
        self
    }

    /// Ends the connection if the handshake takes longer: 60 s unless set.
    pub fn ssl_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.options.handshake_timeout = Some(timeout);
        self
    }

    /// As that of [`create_connection`](crate::create_connection): 30 s unless set.
    pub fn ssl_shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.options.shutdown_timeout = Some(timeout);
        self
    }

    /// Calls the protocol's `connection_made` once more, with the new transport, when the handshake is done. Off unless
    /// set; not in asyncio, where programs call it by hand.
    pub fn call_connection_made(mut self, is_on: bool) -> Self {
        self.calls_made = is_on;
        self
    }

    /// Bytes of the peer that came behind its command and belong to TLS. Not in asyncio, which loses them.
    pub fn leftover(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.leftover = bytes.into();
        self
    }

    async fn upgrade(self) -> Result<TransportRef> {
        let below = self.transport;
        if !below.is_start_tls_compatible() {
            return Err(TypeError::new(format!("transport {below:?} is not supported by start_tls()")).into());
        }
        let server_hostname = self.options.server_hostname.as_deref().filter(|_| !self.server_side);
        let parameters = self.options.parameters(self.server_side, server_hostname, None)?;
        let protocol = below.get_protocol().filter(|_| !below.is_closing());
        if let Some(ProtocolCell(Kind::Layer(_), _)) = protocol {
            return Err(RuntimeError::new("start_tls() on a transport that is below TLS: use the one above").into());
        }
        let (Some(protocol), Some(parameters)) = (protocol, parameters) else {
            return Err(RuntimeError::new("start_tls() on a transport that is closing").into());
        };
        let core = current();
        let waiter = Future::new(&core);
        let begin = Begin {
            calls_made: self.calls_made,
            was_made: true,
            is_writing_paused: below.is_writing_paused(),
            leftover: self.leftover,
        };
        let tls = TlsTransport::new(&LoopState::of(&core), protocol, &parameters, Some(waiter.clone()), begin)?;
        // Nothing may be read before TLS is there to read it.
        below.pause_reading();
        below.set_protocol_cell(ProtocolCell::layer(tls.clone()));
        let (layer, lower) = (tls.clone(), below.clone());
        core.push(Item::Call(Callback::without_context(move || {
            begin_handshake(&layer, lower);
            Ok(())
        })));
        let lower = below.clone();
        core.push(Item::Call(Callback::without_context(move || {
            lower.resume_reading();
            Ok(())
        })));
        wait_or_end(waiter, || below.abort()).await?;
        Ok(TransportRef::new(tls))
    }
}

fn begin_handshake(tls: &Rc<TlsTransport>, below: TransportRef) {
    use crate::asyncio::layer::Layer;
    tls.clone().connection_made(below);
}

impl IntoFuture for StartTls {
    type Output = Result<TransportRef>;
    type IntoFuture = Pin<Box<dyn StdFuture<Output = Result<TransportRef>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.upgrade())
    }
}

impl fmt::Debug for StartTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartTls")
            .field("transport", &self.transport)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Loop {
    /// As [`start_tls`].
    pub fn start_tls(&self, transport: &TransportRef, context: &SslContext) -> StartTls {
        start_tls(transport, context)
    }
}
