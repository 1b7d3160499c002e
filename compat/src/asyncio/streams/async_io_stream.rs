//! [`AsyncIoStream`]: any `AsyncRead + AsyncWrite` as a transport needs it.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::asyncio::extra_info::Address;
use crate::asyncio::stream_io::StreamIo;
use crate::asyncio::transport_ref::TransportRef;
use crate::runtime::Panicked;

/// How many bytes a look at what has come reads ahead, for a protocol with a buffer of its own.
const PEEK: usize = 256;

/// Readiness over a stream that can only be polled: a direction counts as ready until a poll of it was pending, and
/// again when that poll's waker is woken.
pub(super) struct AsyncIoStream<T: AsyncRead + AsyncWrite + 'static> {
    io: Rc<SharedIo<T>>,
    reading: Direction,
    writing: Direction,
    peeked: RefCell<Peeked>,
    /// The last byte that was written is not reported as sent before it is flushed, so that the transport comes back
    /// for it: it then counts as the first of the next write.
    owes_byte: Cell<bool>,
    connection: Rc<OnceCell<TransportRef>>,
}

/// The stream, which is taken out while its own code runs.
struct SharedIo<T> {
    io: Cell<Option<Pin<Box<T>>>>,
    /// It needs no shutdown: there was one, it has failed, or the connection was aborted.
    is_over: Cell<bool>,
}

enum Peeked {
    Nothing,
    Data(Vec<u8>),
    End,
    Failed(io::Error),
}

impl<T: AsyncRead + AsyncWrite + 'static> AsyncIoStream<T> {
    /// `connection` is filled in by whoever makes the transport.
    pub(super) fn new(io: T, connection: Rc<OnceCell<TransportRef>>) -> Self {
        AsyncIoStream {
            io: Rc::new(SharedIo { io: Cell::new(Some(Box::pin(io))), is_over: Cell::new(false) }),
            reading: Direction::new(),
            writing: Direction::new(),
            peeked: RefCell::new(Peeked::Nothing),
            owes_byte: Cell::new(false),
            connection,
        }
    }

    fn poll_read(&self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let read = self.reading.poll(|cx| self.io.poll(|io| io.poll_read(cx, &mut buffer)));
        read.map_ok(|()| buffer.filled().len())
    }

    /// Fills a buffer that holds `n` bytes already, and keeps for later what is no bytes.
    fn read_on(&self, buffer: &mut [u8], n: usize) -> usize {
        match self.poll_read(&mut buffer[n..]) {
            _ if n == buffer.len() => n,
            Poll::Pending => n,
            Poll::Ready(Ok(0)) => {
                self.peeked.replace(Peeked::End);
                n
            }
            Poll::Ready(Ok(n_more)) => n + n_more,
            Poll::Ready(Err(err)) => {
                self.peeked.replace(Peeked::Failed(err));
                n
            }
        }
    }

    fn has_peeked(&self) -> bool {
        !matches!(*self.peeked.borrow(), Peeked::Nothing)
    }

    fn write<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> io::Result<usize> {
        let mut n_sent = 0;
        let mut skip = 0;
        if self.owes_byte.get() {
            if self.flush()?.is_pending() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.owes_byte.set(false);
            (n_sent, skip) = (1, 1);
        }
        let mut n_written = 0;
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            let piece = &piece[std::mem::take(&mut skip)..];
            match self.write_all(piece, &mut n_written)? {
                Poll::Ready(()) => {}
                Poll::Pending => break,
            }
        }
        n_sent += n_written;
        if n_written > 0 && self.flush()?.is_pending() {
            self.owes_byte.set(true);
            n_sent -= 1;
        }
        if n_sent == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(n_sent) }
    }

    /// Writes until the stream takes no more.
    fn write_all(&self, mut data: &[u8], n_written: &mut usize) -> io::Result<Poll<()>> {
        while !data.is_empty() {
            match self.writing.poll(|cx| self.io.poll(|io| io.poll_write(cx, data))) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    *n_written += n;
                    data = data.get(n..).unwrap_or_default();
                }
                Poll::Ready(Err(err)) => return Err(err),
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
        Ok(Poll::Ready(()))
    }

    fn flush(&self) -> io::Result<Poll<()>> {
        match self.writing.poll(|cx| self.io.poll(|io| io.poll_flush(cx))) {
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Ready(Err(err)) => Err(err),
            Poll::Pending => Ok(Poll::Pending),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + 'static> StreamIo for AsyncIoStream<T> {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.reading.poll_ready(cx) {
            Poll::Pending if self.has_peeked() => Poll::Ready(Ok(())),
            ready => ready.map(Ok),
        }
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing.poll_ready(cx).map(Ok)
    }

    fn has_input(&self) -> bool {
        if !self.has_peeked() {
            let mut data = [0; PEEK];
            let peeked = match self.poll_read(&mut data) {
                Poll::Pending => return false,
                Poll::Ready(Ok(0)) => Peeked::End,
                Poll::Ready(Ok(n)) => Peeked::Data(data[..n].to_vec()),
                Poll::Ready(Err(err)) => Peeked::Failed(err),
            };
            self.peeked.replace(peeked);
        }
        true
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let peeked = self.peeked.replace(Peeked::Nothing);
        match peeked {
            Peeked::Nothing => match self.poll_read(buffer) {
                Poll::Ready(read) => read,
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            },
            Peeked::Data(mut data) => {
                let n = data.len().min(buffer.len());
                buffer[..n].copy_from_slice(&data[..n]);
                if n < data.len() {
                    data.drain(..n);
                    self.peeked.replace(Peeked::Data(data));
                    return Ok(n);
                }
                Ok(self.read_on(buffer, n))
            }
            Peeked::End => {
                self.peeked.replace(Peeked::End);
                Ok(0)
            }
            Peeked::Failed(err) => Err(err),
        }
    }

    fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        self.write(std::iter::once(data))
    }

    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(pieces.iter().map(|piece| &**piece))
    }

    fn shutdown_write(&self) -> io::Result<()> {
        let mut cx = Context::from_waker(Waker::noop());
        if self.io.poll_shutdown(&mut cx).is_pending() {
            if let Some(connection) = self.connection.get() {
                let io = self.io.clone();
                connection.start_soon(async move { poll_fn(|cx| io.poll_shutdown(cx)).await });
            }
        }
        Ok(())
    }

    fn abandon(&self) {
        self.io.is_over.set(true);
    }

    fn peername(&self) -> Option<Address> {
        None
    }

    fn sockname(&self) -> Option<Address> {
        None
    }

    fn with_socket(&self, _look: &mut dyn FnMut(SockRef<'_>)) {}
}

/// As a socket that is closed: what the other side reads ends.
impl<T: AsyncRead + AsyncWrite + 'static> Drop for AsyncIoStream<T> {
    fn drop(&mut self) {
        // Whoever needs longer than this to say goodbye is not waited for.
        let _ = self.io.poll_shutdown(&mut Context::from_waker(Waker::noop()));
        let io = self.io.io.take();
        // The loop does not catch what a destructor throws.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(io)));
    }
}

