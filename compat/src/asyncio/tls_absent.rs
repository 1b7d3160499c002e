//! Stands in for TLS where neither of its features is on.

use std::rc::Rc;

use super::future::Future;
use super::loop_state::LoopState;
use super::protocol_cell::ProtocolCell;
use super::transport_ref::TransportRef;
use crate::error::Result;

/// There are none.
pub(super) enum TlsParameters {}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SslOptions {}

type Limits = Option<(Option<usize>, Option<usize>)>;

impl SslOptions {
    pub(super) fn client(self, _host: Option<&str>, _limits: Limits) -> Result<Option<Rc<TlsParameters>>> {
        Ok(None)
    }

    pub(super) fn server(self, _limits: Limits) -> Result<Option<Rc<TlsParameters>>> {
        Ok(None)
    }
}

pub(super) struct Laid {
    pub(super) layer: ProtocolCell,
    pub(super) transport: TransportRef,
}

pub(super) fn lay(
    _lp: &Rc<LoopState>,
    _protocol: ProtocolCell,
    parameters: &Rc<TlsParameters>,
    _waiter: Option<Future<()>>,
) -> Result<Laid> {
    match **parameters {}
}

macro_rules! ssl_options {
    () => {};
}
pub(super) use {ssl_options, ssl_options as ssl_client_options};
