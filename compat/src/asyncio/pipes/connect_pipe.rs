//! `connect_read_pipe` and `connect_write_pipe`.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::pipe_io::{ReadPipe, WritePipe};
use crate::asyncio::acceptor::ConnectionOptions;
use crate::asyncio::event_loop::Loop;
use crate::asyncio::loop_state::LoopState;
use crate::asyncio::protocol_cell::{IntoProtocol, ProtocolCell};
use crate::asyncio::stream_io::StreamIo;
use crate::asyncio::stream_transport::StreamTransport;
use crate::asyncio::transport::WriteTransport;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::Result;
use crate::nursery::{Nursery, checkpoint};

/// Reads from a pipe, a socket or a character device with a protocol: `loop.connect_read_pipe`. The transport is a
/// child of `nursery` and owns the descriptor, which is made non-blocking, also for others that share it.
///
/// `connection_made` was called when this returns, and nothing was read. At the end of the pipe `eof_received` comes,
/// whose answer says nothing, then `connection_lost(None)`. An error of `data_received` is only reported. Of the
/// writing half of the transport nothing works: `write` gives a
/// [`NotImplementedError`](crate::NotImplementedError).
///
/// A device that cannot be polled, such as `/dev/zero`, is read once a turn, where asyncio fails.
///
/// # Cancel safety
///
/// Dropped before it has returned, it aborts the transport.
///
/// # Errors
///
/// A [`ValueError`](crate::ValueError), `Pipe transport is for pipes/sockets only.`, for anything else, a regular file
/// above all; an error of kind `InvalidInput` for the writing end of a pipe; an error of the operating system;
/// [`Closed`](crate::Closed) if the nursery has ended. The descriptor is closed then.
///
/// # Examples
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use foster_compat::{Protocol, Result, connect_read_pipe, connect_write_pipe, open_nursery, run};
///
/// struct Prints;
///
/// impl Protocol for Prints {
///     fn data_received(&mut self, data: &[u8]) -> Result<()> {
///         println!("read {} bytes", data.len());
///         Ok(())
///     }
/// }
///
/// struct Writes;
/// impl Protocol for Writes {}
///
/// run(async {
///     open_nursery(async |nursery| {
///         let (reading_end, writing_end) = UnixStream::pair()?;
///         let (reader, _) = connect_read_pipe(&nursery, || Prints, reading_end).await?;
///         let (writer, _) = connect_write_pipe(&nursery, || Writes, writing_end).await?;
///         writer.write(b"hello")?;
///         writer.close();
///         assert!(reader.closed().await.is_none());
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub async fn connect_read_pipe<P, F>(
    nursery: &Nursery,
    factory: F,
    pipe: impl Into<OwnedFd>,
) -> Result<(TransportRef, P::Handle)>
where
    P: IntoProtocol,
    F: FnOnce() -> P,
{
    let pipe = pipe.into();
    let (protocol, handle) = factory().into_protocol();
    let transport = connect(nursery, protocol, ReadPipe::new(pipe)?).await?;
    Ok((transport, handle))
}

/// Writes to a pipe, a socket or a character device with a protocol: `loop.connect_write_pipe`. The transport is a child
/// of `nursery` and owns the descriptor, which is made non-blocking, also for others that share it.
///
/// `connection_made` was called when this returns. Once nobody reads from the pipe any more, `connection_lost` comes:
/// with `None` if everything written was taken by the operating system, else with a broken pipe error. A socket whose
/// peer sends something is taken for closed, as in asyncio; of a character device nothing is noticed before a write.
/// Other systems than Linux notice the end of a pipe only when something is written.
///
/// `write_eof` is `close`: what is written goes out first; what is written after it is dropped, the sixth time and later
/// with a warning. Of the reading half of the transport nothing works: `is_reading` is false.
///
/// # Cancel safety
///
/// Dropped before it has returned, it aborts the transport.
///
/// # Errors
///
/// A [`ValueError`](crate::ValueError), `Pipe transport is only for pipes, sockets and character devices`, for anything
/// else, a regular file above all; an error of kind `InvalidInput` for the reading end of a pipe; an error of the
/// operating system; [`Closed`](crate::Closed) if the nursery has ended. The descriptor is closed then.
pub async fn connect_write_pipe<P, F>(
    nursery: &Nursery,
    factory: F,
    pipe: impl Into<OwnedFd>,
) -> Result<(TransportRef, P::Handle)>
where
    P: IntoProtocol,
    F: FnOnce() -> P,
{
    let pipe = pipe.into();
    let (protocol, handle) = factory().into_protocol();
    let transport = connect(nursery, protocol, WritePipe::new(pipe)?).await?;
    Ok((transport, handle))
}

impl Loop {
    /// As [`connect_read_pipe`], in the loop's nursery.
    ///
    /// # Errors
    ///
    /// As [`connect_read_pipe`].
    pub async fn connect_read_pipe<P, F>(
        &self,
        factory: F,
        pipe: impl Into<OwnedFd>,
    ) -> Result<(TransportRef, P::Handle)>
    where
        P: IntoProtocol,
        F: FnOnce() -> P,
    {
        connect_read_pipe(self.nursery(), factory, pipe).await
    }

    /// As [`connect_write_pipe`], in the loop's nursery.
    ///
    /// # Errors
    ///
    /// As [`connect_write_pipe`].
    pub async fn connect_write_pipe<P, F>(
        &self,
        factory: F,
        pipe: impl Into<OwnedFd>,
    ) -> Result<(TransportRef, P::Handle)>
    where
        P: IntoProtocol,
        F: FnOnce() -> P,
    {
        connect_write_pipe(self.nursery(), factory, pipe).await
    }
}

async fn connect<S: StreamIo>(nursery: &Nursery, protocol: ProtocolCell, io: S) -> Result<TransportRef> {
    let lp = LoopState::of(nursery.core());
    let transport = StreamTransport::connected(&lp, nursery, protocol, &ConnectionOptions::default(), io)?;
    let abort_on_drop = AbortOnDrop(Some(transport.clone()));
    checkpoint().await;
    abort_on_drop.defuse();
    Ok(TransportRef::new(transport))
}

/// Ends a transport that nobody was given.
struct AbortOnDrop<S: StreamIo>(Option<Rc<StreamTransport<S>>>);

impl<S: StreamIo> AbortOnDrop<S> {
    fn defuse(mut self) {
        self.0 = None;
    }
}

impl<S: StreamIo> Drop for AbortOnDrop<S> {
    fn drop(&mut self) {
        if let Some(transport) = &self.0 {
            transport.abort();
        }
    }
}
