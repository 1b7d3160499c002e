//! [`AsyncIo`]: a transport as any library of the tokio family takes it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::stream_reader::StreamReader;
use super::stream_writer::StreamWriter;

/// A reader and a writer as one stream with tokio's `AsyncRead`, `AsyncBufRead` and `AsyncWrite`: what codecs, TLS and
/// HTTP libraries run over. Not in asyncio. [`connect_async_io`](crate::connect_async_io) is the way back.
///
/// Dropping it closes the transport, unless a clone of the writer lives elsewhere.
///
/// # Examples
///
/// ```
/// use foster_compat::{AsyncIo, open_connection, open_nursery, run, start_server};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// run(async {
///     open_nursery(async |nursery| {
///         let server = start_server(&nursery, async |reader, writer| {
///             let mut io = AsyncIo::new(reader, writer);
///             let n = io.read_u16().await?;
///             io.write_u16(n + 1).await?;
///             Ok(())
///         }, "127.0.0.1", 0).await?;
///         let port = server.sockets()[0].getsockname()?.port().unwrap_or(0);
///         let (reader, writer) = open_connection(&nursery, "127.0.0.1", port).await?;
///         let mut io = AsyncIo::new(reader, writer);
///         io.write_u16(41).await?;
///         assert_eq!(io.read_u16().await?, 42);
///         server.close();
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
#[derive(Debug)]
pub struct AsyncIo {
    reader: StreamReader,
    writer: StreamWriter,
}

impl AsyncIo {
    /// Joins the two ends of a connection.
    pub fn new(reader: StreamReader, writer: StreamWriter) -> Self {
        AsyncIo { reader, writer }
    }

    /// The reading end.
    pub fn reader(&self) -> &StreamReader {
        &self.reader
    }

    /// The writing end.
    pub fn writer(&self) -> &StreamWriter {
        &self.writer
    }

    /// Takes the two apart; nothing that is unread is lost.
    pub fn into_parts(self) -> (StreamReader, StreamWriter) {
        (self.reader, self.writer)
    }
}

impl AsyncRead for AsyncIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }
}

impl AsyncBufRead for AsyncIo {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().reader).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        Pin::new(&mut self.reader).consume(n);
    }
}

impl AsyncWrite for AsyncIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }
}
