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
use crate::runtime::{Callback, Core, Item};

/// Makes the protocol and gives it the socket. Returns after `connection_made` and before the first `data_received`,
/// as asyncio does; cancelled before, it closes the connection.
pub(super) async fn establish<P: IntoProtocol>(
    nursery: &Nursery,
    socket: Connected,
    factory: impl FnOnce() -> Result<P>,
    options: &ClientOptions,
    tls: Option<Rc<TlsParameters>>,
) -> Result<(TransportRef, P::Handle)> {
    let connect = |cell, options: &ConnectionOptions| connect(nursery, socket, cell, options);
    establish_over(nursery, connect, factory, options, tls).await
}

/// As [`establish`], where `connect` puts what it has under a transport.
pub(super) async fn establish_over<P: IntoProtocol>(
    nursery: &Nursery,
    connect: impl FnOnce(ProtocolCell, &ConnectionOptions) -> Result<TransportRef, Closed>,
    factory: impl FnOnce() -> Result<P>,
    options: &ClientOptions,
    tls: Option<Rc<TlsParameters>>,
) -> Result<(TransportRef, P::Handle)> {
    let (cell, handle) = factory()?.into_protocol();
    let core = nursery.core();
    let transport = match tls {
        Some(parameters) => {
            let waiter = Future::new(core);
            let laid = tls::lay(&LoopState::of(core), cell, &parameters, Some(waiter.clone()))?;
            let below = connect(laid.layer, &options.below_tls())?;
            wait_or_end(waiter, || below.abort()).await?;
            laid.transport
        }
        None => {
            let transport = connect(cell, &options.check()?)?;
            made(core, || transport.close()).await?;
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

/// Waits for what stands in the queue before it: the third of asyncio's calls, after `connection_made` and the first
/// look at the socket.
///
/// # Cancel safety
///
/// Dropped before, it calls `end`.
pub(super) async fn made(core: &Rc<Core>, end: impl Fn()) -> Result<()> {
    let waiter = Future::new(core);
    let made = waiter.clone();
    core.push(Item::Call(Callback::without_context(move || Ok(made.set_result(())?))));
    wait_or_end(waiter, end).await
}

/// Waits, and calls `end` if the wait fails or is dropped: nobody will have the connection.
pub(super) async fn wait_or_end(waiter: Future<()>, end: impl Fn()) -> Result<()> {
    let mut end_unless_made = EndUnlessMade { end: Some(end) };
    waiter.await?;
    end_unless_made.end = None;
    Ok(())
}

struct EndUnlessMade<F: Fn()> {
    end: Option<F>,
}

impl<F: Fn()> Drop for EndUnlessMade<F> {
    fn drop(&mut self) {
        if let Some(end) = &self.end {
            end();
        }
    }
}
