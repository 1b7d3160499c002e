//! `start_server`: a TCP server whose clients are served with streams.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use super::client_task::{ClientOptions, client_factory};
use super::delegated_options::delegated_options;
use super::stream_reader::StreamReader;
use super::stream_writer::StreamWriter;
use crate::asyncio::create_server::{Bind, CreateServer, Hosts};
use crate::asyncio::resolver::Family;
use crate::asyncio::server::Server;
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
use crate::asyncio::tls::SslContext;
use crate::error::Result;
use crate::nursery::{Nursery, Outcome};

/// Makes a TCP server in `nursery` that calls `client_connected_cb` with a reader and a writer for each client:
/// `asyncio.start_server`. Await the builder. For what `host` and `port` mean see
/// [`create_server`](crate::create_server).
///
/// Each call is a task, a child of `nursery`. It is not cancelled when its connection is lost, as in asyncio: it goes
/// on until a read or a [`drain`](StreamWriter::drain) tells it, and until then `max_connections` does not count it.
/// [`cancel_on_lost`](StartServer::cancel_on_lost) says otherwise. When the nursery is cancelled, so are the tasks and
/// the connections.
///
/// An error or a panic of the task is reported as `Unhandled exception in client_connected_cb` and closes the
/// transport; a [`CancelledError`](crate::CancelledError) only closes it. Differs from asyncio: a task that ends well
/// and has kept no clone of its writer has closed the transport, too, which would otherwise stay open for ever.
///
/// # Errors
///
/// Those of [`create_server`](crate::create_server), and a [`ValueError`](crate::ValueError) for a limit of 0.
///
/// # Examples
///
/// ```
/// use foster_compat::{Address, StreamReader, StreamWriter, open_connection, open_nursery, run, start_server};
///
/// async fn shout(reader: StreamReader, writer: StreamWriter) -> foster_compat::Result<()> {
///     let mut lines = reader.lines();
///     while let Some(line) = lines.next().await {
///         writer.write(line?.to_ascii_uppercase())?;
///         writer.drain().await?;
///     }
///     Ok(())
/// }
///
/// run(async {
///     open_nursery(async |nursery| {
///         let server = start_server(&nursery, shout, "127.0.0.1", 0).limit(4096).await?;
///         let port = server.sockets()[0].getsockname()?.port().unwrap_or(0);
///         let (reader, writer) = open_connection(&nursery, "127.0.0.1", port).await?;
///         writer.write(b"hello\n")?;
///         assert_eq!(reader.readline().await?, b"HELLO\n");
///         writer.close();
///         server.close();
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn start_server<C, R>(
    nursery: &Nursery,
    client_connected_cb: C,
    host: impl Into<Hosts>,
    port: u16,
) -> StartServer<'_>
where
    C: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: Outcome,
{
    let clients = Rc::default();
    let factory = client_factory(nursery, client_connected_cb, &clients);
    StartServer { server: CreateServer::new(nursery, Box::new(factory), Bind::At(host.into(), port)), clients }
}

/// What [`start_server`] will make; await it.
#[must_use = "no server is made until it is awaited"]
pub struct StartServer<'n> {
    server: CreateServer<'n>,
    clients: Rc<Cell<ClientOptions>>,
}

macro_rules! stream_server_options {
    () => {
        /// The limit of the readers: the longest line in bytes, and half of what is kept unread. 64 KiB unless set.
        pub fn limit(self, limit: usize) -> Self {
            self.clients.set(ClientOptions { limit, ..self.clients.get() });
            self
        }

        /// Whether the task of a client is cancelled when its connection is lost. Off unless set: asyncio lets it go
        /// on. Not in asyncio.
        pub fn cancel_on_lost(self, is_on: bool) -> Self {
            self.clients.set(ClientOptions { cancel_on_lost: is_on, ..self.clients.get() });
            self
        }

        /// Whether an error or panic of a client's task, other than an `io::Error`, also ends the nursery, which
        /// gives it. Off unless set: asyncio reports it and goes on.
        pub fn strict(mut self, is_on: bool) -> Self {
            self.clients.set(ClientOptions { is_strict: is_on, ..self.clients.get() });
            self.server = self.server.strict(is_on);
            self
        }
    };
}
#[cfg(unix)]
pub(super) use stream_server_options;

impl StartServer<'_> {
    stream_server_options!();

    delegated_options! { server: CreateServer:
        backlog(backlog: u32);
        start_serving(is_on: bool);
        max_connections(limit: usize);
        write_buffer_limits(high: Option<usize>, low: Option<usize>);
        idle_timeout(timeout: Duration);
        family(family: Family);
        sock(socket: std::net::TcpListener);
        reuse_address(is_on: bool);
        reuse_port(is_on: bool);
        keep_alive(is_on: bool);
    }

    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    delegated_options! { server: CreateServer:
        ssl(context: &SslContext);
        ssl_handshake_timeout(timeout: Duration);
        ssl_shutdown_timeout(timeout: Duration);
    }
}

impl<'n> IntoFuture for StartServer<'n> {
    type Output = Result<Server>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Server>> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.clients.get().check()?;
            self.server.await
        })
    }
}

impl fmt::Debug for StartServer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartServer").field("server", &self.server).field("clients", &self.clients.get()).finish()
    }
}