impl<T: AsyncRead + AsyncWrite> SharedIo<T> {
    /// Runs the stream's own code. A panic there is its error, and the end of it.
    fn poll<R>(&self, poll: impl FnOnce(Pin<&mut T>) -> Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        let Some(mut io) = self.io.take() else {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, "the stream is closed")));
        };
        let result = match catch_unwind(AssertUnwindSafe(|| poll(io.as_mut()))) {
            Ok(result) => result,
            Err(payload) => Poll::Ready(Err(io::Error::other(Panicked::new(payload)))),
        };
        if matches!(result, Poll::Ready(Err(_))) {
            self.is_over.set(true);
        }
        self.io.set(Some(io));
        result
    }

    /// Ready once the other side was told that no more comes, or cannot be told.
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_over.get() {
            return Poll::Ready(());
        }
        // An error shows in the next read.
        let shutdown = self.poll(|io| io.poll_shutdown(cx)).map(drop);
        self.is_over.set(shutdown.is_ready());
        shutdown
    }
}

/// One direction of the stream: its readiness, and whom to tell.
struct Direction {
    readiness: Arc<Readiness>,
    waker: Waker,
}

struct Readiness {
    is_ready: AtomicBool,
    waker: AtomicWaker,
}

impl Direction {
    fn new() -> Self {
        let readiness = Arc::new(Readiness { is_ready: AtomicBool::new(true), waker: AtomicWaker::new() });
        Direction { waker: readiness.clone().into(), readiness }
    }

    /// Polls the stream. The readiness is taken back before, so that a wake during the poll is not lost.
    fn poll<R>(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
        self.readiness.is_ready.store(false, Ordering::SeqCst);
        let result = poll(&mut Context::from_waker(&self.waker));
        if result.is_ready() {
            self.readiness.is_ready.store(true, Ordering::SeqCst);
        }
        result
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.readiness.waker.register(cx.waker());
        if self.readiness.is_ready.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Wake for Readiness {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_ready.store(true, Ordering::SeqCst);
        self.waker.wake();
    }
}
