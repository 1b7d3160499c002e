//! `StreamWriter::start_tls`: TLS on streams that have begun without.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use super::delegated_options::delegated_options;
use super::stream_reader::StreamReader;
use super::stream_writer::StreamWriter;
use crate::asyncio::tls::{SslContext, StartTls, start_tls};
use crate::error::Result;

impl StreamWriter {
    /// Upgrades the connection to TLS: `writer.start_tls`. Await the builder. Reader and writer stay; what they read and
    /// write from then on goes over TLS, on the server's side if the streams are those of a
    /// [`start_server`](crate::start_server).
    ///
    /// What was written before goes out first, in plain. Bytes that the reader holds unread by then are taken for the
    /// beginning of the handshake; asyncio loses them. No read may wait meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the handshake is done, the connection is aborted.
    ///
    /// # Errors
    ///
    /// Those of [`drain`](StreamWriter::drain), and those of [`start_tls`](crate::start_tls).
    pub fn start_tls(&self, context: &SslContext) -> WriterStartTls<'_> {
        let (_, is_server_side) = self.upgrade_parts();
        WriterStartTls { writer: self, upgrade: start_tls(&self.transport(), context).server_side(is_server_side) }
    }
}

/// What [`StreamWriter::start_tls`] will do; await it.
#[must_use = "nothing is upgraded until it is awaited"]
pub struct WriterStartTls<'w> {
    writer: &'w StreamWriter,
    upgrade: StartTls,
}

impl<'w> WriterStartTls<'w> {
    delegated_options! { upgrade: StartTls:
        server_side(is_on: bool);
        server_hostname(name: impl Into<String>);
        ssl_handshake_timeout(timeout: Duration);
        ssl_shutdown_timeout(timeout: Duration);
    }

    async fn make(self) -> Result<()> {
        self.writer.drain().await?;
        let (reader, _) = self.writer.upgrade_parts();
        let leftover = reader.map(StreamReader::take_leftover).unwrap_or_default();
        // The first poll lays TLS on the transport, so nothing comes in between.
        let transport = self.upgrade.leftover(leftover).await?;
        self.writer.replace_transport(transport);
        Ok(())
    }
}

impl<'w> IntoFuture for WriterStartTls<'w> {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>> + 'w>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl fmt::Debug for WriterStartTls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterStartTls").field("upgrade", &self.upgrade).finish_non_exhaustive()
    }
}
