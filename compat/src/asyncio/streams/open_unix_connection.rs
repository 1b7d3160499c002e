//! `open_unix_connection`: a client on a Unix socket with streams.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use super::delegated_options::delegated_options;
use super::open_connection::{pair, stream_options, unconnected};
use super::stream_reader::{DEFAULT_LIMIT, StreamReader};
use super::stream_reader_protocol::StreamReaderProtocol;
use super::stream_writer::StreamWriter;
use crate::asyncio::create_unix_connection::{CreateUnixConnection, create_unix_connection};
use crate::asyncio::stream_socket::StreamSocket;
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
use crate::asyncio::tls::SslContext;
use crate::error::Result;
use crate::nursery::Nursery;

/// As [`open_connection`](crate::open_connection), to the Unix socket at `path`: `asyncio.open_unix_connection`.
///
/// # Cancel safety
///
/// As of [`create_connection`](crate::create_connection).
///
/// # Errors
///
/// Those of [`create_unix_connection`](crate::create_unix_connection), and a [`ValueError`](crate::ValueError) for a
/// limit of 0.
pub fn open_unix_connection<'n>(nursery: &'n Nursery, path: impl Into<PathBuf>) -> OpenUnixConnection<'n> {
    OpenUnixConnection { connection: create_unix_connection(nursery, unconnected, path), limit: DEFAULT_LIMIT }
}

/// What [`open_unix_connection`] will make; await it.
#[must_use = "nothing is connected until it is awaited"]
pub struct OpenUnixConnection<'n> {
    connection: CreateUnixConnection<'n, StreamReaderProtocol>,
    limit: usize,
}

impl<'n> OpenUnixConnection<'n> {
    stream_options!();

    delegated_options! { connection: CreateUnixConnection:
        sock(socket: impl Into<StreamSocket>);
        write_buffer_limits(high: Option<usize>, low: Option<usize>);
        idle_timeout(timeout: Duration);
    }

    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    delegated_options! { connection: CreateUnixConnection:
        ssl(context: &SslContext);
        server_hostname(name: impl Into<String>);
        ssl_handshake_timeout(timeout: Duration);
        ssl_shutdown_timeout(timeout: Duration);
    }

    async fn make(self) -> Result<(StreamReader, StreamWriter)> {
        let reader = StreamReader::with_limit(self.limit)?;
        let protocol = StreamReaderProtocol::new(reader.clone());
        let (transport, _) = self.connection.try_factory(|| Ok(protocol)).await?;
        Ok(pair(reader, transport))
    }
}

impl<'n> IntoFuture for OpenUnixConnection<'n> {
    type Output = Result<(StreamReader, StreamWriter)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl fmt::Debug for OpenUnixConnection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenUnixConnection").field("connection", &self.connection).field("limit", &self.limit).finish()
    }
}
