//! TLS over any transport.
//!
//! ```text
//!   program's protocol <── TlsTransport ──> transport below ──> socket
//!                              │
//!                           Session ── rustls
//! ```
//!
//! [`TlsTransport`] is asyncio's `SSLProtocol` and `_SSLProtocolTransport` in one: a layer on the transport below, and
//! the transport of the program's protocol. rustls is named in `session.rs` for a connection, in `context.rs`,
//! `verifier.rs`, `client_verifier.rs` and `provider.rs` for its settings, and in `ssl_error.rs` for its words.

mod client_verifier;
mod context;
mod parameters;
mod plain_buffer;
mod provider;
mod session;
mod ssl_error;
mod ssl_object;
mod start_tls;
mod transport;
mod verifier;

use std::rc::Rc;

use super::future::Future;
use super::loop_state::LoopState;
use super::protocol_cell::ProtocolCell;
use super::transport_ref::TransportRef;
use crate::error::Result;

pub use context::{ClientHello, SslContext, SslContextBuilder, TlsVersion, VerifyMode};
pub(super) use parameters::{SslOptions, TlsParameters};
pub use provider::SslProvider;
pub use ssl_error::SslError;
pub use ssl_object::{Cipher, PeerCertificate, SslObject};
pub use start_tls::{StartTls, start_tls};
use transport::{Begin, TlsTransport};

/// A protocol behind TLS: what the transport below calls, and what the protocol writes to.
pub(super) struct Laid {
    pub(super) layer: ProtocolCell,
    pub(super) transport: TransportRef,
}

/// Lays TLS between a protocol and the transport that it will get. `waiter` is resolved when the protocol was made, or
/// given what the handshake failed with.
pub(super) fn lay(
    lp: &Rc<LoopState>,
    protocol: ProtocolCell,
    parameters: &Rc<TlsParameters>,
    waiter: Option<Future<()>>,
) -> Result<Laid> {
    let begin = Begin { calls_made: true, was_made: false, is_writing_paused: false, leftover: Vec::new() };
    let tls = TlsTransport::new(lp, protocol, parameters, waiter, begin)?;
    Ok(Laid { layer: ProtocolCell::layer(tls.clone()), transport: TransportRef::new(tls) })
}

/// Methods of builders: asyncio's `ssl`, `ssl_handshake_timeout` and `ssl_shutdown_timeout`.
macro_rules! ssl_options {
    () => {
        /// Speaks TLS with the certificates and settings of this context. Off unless set.
        pub fn ssl(mut self, context: &crate::asyncio::SslContext) -> Self {
            self.options.ssl.context = Some(context.clone());
            self
        }

        /// Ends a connection whose handshake takes longer: 60 s unless set. Only with `ssl`.
        pub fn ssl_handshake_timeout(mut self, timeout: Duration) -> Self {
            self.options.ssl.handshake_timeout = Some(timeout);
            self
        }

        /// Ends a connection that takes longer to send what is left and to see the peer's close_notify after `close`: 30 s
        /// unless set. Only with `ssl`.
        pub fn ssl_shutdown_timeout(mut self, timeout: Duration) -> Self {
            self.options.ssl.shutdown_timeout = Some(timeout);
            self
        }
    };
}
pub(super) use ssl_options;

/// Methods of the builders of clients.
macro_rules! ssl_client_options {
    () => {
        crate::asyncio::tls::ssl_options!();

        /// The name that the certificate of the server has to bear, where it is not the host that was connected to.
        /// Empty for none, if the context does not check it. Only with `ssl`.
        pub fn server_hostname(mut self, name: impl Into<String>) -> Self {
            self.options.ssl.server_hostname = Some(name.into());
            self
        }
    };
}
pub(super) use ssl_client_options;
