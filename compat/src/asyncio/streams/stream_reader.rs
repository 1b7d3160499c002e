//! [`StreamReader`]: the reading end of a stream.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::lines::Lines;
use super::read_buffer::ReadBuffer;
use super::read_error::IncompleteReadError;
use super::reader_state::{ReaderState, SearchError, two_readers};
use crate::asyncio::exceptions::{RuntimeError, ValueError};
use crate::asyncio::transport_ref::TransportRef;
use crate::error::{Error, Result};
use crate::nursery::primitive;
use crate::runtime::current;

/// The longest line in bytes, and half of what is kept unread, unless set: asyncio's `_DEFAULT_LIMIT`.
pub(in crate::asyncio) const DEFAULT_LIMIT: usize = 64 * 1024;

/// Reads a stream of bytes that callbacks feed: `asyncio.StreamReader`, a cheap clone of one shared reader.
///
/// [`open_connection`](crate::open_connection) and [`start_server`](crate::start_server) give one beside its
/// [`StreamWriter`](crate::StreamWriter). A program may also make its own, hand out a clone and
/// [`feed`](StreamReader::feed_data) it.
///
/// At the end of the stream [`read`](StreamReader::read) and [`readline`](StreamReader::readline) give what is left,
/// then nothing. Once the connection is lost by an error every read gives that error, also if bytes are unread. One
/// read may wait at a time; a second gets a [`RuntimeError`].
///
/// Memory: with more than twice the limit unread the transport is paused, so what is unread stays below twice the limit
/// and one read of the transport (256 KiB). Only `readexactly` and `read_to_end` make it grow to what they were asked
/// for. While a read waits, a few bytes hold no more memory than they need.
///
/// tokio's `AsyncRead` and `AsyncBufRead` are implemented too. Their extension traits have methods of the same names;
/// [`AsyncIo`](crate::AsyncIo) has none of its own.
///
/// # Cancel safety
///
/// A read that is dropped before it is done has taken nothing: the next gets every byte. In a cancelled scope a read
/// stays pending.
///
/// # Examples
///
/// ```
/// use foster_compat::{StreamReader, open_nursery, run};
///
/// run(async {
///     open_nursery(async |_nursery| {
///         let reader = StreamReader::new();
///         reader.feed_data(b"one\ntwo\nthree")?;
///         assert_eq!(reader.readline().await?, b"one\n");
///         assert_eq!(reader.readexactly(2).await?, b"tw");
///         reader.feed_eof();
///         assert_eq!(reader.read_to_end().await?, b"o\nthree");
///         assert!(reader.at_eof());
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub struct StreamReader {
    pub(super) state: Rc<ReaderState>,
    /// What this clone has taken out of the shared buffer to lend it as a slice.
    pub(super) claimed: RefCell<ReadBuffer>,
}

impl StreamReader {
    /// A reader with the default limit, 64 KiB.
    pub fn new() -> Self {
        StreamReader::from_state(Rc::new(ReaderState::new(DEFAULT_LIMIT)))
    }

    /// A reader with a limit: the longest line in bytes, not counting its end, and half of what is kept unread.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] for 0.
    pub fn with_limit(limit: usize) -> Result<Self> {
        check_limit(limit)?;
        Ok(StreamReader::from_state(Rc::new(ReaderState::new(limit))))
    }

    fn from_state(state: Rc<ReaderState>) -> Self {
        StreamReader { state, claimed: RefCell::default() }
    }

    /// The reader for who feeds it and must not keep it alive.
    #[cfg(unix)]
    pub(in crate::asyncio) fn downgrade(&self) -> WeakReader {
        WeakReader(Rc::downgrade(&self.state))
    }

    // ---- feeding

