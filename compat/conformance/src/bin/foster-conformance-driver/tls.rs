//! TLS: the contexts, and changing to it on an open connection.

use std::rc::Rc;
use std::time::Duration;

use foster_compat::{Result, SslContext, VerifyMode, start_tls};
use serde_json::Value;

use crate::options::Options;
use crate::params::Params;
use crate::performer::Performer;
use crate::session::Session;
use crate::transport_action::python_bool;

/// How long the two ends of TLS may take, if a scenario says so.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TlsTimeouts {
    pub(crate) handshake: Option<Duration>,
    pub(crate) shutdown: Option<Duration>,
}

/// Gives a builder the timeouts that are there.
macro_rules! with_timeouts {
    ($builder:expr, $timeouts:expr) => {{
        let (mut builder, timeouts): (_, crate::tls::TlsTimeouts) = ($builder, $timeouts);
        if let Some(timeout) = timeouts.handshake {
            builder = builder.ssl_handshake_timeout(timeout);
        }
        if let Some(timeout) = timeouts.shutdown {
            builder = builder.ssl_shutdown_timeout(timeout);
        }
        builder
    }};
}
pub(crate) use with_timeouts;

/// The server's side, with the certificate that the runner gave.
pub(crate) fn server_context(params: &Params) -> Result<SslContext> {
    SslContext::server().load_cert_chain(&params.certificate, &params.key).build()
}

/// The client's side. It does not look at the name of the host, and at the certificate only if it is to verify it.
pub(crate) fn client_context(verifies: bool) -> Result<SslContext> {
    let mode = if verifies { VerifyMode::Required } else { VerifyMode::None };
    SslContext::client().check_hostname(false).verify_mode(mode).build()
}

/// The options of `start_tls`.
#[derive(Debug)]
pub(crate) struct StartTlsOptions {
    is_server_side: bool,
    timeouts: TlsTimeouts,
}

impl StartTlsOptions {
    pub(crate) fn parse(options: Option<&Value>) -> Result<Self, String> {
        let Some(options) = options else {
            return Ok(StartTlsOptions { is_server_side: true, timeouts: TlsTimeouts::default() });
        };
        let options = Options::parse("start_tls", options, &["server_side", "handshake_timeout", "shutdown_timeout"])?;
        let timeouts = TlsTimeouts {
            handshake: options.seconds("handshake_timeout")?,
            shutdown: options.seconds("shutdown_timeout")?,
        };
        Ok(StartTlsOptions { is_server_side: options.flag("server_side", true)?, timeouts })
    }

    /// Changes to TLS; from now on the protocol acts on the new transport.
    pub(crate) async fn perform(&self, by: &Performer) -> Result<()> {
        let session: &Rc<Session> = by.session();
        let Some(actor) = by.actor() else { session.refuse("start_tls is for protocols") };
        let context = match self.is_server_side {
            true => server_context(&session.message().params)?,
            false => client_context(false)?,
        };
        let old = by.stream();
        let change = start_tls(&old, &context).server_side(self.is_server_side);
        let new = with_timeouts!(change, self.timeouts).await?;
        actor.change_transport(new.clone());
        let (is_new, has_tls) = (python_bool(new != old), python_bool(new.ssl_object().is_some()));
        by.say(&format!("start_tls returned new={is_new} ssl={has_tls}"));
        Ok(())
    }
}
