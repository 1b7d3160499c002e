//! tokio's `AsyncRead` and `AsyncBufRead` for [`StreamReader`], its `AsyncWrite` for [`StreamWriter`].

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::stream_reader::StreamReader;
use super::stream_writer::StreamWriter;
use crate::asyncio::loop_state::MAX_READ;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::{Error, Result};

/// The most that one write takes, as much as one read: with the high-water mark it bounds what waits to be sent.
const MAX_WRITE: usize = MAX_READ;

/// The most pieces that one vectored write takes: as many as the transport hands to the operating system at once.
const MAX_PIECES: usize = 64;

/// Gives what is unread, and no bytes at the end of the stream. The stored exception becomes an `io::Error`, with its
/// kind if it is one. The task that has polled last is woken.
impl AsyncRead for StreamReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_unread(cx)).map_err(io_error)?;
        let mut unread = self.state.unread();
        let n = unread.len().min(buf.remaining());
        buf.put_slice(&unread.as_slice()[..n]);
        unread.consume(n);
        drop(unread);
        self.state.maybe_resume();
        Poll::Ready(Ok(()))
    }
}

/// Lends everything that is unread, without a copy. What this clone has borrowed and not consumed another clone cannot
/// read; a read of this one puts it back first.
impl AsyncBufRead for StreamReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let reader = self.get_mut();
        if reader.claimed.get_mut().is_empty() {
            ready!(reader.poll_unread(cx)).map_err(io_error)?;
            let claimed = reader.claimed.get_mut();
            std::mem::swap(&mut *reader.state.unread(), claimed);
            reader.state.n_claimed.set(claimed.len());
        }
        Poll::Ready(Ok(reader.claimed.get_mut().as_slice()))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let reader = self.get_mut();
        let claimed = reader.claimed.get_mut();
        claimed.consume(n.min(claimed.len()));
        reader.state.n_claimed.set(claimed.len());
        reader.state.maybe_resume();
    }
}

impl StreamReader {
    /// Ready if there are bytes or the end of the stream.
    fn poll_unread(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.begin("read")?;
        if self.state.n_unread() > 0 || self.state.is_eof.get() {
            return Poll::Ready(Ok(()));
        }
        self.state.register_poller("read", cx)?;
        Poll::Pending
    }
}

/// A write waits while [`drain`](StreamWriter::drain) would, so what waits to be sent stays below the high-water mark
/// and one write. A flush waits for the same: what is written is then sent without further ado, as what a kernel has
/// taken, and [`StreamWriter::wait_closed`] says when it was. A shutdown is `write_eof`, or `close` where the transport
/// cannot end one direction; it does not wait.
impl AsyncWrite for StreamWriter {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let transport = self.transport();
        ready!(poll_room(&transport, cx))?;
        let n = data.len().min(MAX_WRITE);
        transport.write(&data[..n]).map_err(after_eof)?;
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let transport = self.transport();
        ready!(poll_room(&transport, cx))?;
        let mut pieces: [&[u8]; MAX_PIECES] = [&[]; MAX_PIECES];
        let (mut n_pieces, mut n) = (0, 0);
        for (piece, slice) in pieces.iter_mut().zip(slices.iter().filter(|slice| !slice.is_empty())) {
            *piece = &slice[..slice.len().min(MAX_WRITE - n)];
            n_pieces += 1;
            n += piece.len();
            if n == MAX_WRITE {
                break;
            }
        }
        transport.writelines(&pieces[..n_pieces]).map_err(after_eof)?;
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let transport = self.transport();
        if transport.is_closing() {
            return Poll::Ready(lost_with(&transport).map_or(Ok(()), |exc| Err(io_error(exc))));
        }
        poll_room(&transport, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let transport = self.transport();
        if transport.is_closing() {
            return Poll::Ready(lost_with(&transport).map_or(Ok(()), |exc| Err(io_error(exc))));
        }
        if transport.can_write_eof() {
            return Poll::Ready(transport.write_eof().map_err(io_error));
        }
        transport.close();
        Poll::Ready(Ok(()))
    }
}

/// Ready if the transport takes more.
fn poll_room(transport: &TransportRef, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    if !transport.is_closing() {
        match transport.poll_drained(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => {}
        }
    }
    Poll::Ready(Err(match lost_with(transport) {
        Some(exc) => io_error(exc),
        None => io::Error::new(io::ErrorKind::BrokenPipe, "the transport is closing: it takes no more writes"),
    }))
}

/// What the connection was lost with, if it was.
fn lost_with(transport: &TransportRef) -> Option<Error> {
    match transport.poll_closed(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(exc) => exc,
        Poll::Pending => None,
    }
}

fn after_eof(err: Error) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, Carried(err))
}

/// An error as tokio's traits give it: of the same kind and code, if it is one of the operating system.
fn io_error(err: Error) -> io::Error {
    match err.downcast_ref::<io::Error>() {
        Some(io) => match io.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(io.kind(), Carried(err)),
        },
        None => io::Error::other(Carried(err)),
    }
}

/// Any error inside an `io::Error`.
struct Carried(Error);

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for Carried {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.chain().nth(1)
    }
}