    /// Adds bytes at the end: `reader.feed_data`. Above twice the limit the transport is paused.
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`] after [`feed_eof`](StreamReader::feed_eof), where asyncio has an assertion.
    pub fn feed_data(&self, data: &[u8]) -> Result<()> {
        self.state.feed(data)
    }

    /// Ends the stream: `reader.feed_eof`. Idempotent.
    pub fn feed_eof(&self) {
        self.state.is_eof.set(true);
        self.state.wake();
    }

    /// Makes this the error of every read, the one that waits included: `reader.set_exception`.
    pub fn set_exception(&self, exc: impl Into<Error>) {
        let old = self.state.exception.replace(Some(exc.into()));
        drop(old);
        self.state.wake();
    }

    /// Names the transport that is paused while too much is unread: `reader.set_transport`.
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`] if there is one already, where asyncio has an assertion.
    pub fn set_transport(&self, transport: TransportRef) -> Result<()> {
        let mut slot = self.state.transport.borrow_mut();
        if slot.is_some() {
            return Err(RuntimeError::new("Transport already set").into());
        }
        *slot = Some(transport);
        Ok(())
    }

    // ---- looking

    /// What [`set_exception`](StreamReader::set_exception) has stored: `reader.exception`.
    pub fn exception(&self) -> Option<Error> {
        self.state.exception.borrow().clone()
    }

    /// Whether the stream has ended and everything was read: `reader.at_eof`.
    pub fn at_eof(&self) -> bool {
        self.state.is_eof.get() && self.state.n_unread() == 0
    }

    /// Whether the transport is one that cannot be open in one direction.
    pub(super) fn is_over_ssl(&self) -> bool {
        let transport = self.state.transport.borrow().clone();
        transport.is_some_and(|transport| transport.get_extra_info("sslcontext").is_some())
    }

    /// Takes what has come and nobody has read: it belongs to the layer that will read from now on.
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub(super) fn take_leftover(&self) -> Vec<u8> {
        self.give_back();
        self.state.take_all()
    }

    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    pub(super) fn replace_transport(&self, transport: TransportRef) {
        // A pause was of the transport below, whose reading is the new one's business.
        self.state.is_paused.set(false);
        let old = self.state.transport.replace(Some(transport));
        drop(old);
    }

    // ---- reading

    /// Waits for bytes and takes up to `n` of them, whatever the limit is: `reader.read(n)`. Empty at the end of the
    /// stream, and at once for 0. asyncio's `read()` and `read(-1)` are [`read_to_end`](StreamReader::read_to_end).
    ///
    /// # Errors
    ///
    /// The stored exception; a [`RuntimeError`] if another read waits.
    pub async fn read(&self, n: usize) -> Result<Vec<u8>> {
        self.read_with(n, |buffer, n| buffer.take(n)).await
    }

    /// As [`read`](StreamReader::read), to the front of `buffer`; gives the number of bytes. Not in asyncio.
    ///
    /// # Errors
    ///
    /// As [`read`](StreamReader::read).
    pub async fn read_into(&self, buffer: &mut [u8]) -> Result<usize> {
        self.read_with(buffer.len(), |unread, n| {
            buffer[..n].copy_from_slice(&unread.as_slice()[..n]);
            unread.consume(n);
            n
        })
        .await
    }

    /// Reads until the stream ends: `reader.read()`. What comes is all kept, so bound it with a time-out or with
    /// tokio's `take` where the peer is not trusted.
    ///
    /// Differs from asyncio, which loses what a cancelled `read()` had read so far.
    ///
    /// # Errors
    ///
    /// As [`read`](StreamReader::read).
    pub async fn read_to_end(&self) -> Result<Vec<u8>> {
        primitive(WAITS_FOR, async {
            self.begin("read")?;
            while !self.state.is_eof.get() {
                self.news("read").await?;
                self.state.check_exception()?;
            }
            Ok(self.state.take_all())
        })
        .await
    }

    /// Reads `n` bytes, whatever the limit is: `reader.readexactly`. Empty at once for 0.
    ///
    /// # Errors
    ///
    /// [`IncompleteReadError`] if the stream ends before, with what had come; else as [`read`](StreamReader::read).
    pub async fn readexactly(&self, n: usize) -> Result<Vec<u8>> {
        self.readexactly_with(n, |buffer| buffer.take(n)).await
    }

    /// As [`readexactly`](StreamReader::readexactly), filling `buffer`. Not in asyncio.
    ///
    /// # Errors
    ///
    /// As [`readexactly`](StreamReader::readexactly).
    pub async fn readexactly_into(&self, buffer: &mut [u8]) -> Result<()> {
        let n = buffer.len();
        self.readexactly_with(n, |unread| {
            buffer.copy_from_slice(&unread.as_slice()[..n]);
            unread.consume(n);
        })
        .await
    }

    /// Reads a line with its `\n`: `reader.readline`. The last may lack it; empty at the end of the stream.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] for a line over the limit, of which everything that has come is dropped; else as
    /// [`read`](StreamReader::read).
    pub async fn readline(&self) -> Result<Vec<u8>> {
        if let Some(end) = self.line_at_hand() {
            return Ok(self.take_with(|buffer| buffer.take(end)));
        }
        let found = self.search(None, |buffer, n| buffer.take(n)).await;
        found.or_else(|err| self.end_of_line(err))
    }

    /// As [`readline`](StreamReader::readline), appended to `line`; gives the number of bytes, 0 at the end of the
    /// stream. Not in asyncio: it needs no memory of its own for a line.
    ///
    /// # Errors
    ///
    /// As [`readline`](StreamReader::readline), with nothing appended.
    pub async fn readline_into(&self, line: &mut Vec<u8>) -> Result<usize> {
        if let Some(end) = self.line_at_hand() {
            return Ok(self.take_with(|buffer| append(buffer, end, line)));
        }
        match self.search(None, |buffer, n| append(buffer, n, line)).await {
            Ok(n) => Ok(n),
            Err(err) => {
                let partial = self.end_of_line(err)?;
                line.extend_from_slice(&partial);
                Ok(partial.len())
            }
        }
    }

    /// Reads up to the end of the first `separator`, which is included: `reader.readuntil`.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] if the separator is empty; [`LimitOverrunError`](crate::LimitOverrunError) if more than the
    /// limit comes before it, which stays unread; [`IncompleteReadError`] if the stream ends before; else as
    /// [`read`](StreamReader::read).
    pub async fn readuntil(&self, separator: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        self.readuntil_any(&[separator.as_ref()]).await
    }

    /// As [`readuntil`](StreamReader::readuntil), up to the end of whichever separator ends first: `reader.readuntil`
    /// with a tuple, of Python 3.13.
    ///
    /// # Errors
    ///
    /// As [`readuntil`](StreamReader::readuntil); a [`ValueError`] also for no separator at all.
    pub async fn readuntil_any(&self, separators: &[&[u8]]) -> Result<Vec<u8>> {
        check_separators(separators)?;
        self.search(Some(separators), |buffer, n| buffer.take(n)).await.map_err(into_error)
    }

    /// As [`readuntil`](StreamReader::readuntil), appended to `data`; gives the number of bytes. Not in asyncio.
    ///
    /// # Errors
    ///
    /// As [`readuntil`](StreamReader::readuntil), with nothing appended.
    pub async fn readuntil_into(&self, separator: impl AsRef<[u8]>, data: &mut Vec<u8>) -> Result<usize> {
        let separators = [separator.as_ref()];
        check_separators(&separators)?;
        self.search(Some(&separators), |buffer, n| append(buffer, n, data)).await.map_err(into_error)
    }

    /// The lines, one after the other, as a stream: `async for line in reader`.
    pub fn lines(&self) -> Lines {
        Lines::new(self.clone())
    }

    // ---- the steps of a read

    /// What every read does first: `name` is what it is called.
    pub(super) fn begin(&self, name: &str) -> Result<()> {
        self.state.check_exception()?;
        self.give_back();
        if self.state.n_claimed.get() > 0 {
            return Err(two_readers(name).into());
        }
        Ok(())
    }

    /// The end of a line that can be taken at once, as most can: without the machinery of a wait.
    fn line_at_hand(&self) -> Option<usize> {
        let state = &self.state;
        let is_plain = state.n_claimed.get() == 0 && state.exception.borrow().is_none() && !current().is_cancelled();
        if is_plain { state.line_at_hand() } else { None }
    }

    /// Takes of what is unread, then lets the transport go on if there is room.
    fn take_with<R>(&self, take: impl FnOnce(&mut ReadBuffer) -> R) -> R {
        let taken = take(&mut self.state.unread());
        self.state.maybe_resume();
        taken
    }

    /// Waits until something was fed.
    async fn news(&self, name: &str) -> Result<()> {
        let mut place = None;
        poll_fn(|cx| self.state.poll_news(&mut place, name, cx)).await
    }

    async fn read_with<R>(&self, n: usize, take: impl FnOnce(&mut ReadBuffer, usize) -> R) -> Result<R> {
        primitive(WAITS_FOR, async {
            self.begin("read")?;
            let state = &self.state;
            while n > 0 && state.n_unread() == 0 && !state.is_eof.get() {
                self.news("read").await?;
                if state.n_unread() == 0 {
                    state.check_exception()?;
                }
            }
            Ok(self.take_with(|buffer| {
                let n = n.min(buffer.len());
                take(buffer, n)
            }))
        })
        .await
    }

    async fn readexactly_with<R>(&self, n: usize, take: impl FnOnce(&mut ReadBuffer) -> R) -> Result<R> {
        primitive(WAITS_FOR, async {
            self.begin("readexactly")?;
            let state = &self.state;
            while state.n_unread() < n {
                state.check_exception()?;
                if state.is_eof.get() {
                    return Err(IncompleteReadError::new(state.take_all(), Some(n)).into());
                }
                self.news("readexactly").await?;
            }
            Ok(self.take_with(take))
        })
        .await
    }

    /// Waits for a separator, or without any for the end of a line, then has everything up to its end taken.
    async fn search<R>(
        &self,
        separators: Option<&[&[u8]]>,
        take: impl FnOnce(&mut ReadBuffer, usize) -> R,
    ) -> Result<R, SearchError> {
        primitive(WAITS_FOR, async {
            self.begin("readuntil")?;
            let state = &self.state;
            let offset = Cell::new(0);
            let end = loop {
                let found = match separators {
                    Some(separators) => state.search(separators, &offset)?,
                    None => state.search_line()?,
                };
                match found {
                    Some(end) => break end,
                    None => self.news("readuntil").await?,
                }
            };
            Ok(self.take_with(|buffer| take(buffer, end)))
        })
        .await
    }

    pub(super) fn poll_line(&self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>>> {
        self.begin("readuntil")?;
        match self.state.search_line() {
            Ok(Some(end)) => Poll::Ready(Ok(self.take_with(|buffer| buffer.take(end)))),
            Ok(None) => {
                self.state.register_poller("readuntil", cx)?;
                Poll::Pending
            }
            Err(err) => Poll::Ready(self.end_of_line(err)),
        }
    }

    /// What `readline` makes of a line without an end.
    fn end_of_line(&self, err: SearchError) -> Result<Vec<u8>> {
        match err {
            SearchError::Incomplete(err) => Ok(err.partial),
            SearchError::Overrun(err) => {
                self.state.skip_line(err.consumed);
                Err(ValueError::new(err.message()).into())
            }
            SearchError::Other(err) => Err(err),
        }
    }

    /// Puts what this clone has claimed back to where it was.
    pub(super) fn give_back(&self) {
        let mut claimed = self.claimed.borrow_mut();
        if !claimed.is_empty() {
            self.state.n_claimed.set(0);
            self.state.unread().prepend(&mut claimed);
        }
    }
}

