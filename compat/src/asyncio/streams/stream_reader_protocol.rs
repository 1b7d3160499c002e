//! [`StreamReaderProtocol`]: the protocol that feeds a [`StreamReader`].

use std::fmt;

use super::stream_reader::StreamReader;
use super::stream_writer::StreamWriter;
use crate::asyncio::protocol::Protocol;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::{Error, Result};
use crate::nursery::Outcome;

/// Feeds a [`StreamReader`] with what its transport receives: `asyncio.StreamReaderProtocol`.
///
/// A protocol that is one with additions, a subclass in Python, has one as a field and hands the callbacks on. The
/// writer of its connection is `StreamWriter::new(transport, Some(reader))`.
///
/// The end of the stream leaves the writing side open, except over TLS, which cannot. Differs from asyncio: the
/// protocol keeps its reader alive, so what comes for one that nobody reads pauses the transport and is not thrown
/// away. [`StreamWriter::drain`] asks the transport, so there is nothing to hand on in `pause_writing` and
/// `resume_writing`.
///
/// # Examples
///
/// ```
/// use foster_compat::{Error, Protocol, Result, StreamReader, StreamReaderProtocol, StreamWriter, TransportRef};
///
/// /// Answers every line in a task of the connection.
/// struct Answering {
///     base: StreamReaderProtocol,
///     n_bytes: usize,
/// }
///
/// impl Answering {
///     fn new() -> Self {
///         Answering { base: StreamReaderProtocol::new(StreamReader::new()), n_bytes: 0 }
///     }
/// }
///
/// impl Protocol for Answering {
///     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
///         self.base.connection_made(transport.clone())?;
///         let reader = self.base.reader().clone();
///         let writer = StreamWriter::new(transport.clone(), Some(reader.clone()));
///         transport.start_soon(async move {
///             let mut lines = reader.lines();
///             while let Some(line) = lines.next().await {
///                 writer.write(line?)?;
///                 writer.drain().await?;
///             }
///             Ok(())
///         });
///         Ok(())
///     }
///
///     fn data_received(&mut self, data: &[u8]) -> Result<()> {
///         self.n_bytes += data.len();
///         self.base.data_received(data)
///     }
///
///     fn eof_received(&mut self) -> Result<bool> {
///         self.base.eof_received()
///     }
///
///     fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
///         self.base.connection_lost(exc)
///     }
/// }
/// ```
pub struct StreamReaderProtocol {
    reader: StreamReader,
    /// Taken when the connection is made.
    client_connected_cb: Option<ClientConnectedCb>,
}

type ClientConnectedCb = Box<dyn FnOnce(StreamReader, StreamWriter) -> Result<()>>;

impl StreamReaderProtocol {
    /// A protocol for a reader that has no transport yet.
    pub fn new(reader: StreamReader) -> Self {
        StreamReaderProtocol { reader, client_connected_cb: None }
    }

    /// As [`new`](StreamReaderProtocol::new), with what is called with the reader and a writer when the connection is
    /// made: a plain function, which starts a task where it needs one. Its error closes the transport.
    pub fn with_client_connected_cb<C, R>(reader: StreamReader, client_connected_cb: C) -> Self
    where
        C: FnOnce(StreamReader, StreamWriter) -> R + 'static,
        R: Outcome,
    {
        let call: ClientConnectedCb = Box::new(|reader, writer| client_connected_cb(reader, writer).into_result());
        StreamReaderProtocol { reader, client_connected_cb: Some(call) }
    }

    /// The reader that is fed.
    pub fn reader(&self) -> &StreamReader {
        &self.reader
    }
}

impl Protocol for StreamReaderProtocol {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.reader.set_transport(transport.clone())?;
        let Some(client_connected_cb) = self.client_connected_cb.take() else { return Ok(()) };
        let writer = StreamWriter::of_client(transport.clone(), self.reader.clone());
        client_connected_cb(self.reader.clone(), writer).inspect_err(|_| transport.close())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.reader.feed_data(data)
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.reader.feed_eof();
        Ok(!self.reader.is_over_ssl())
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        match exc {
            Some(exc) => self.reader.set_exception(exc),
            None => self.reader.feed_eof(),
        }
        Ok(())
    }
}

impl fmt::Debug for StreamReaderProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamReaderProtocol({:?})", self.reader)
    }
}
