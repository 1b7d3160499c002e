//! [`StreamWriter`]: the writing end of a stream.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::Poll;

use super::stream_reader::StreamReader;
use crate::asyncio::exceptions::connection_lost;
use crate::asyncio::extra_info::ExtraInfo;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::Result;
use crate::nursery::{checkpoint, primitive};

/// Writes a stream of bytes to a transport: `asyncio.StreamWriter`, a cheap clone of one shared writer.
///
/// [`write`](StreamWriter::write) never waits; a program that writes more than a little follows it with
/// [`drain`](StreamWriter::drain), or a peer that does not read makes what is written pile up.
///
/// Dropping the last clone closes the transport: what is written is sent, reading ends. asyncio does so with a
/// `ResourceWarning`, and for a server's connection never; here nobody is left who could close it.
///
/// tokio's `AsyncWrite` is implemented too; [`AsyncIo`](crate::AsyncIo) joins it with the reader. A write through it
/// waits where [`drain`](StreamWriter::drain) would.
///
/// # Examples
///
/// ```no_run
/// use foster_compat::{open_connection, open_nursery, run};
///
/// run(async {
///     open_nursery(async |nursery| {
///         let (reader, writer) = open_connection(&nursery, "127.0.0.1", 8888).await?;
///         writer.write(b"hello\n")?;
///         writer.drain().await?;
///         println!("{}", reader.readline().await?.escape_ascii());
///         writer.close();
///         writer.wait_closed().await
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone)]
pub struct StreamWriter {
    state: Rc<WriterState>,
}

struct WriterState {
    /// Another one after the upgrade to TLS.
    transport: RefCell<TransportRef>,
    reader: Option<StreamReader>,
    /// The connection was accepted by a server.
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    is_server_side: bool,
}

impl StreamWriter {
    /// A writer to a transport, beside the reader of the same connection if there is one.
    ///
    /// Differs from asyncio: the protocol and the loop need not be named.
    pub fn new(transport: TransportRef, reader: Option<StreamReader>) -> Self {
        StreamWriter {
            state: Rc::new(WriterState {
                transport: RefCell::new(transport),
                reader,
                #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
                is_server_side: false,
            }),
        }
    }

    /// The writer of a connection that a server has accepted.
    pub(super) fn of_client(transport: TransportRef, reader: StreamReader) -> Self {
        StreamWriter {
            state: Rc::new(WriterState {
                transport: RefCell::new(transport),
                reader: Some(reader),
                #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
                is_server_side: true,
            }),
        }
    }

    /// The transport below: `writer.transport`.
    pub fn transport(&self) -> TransportRef {
        self.state.transport.borrow().clone()
    }

    /// Sends bytes, or keeps what the socket does not take at once; see
    /// [`WriteTransport::write`](crate::WriteTransport::write).
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`](crate::RuntimeError) after [`write_eof`](StreamWriter::write_eof). A lost connection shows in
    /// [`drain`](StreamWriter::drain).
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<()> {
        self.transport().write(data.as_ref())
    }

    /// Sends several pieces; see [`WriteTransport::writelines`](crate::WriteTransport::writelines).
    ///
    /// # Errors
    ///
    /// As [`write`](StreamWriter::write), also for no piece at all.
    pub fn writelines(&self, pieces: &[&[u8]]) -> Result<()> {
        self.transport().writelines(pieces)
    }

    /// Closes the writing side once what is written was sent; reading goes on.
    ///
    /// # Errors
    ///
    /// A [`NotImplementedError`](crate::NotImplementedError) where [`can_write_eof`](StreamWriter::can_write_eof) is
    /// false, as over TLS.
    pub fn write_eof(&self) -> Result<()> {
        self.transport().write_eof()
    }

    /// Whether `write_eof` works.
    pub fn can_write_eof(&self) -> bool {
        self.transport().can_write_eof()
    }

    /// Closes the transport once what is written was sent; reading ends at once. Idempotent.
    pub fn close(&self) {
        self.transport().close();
    }

    /// Whether the transport is closing or closed.
    pub fn is_closing(&self) -> bool {
        self.transport().is_closing()
    }

    /// Waits until the connection is closed: `writer.wait_closed`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    ///
    /// # Errors
    ///
    /// What the connection was lost with.
    pub async fn wait_closed(&self) -> Result<()> {
        self.transport().closed().await.map_or(Ok(()), Err)
    }

    /// What lies under the transport: `writer.get_extra_info`.
    pub fn get_extra_info(&self, name: &str) -> Option<ExtraInfo> {
        self.transport().get_extra_info(name)
    }

    /// Waits until little enough is unsent that more may be written: `writer.drain`. Several tasks may wait.
    ///
    /// It does not give way if there is room, and does if the transport is closing, so that a loop of writes finds out.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing: what was written is sent.
    ///
    /// # Errors
    ///
    /// The exception of the reader; what the connection was lost with while this waited; a connection reset error,
    /// `Connection lost`, if the connection is lost otherwise. Differs from asyncio: a connection that ends without an
    /// error, as by `abort`, also ends the wait with `Connection lost`, because what was written was not sent.
    pub async fn drain(&self) -> Result<()> {
        if let Some(exc) = self.state.reader.as_ref().and_then(StreamReader::exception) {
            return Err(exc);
        }
        let transport = self.transport();
        if transport.is_closing() {
            checkpoint().await;
        }
        let mut has_waited = false;
        let drained = poll_fn(|cx| {
            let Poll::Ready(drained) = transport.poll_drained(cx) else {
                has_waited = true;
                return Poll::Pending;
            };
            Poll::Ready(drained.map_err(|_| match transport.poll_closed(cx) {
                Poll::Ready(Some(exc)) if has_waited => exc,
                Poll::Ready(_) | Poll::Pending => connection_lost(),
            }))
        });
        primitive("a stream to drain", drained).await
    }

    /// The parts that an upgrade to TLS needs: the reader, and whether this is the server's side.
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub(super) fn upgrade_parts(&self) -> (Option<&StreamReader>, bool) {
        (self.state.reader.as_ref(), self.state.is_server_side)
    }

    /// From here on writes go to another transport, which stands on the one before: asyncio's `_replace_transport`.
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub(super) fn replace_transport(&self, transport: TransportRef) {
        if let Some(reader) = &self.state.reader {
            reader.replace_transport(transport.clone());
        }
        let old = self.state.transport.replace(transport);
        drop(old);
    }

    /// A clone that does not keep the connection open.
    pub(super) fn downgrade(&self) -> WeakWriter {
        WeakWriter(Rc::downgrade(&self.state))
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamWriter({:?}", self.transport())?;
        if let Some(reader) = &self.state.reader {
            write!(f, ", {reader:?}")?;
        }
        f.write_str(")")
    }
}

/// A writer as seen by who must not keep it alive.
pub(super) struct WeakWriter(Weak<WriterState>);

impl WeakWriter {
    pub(super) fn upgrade(&self) -> Option<StreamWriter> {
        self.0.upgrade().map(|state| StreamWriter { state })
    }
}

impl Drop for WriterState {
    fn drop(&mut self) {
        self.transport.get_mut().close();
    }
}
