//! From a connected socket to a protocol whose `connection_made` has run.

use std::rc::Rc;

use super::acceptor::ConnectionOptions;
use super::future::Future;
use super::loop_state::LoopState;
use super::protocol_cell::{IntoProtocol, ProtocolCell};
use super::stream_socket::Connected;
use super::stream_transport::StreamTransport;
use super::transport_ref::TransportRef;
use crate::error::Result;
use crate::nursery::{Closed, Nursery};
use crate::runtime::{Callback, Core, Item};

/// Makes the protocol and gives it the socket. Returns after `connection_made` and before the first `data_received`,
/// as asyncio does; cancelled before, it closes the connection.
pub(super) async fn establish<P: IntoProtocol>(
    nursery: &Nursery,
    socket: Connected,
    factory: impl FnOnce() -> Result<P>,
    options: &ConnectionOptions,
) -> Result<(TransportRef, P::Handle)> {
    let (cell, handle) = factory()?.into_protocol();
    let transport = connect(nursery, socket, cell, options)?;
    made(nursery.core(), &transport).await?;
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

/// Waits for what stands in the queue before it: the third of asyncio's calls, after `connection_made` and the first
/// look at the socket.
async fn made(core: &Rc<Core>, transport: &TransportRef) -> Result<()> {
    let waiter = Future::new(core);
    let made = waiter.clone();
    core.push(Item::Call(Callback::new(move || Ok(made.set_result(())?), None)));
    let mut close_unless_made = CloseUnlessMade { transport: Some(transport) };
    waiter.await?;
    close_unless_made.transport = None;
    Ok(())
}

/// Closes a connection that nobody waits for any more.
pub(super) struct CloseUnlessMade<'a> {
    pub(super) transport: Option<&'a TransportRef>,
}

impl Drop for CloseUnlessMade<'_> {
    fn drop(&mut self) {
        if let Some(transport) = self.transport {
            transport.close();
        }
    }
}
