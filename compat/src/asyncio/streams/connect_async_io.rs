//! `connect_async_io`: a protocol over anything that can be read and written.

use std::cell::OnceCell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::async_io_stream::AsyncIoStream;
use crate::asyncio::acceptor::ConnectionOptions;
use crate::asyncio::client_options::{ClientOptions, client_options};
use crate::asyncio::establish::establish_over;
use crate::asyncio::loop_state::LoopState;
use crate::asyncio::protocol_cell::IntoProtocol;
use crate::asyncio::stream_transport::StreamTransport;
use crate::asyncio::tls::ssl_client_options;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::Result;
use crate::nursery::Nursery;

/// Gives any `AsyncRead + AsyncWrite` stream a protocol: a pipe in memory, a channel of an SSH connection, another
/// library's TLS. Await the builder; it gives the transport and the handle of the protocol, after `connection_made`.
/// Not in asyncio. [`AsyncIo`](crate::AsyncIo) is the way there.
///
/// The transport behaves as one on a socket: order, flow control, half-close, errors. It has no `"peername"`,
/// `"sockname"` and no socket's options; [`set_extra_info`](crate::BaseTransport::set_extra_info) can say what is
/// known. `write_eof` shuts the stream down. `close` does so as far as that takes no wait, and drops it; `abort` only drops
/// it. What the stream keeps in a buffer of its own is flushed after each write, and counts as unsent
/// until it is, by a single byte. A panic of the stream is its error.
///
/// # Cancel safety
///
/// Dropped before it is done, it closes the stream; there is a `connection_lost` if there was a `connection_made`.
///
/// # Errors
///
/// The error of the factory; a [`ValueError`](crate::ValueError) for options that make no sense;
/// [`Closed`](crate::Closed) if the nursery has ended.
///
/// # Examples
///
/// ```
/// use foster_compat::{Protocol, Result, TransportRef, connect_async_io, open_nursery, run};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// #[derive(Default)]
/// struct Echo {
///     transport: TransportRef,
/// }
///
/// impl Protocol for Echo {
///     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
///         self.transport = transport;
///         Ok(())
///     }
///
///     fn data_received(&mut self, data: &[u8]) -> Result<()> {
///         self.transport.write(data)
///     }
/// }
///
/// run(async {
///     open_nursery(async |nursery| {
///         let (mut near, far) = tokio::io::duplex(4096);
///         connect_async_io(&nursery, Echo::default, far).await?;
///         near.write_all(b"hello").await?;
///         near.shutdown().await?;
///         let mut answer = String::new();
///         near.read_to_string(&mut answer).await?;
///         assert_eq!(answer, "hello");
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn connect_async_io<'n, P, F, T>(nursery: &'n Nursery, factory: F, io: T) -> ConnectAsyncIo<'n, P, T>
where
    F: FnOnce() -> P + 'n,
    P: IntoProtocol,
    T: AsyncRead + AsyncWrite + 'static,
{
    ConnectAsyncIo { nursery, factory: Box::new(move || Ok(factory())), io, options: ClientOptions::default() }
}

/// What [`connect_async_io`] will make; await it.
#[must_use = "the stream gets no protocol until it is awaited"]
pub struct ConnectAsyncIo<'n, P, T> {
    nursery: &'n Nursery,
    factory: Box<dyn FnOnce() -> Result<P> + 'n>,
    io: T,
    options: ClientOptions,
}

impl<'n, P, T> ConnectAsyncIo<'n, P, T>
where
    P: IntoProtocol,
    T: AsyncRead + AsyncWrite + 'static,
{
    client_options!();
    ssl_client_options!();

    async fn make(self) -> Result<(TransportRef, P::Handle)> {
        self.options.check()?;
        let tls = self.options.ssl.client(None, self.options.write_buffer_limits)?;
        let (nursery, io) = (self.nursery, self.io);
        let connect = |cell, options: &ConnectionOptions| {
            let lp = LoopState::of(nursery.core());
            let connection = Rc::new(OnceCell::new());
            let stream = AsyncIoStream::new(io, connection.clone());
            let transport = TransportRef::new(StreamTransport::connected(&lp, nursery, cell, options, stream)?);
            Ok(connection.get_or_init(|| transport).clone())
        };
        establish_over(nursery, connect, self.factory, &self.options, tls).await
    }
}

impl<'n, P, T> IntoFuture for ConnectAsyncIo<'n, P, T>
where
    P: IntoProtocol,
    T: AsyncRead + AsyncWrite + 'static,
{
    type Output = Result<(TransportRef, P::Handle)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl<P, T> fmt::Debug for ConnectAsyncIo<'_, P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectAsyncIo").field("options", &self.options).finish_non_exhaustive()
    }
}
