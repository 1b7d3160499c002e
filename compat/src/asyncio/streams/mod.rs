//! asyncio's streams: a connection as a reader and a writer, for tasks that wait.
//!
//! ```text
//!  socket ──> transport ──> StreamReaderProtocol ──feed──> StreamReader ──> task
//!    └─────<───── transport <───────────write───────────── StreamWriter <────┘
//! ```
//!
//! A [`StreamReader`] and its clones share one `ReaderState`: the buffer, and the one task that may wait for it. Above
//! twice the limit it pauses the transport, and resumes it at the limit or when somebody waits.
//!
//! [`AsyncIo`] and `connect_async_io` are the doors to and from the libraries of the tokio family.

mod async_io;
mod async_io_stream;
mod client_task;
mod connect_async_io;
mod delegated_options;
mod lines;
mod open_connection;
#[cfg(unix)]
mod open_unix_connection;
mod read_buffer;
mod read_error;
mod reader_state;
mod start_server;
#[cfg(unix)]
mod start_unix_server;
mod stream_reader;
mod stream_reader_protocol;
mod stream_writer;
mod tokio_traits;
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
mod writer_start_tls;

pub use async_io::AsyncIo;
pub use connect_async_io::{ConnectAsyncIo, connect_async_io};
pub use lines::Lines;
pub use open_connection::{OpenConnection, open_connection};
#[cfg(unix)]
pub use open_unix_connection::{OpenUnixConnection, open_unix_connection};
pub use read_error::{IncompleteReadError, LimitOverrunError};
pub use start_server::{StartServer, start_server};
#[cfg(unix)]
pub use start_unix_server::{StartUnixServer, start_unix_server};
pub use stream_reader::StreamReader;
#[cfg(unix)]
pub(super) use stream_reader::{DEFAULT_LIMIT, WeakReader};
pub use stream_reader_protocol::StreamReaderProtocol;
pub use stream_writer::StreamWriter;
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
pub use writer_start_tls::WriterStartTls;