/// A reader as seen by who must not keep it alive.
#[cfg(unix)]
pub(in crate::asyncio) struct WeakReader(std::rc::Weak<ReaderState>);

#[cfg(unix)]
impl WeakReader {
    /// `None` once nobody can read any more.
    pub(in crate::asyncio) fn upgrade(&self) -> Option<StreamReader> {
        self.0.upgrade().map(StreamReader::from_state)
    }
}

impl Default for StreamReader {
    fn default() -> Self {
        StreamReader::new()
    }
}

impl Clone for StreamReader {
    fn clone(&self) -> Self {
        StreamReader::from_state(self.state.clone())
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.state;
        write!(f, "StreamReader({} bytes", state.n_unread())?;
        if state.is_eof.get() {
            f.write_str(", eof")?;
        }
        if state.is_paused.get() {
            f.write_str(", paused")?;
        }
        if let Some(exc) = self.exception() {
            write!(f, ", exception: {exc}")?;
        }
        f.write_str(")")
    }
}

const WAITS_FOR: &str = "bytes of a stream";

/// The check that asyncio makes of a limit.
pub(super) fn check_limit(limit: usize) -> Result<(), ValueError> {
    if limit == 0 { Err(ValueError::new("Limit cannot be <= 0")) } else { Ok(()) }
}

fn check_separators(separators: &[&[u8]]) -> Result<(), ValueError> {
    if separators.is_empty() {
        return Err(ValueError::new("Separator should contain at least one element"));
    }
    if separators.iter().any(|separator| separator.is_empty()) {
        return Err(ValueError::new("Separator should be at least one-byte string"));
    }
    Ok(())
}

fn into_error(err: SearchError) -> Error {
    match err {
        SearchError::Incomplete(err) => err.into(),
        SearchError::Overrun(err) => err.into(),
        SearchError::Other(err) => err,
    }
}

#[inline]
fn append(buffer: &mut ReadBuffer, n: usize, data: &mut Vec<u8>) -> usize {
    data.extend_from_slice(&buffer.as_slice()[..n]);
    buffer.consume(n);
    n
}
