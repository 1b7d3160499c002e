//! `open_connection`: a TCP client with streams.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use super::delegated_options::delegated_options;
use super::stream_reader::{DEFAULT_LIMIT, StreamReader};
use super::stream_reader_protocol::StreamReaderProtocol;
use super::stream_writer::StreamWriter;
use crate::asyncio::create_connection::{CreateConnection, create_connection};
use crate::asyncio::resolver::Family;
use crate::asyncio::stream_socket::StreamSocket;
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
use crate::asyncio::tls::SslContext;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::Result;
use crate::nursery::Nursery;

/// Connects to `host` and `port` and gives a reader and a writer: `asyncio.open_connection`. Await the builder; see
/// [`create_connection`](crate::create_connection) for what `host` and `port` mean. The connection is a child of
/// `nursery` until the writer is closed or dropped, or the connection is lost.
///
/// # Cancel safety
///
/// As of [`create_connection`](crate::create_connection).
///
/// # Errors
///
/// Those of [`create_connection`](crate::create_connection), and a [`ValueError`](crate::ValueError) for a limit of 0.
///
/// # Examples
///
/// [`start_server`](crate::start_server) has one.
pub fn open_connection<'n>(nursery: &'n Nursery, host: impl Into<String>, port: u16) -> OpenConnection<'n> {
    OpenConnection { connection: create_connection(nursery, unconnected, host, port), limit: DEFAULT_LIMIT }
}

/// What [`open_connection`] will make; await it.
#[must_use = "nothing is connected until it is awaited"]
pub struct OpenConnection<'n> {
    connection: CreateConnection<'n, StreamReaderProtocol>,
    limit: usize,
}

macro_rules! stream_options {
    () => {
        /// The limit of the reader: the longest line in bytes, and half of what is kept unread. 64 KiB unless set.
        pub fn limit(mut self, limit: usize) -> Self {
            self.limit = limit;
            self
        }
    };
}
#[cfg(unix)]
pub(super) use stream_options;

impl<'n> OpenConnection<'n> {
    stream_options!();

    delegated_options! { connection: CreateConnection:
        family(family: Family);
        sock(socket: impl Into<StreamSocket>);
        local_addr(host: impl Into<String>, port: u16);
        happy_eyeballs_delay(delay: Duration);
        interleave(first_address_family_count: usize);
        all_errors(is_on: bool);
        write_buffer_limits(high: Option<usize>, low: Option<usize>);
        idle_timeout(timeout: Duration);
    }

    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    delegated_options! { connection: CreateConnection:
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

impl<'n> IntoFuture for OpenConnection<'n> {
    type Output = Result<(StreamReader, StreamWriter)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl fmt::Debug for OpenConnection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConnection").field("connection", &self.connection).field("limit", &self.limit).finish()
    }
}

/// Stands where the factory will be once the options are known.
pub(super) fn unconnected() -> StreamReaderProtocol {
    StreamReaderProtocol::new(StreamReader::new())
}

pub(super) fn pair(reader: StreamReader, transport: TransportRef) -> (StreamReader, StreamWriter) {
    let writer = StreamWriter::new(transport, Some(reader.clone()));
    (reader, writer)
}
