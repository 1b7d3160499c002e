//! `start_unix_server`: a server on a Unix socket whose clients are served with streams.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use super::client_task::{ClientOptions, client_factory};
use super::delegated_options::delegated_options;
use super::start_server::stream_server_options;
use super::stream_reader::StreamReader;
use super::stream_writer::StreamWriter;
use crate::asyncio::create_unix_server::CreateUnixServer;
use crate::asyncio::server::Server;
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
use crate::asyncio::tls::SslContext;
use crate::error::Result;
use crate::nursery::{Nursery, Outcome};

/// As [`start_server`](crate::start_server), on a Unix socket: `asyncio.start_unix_server`. For what `path` means see
/// [`create_unix_server`](crate::create_unix_server).
///
/// # Errors
///
/// Those of [`create_unix_server`](crate::create_unix_server), and a [`ValueError`](crate::ValueError) for a limit of 0.
pub fn start_unix_server<C, R>(
    nursery: &Nursery,
    client_connected_cb: C,
    path: impl Into<PathBuf>,
) -> StartUnixServer<'_>
where
    C: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: Outcome,
{
    let clients = Rc::default();
    let factory = client_factory(nursery, client_connected_cb, &clients);
    StartUnixServer { server: CreateUnixServer::new(nursery, Box::new(factory), path.into()), clients }
}

/// What [`start_unix_server`] will make; await it.
#[must_use = "no server is made until it is awaited"]
pub struct StartUnixServer<'n> {
    server: CreateUnixServer<'n>,
    clients: Rc<Cell<ClientOptions>>,
}

impl StartUnixServer<'_> {
    stream_server_options!();

    delegated_options! { server: CreateUnixServer:
        backlog(backlog: u32);
        start_serving(is_on: bool);
        max_connections(limit: usize);
        write_buffer_limits(high: Option<usize>, low: Option<usize>);
        idle_timeout(timeout: Duration);
        sock(socket: std::os::unix::net::UnixListener);
        cleanup_socket(is_on: bool);
    }

    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    delegated_options! { server: CreateUnixServer:
        ssl(context: &SslContext);
        ssl_handshake_timeout(timeout: Duration);
        ssl_shutdown_timeout(timeout: Duration);
    }
}

impl<'n> IntoFuture for StartUnixServer<'n> {
    type Output = Result<Server>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Server>> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            self.clients.get().check()?;
            self.server.await
        })
    }
}

impl fmt::Debug for StartUnixServer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartUnixServer").field("clients", &self.clients.get()).finish_non_exhaustive()
    }
}
