//! `connect_accepted_socket`: a protocol for a connection that somebody else has accepted.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use super::client_options::{ClientOptions, client_options};
use super::establish::establish;
use super::protocol_cell::IntoProtocol;
use super::stream_socket::StreamSocket;
use super::tls::ssl_options;
use super::transport_ref::TransportRef;
use crate::error::Result;
use crate::nursery::Nursery;

/// Gives a connected socket a protocol, on the server's side: `loop.connect_accepted_socket`. Await the builder; it
/// gives the transport and the handle of the protocol, after `connection_made`.
///
/// # Cancel safety
///
/// As of [`create_connection`](crate::create_connection).
///
/// # Errors
///
/// A [`ValueError`](crate::ValueError) for a socket that is no stream and for options that make no sense; the error of
/// the factory; [`Closed`](crate::Closed) if the nursery has ended. The socket is closed then.
pub fn connect_accepted_socket<'n, P, F>(
    nursery: &'n Nursery,
    factory: F,
    sock: impl Into<StreamSocket>,
) -> ConnectAcceptedSocket<'n, P>
where
    F: FnOnce() -> P + 'n,
    P: IntoProtocol,
{
    ConnectAcceptedSocket {
        nursery,
        factory: Box::new(move || Ok(factory())),
        sock: sock.into(),
        options: ClientOptions::default(),
    }
}

/// What [`connect_accepted_socket`] will make; await it.
#[must_use = "the socket gets no protocol until it is awaited"]
pub struct ConnectAcceptedSocket<'n, P> {
    nursery: &'n Nursery,
    factory: Box<dyn FnOnce() -> Result<P> + 'n>,
    sock: StreamSocket,
    options: ClientOptions,
}

impl<'n, P: IntoProtocol> ConnectAcceptedSocket<'n, P> {
    client_options!();
    ssl_options!();

    async fn make(self) -> Result<(TransportRef, P::Handle)> {
        self.options.check()?;
        let tls = self.options.ssl.server(self.options.write_buffer_limits)?;
        establish(self.nursery, self.sock.register()?, self.factory, &self.options, tls).await
    }
}

impl<'n, P: IntoProtocol> IntoFuture for ConnectAcceptedSocket<'n, P> {
    type Output = Result<(TransportRef, P::Handle)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl<P> fmt::Debug for ConnectAcceptedSocket<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectAcceptedSocket").field("options", &self.options).finish_non_exhaustive()
    }
}
