//! From a connected socket to a protocol whose `connection_made` has run.

use std::rc::Rc;

use super::acceptor::ConnectionOptions;
use super::client_options::ClientOptions;
use super::future::Future;
use super::loop_state::LoopState;
use super::protocol_cell::{IntoProtocol, ProtocolCell};
use super::stream_socket::Connected;
use super::stream_transport::StreamTransport;
use super::tls::{self, TlsParameters};
use super::transport_ref::TransportRef;
use crate::error::Result;
use crate::nursery::{Closed, Nursery};
use crate::runtime::{Callback, Item};

/// Makes the protocol and gives it the socket. Returns after `connection_made` and before the first `data_received`,
/// as asyncio does; cancelled before, it closes the connection.
pub(super) async fn establish<P: IntoProtocol>(
    nursery: &Nursery,
    socket: Connected,
    factory: impl FnOnce() -> Result<P>,
    options: &ClientOptions,
    tls: Option<Rc<TlsParameters>>,
) -> Result<(TransportRef, P::Handle)> {
    let (cell, handle) = factory()?.into_protocol();
    let core = nursery.core();
    let waiter = Future::new(core);
    let transport = match tls {
        Some(parameters) => {
            let laid = tls::lay(&LoopState::of(core), cell, &parameters, Some(waiter.clone()))?;
            let below = connect(nursery, socket, laid.layer, &options.below_tls())?;
            let end = EndUnlessMade::abort(&below);
            waiter.await?;
            end.defuse();
            laid.transport
        }
        None => {
            let transport = connect(nursery, socket, cell, &options.check()?)?;
            // The third of asyncio's calls, after `connection_made` and the first look at the socket.
            let made = waiter.clone();
            core.push(Item::Call(Callback::new(move || Ok(made.set_result(())?), None)));
            let end = EndUnlessMade::close(&transport);
            waiter.await?;
            end.defuse();
            transport
        }
    };
    Ok((transport, handle))
}

/// Puts a connected socket under a transport; `connection_made` comes in the next turn.
pub(super) fn connect(
    nursery: &Nursery,
    socket: Connected,
    protocol: ProtocolCell,
    options: &ConnectionOptions,
) -> Result<TransportRef, Closed> {
    let lp = LoopState::of(nursery.core());
    Ok(match socket {
        Connected::Tcp(stream) => {
            TransportRef::new(StreamTransport::connected(&lp, nursery, protocol, options, stream)?)
        }
        #[cfg(unix)]
        Connected::Unix(stream) => {
            TransportRef::new(StreamTransport::connected(&lp, nursery, protocol, options, stream)?)
        }
    })
}

/// Ends a connection that nobody waits for any more.
pub(super) struct EndUnlessMade {
    transport: Option<TransportRef>,
    is_abort: bool,
}

impl EndUnlessMade {
    pub(super) fn close(transport: &TransportRef) -> Self {
        EndUnlessMade { transport: Some(transport.clone()), is_abort: false }
    }

    pub(super) fn abort(transport: &TransportRef) -> Self {
        EndUnlessMade { transport: Some(transport.clone()), is_abort: true }
    }

    pub(super) fn defuse(mut self) {
        self.transport = None;
    }
}

impl Drop for EndUnlessMade {
    fn drop(&mut self) {
        match &self.transport {
            Some(transport) if self.is_abort => transport.abort(),
            Some(transport) => transport.close(),
            None => {}
        }
    }
}
