//! [`Body`]: the body of a message that comes in, pulled by who reads it.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures::Stream;

use super::chunks::Chunks;
use super::error::{Fault, HttpError};
#[cfg(feature = "tower")]
use super::foreign_body::{Foreign, ForeignBody};
use super::header_list::HeaderList;
#[cfg(feature = "app")]
use super::multi_dict::TooManyPairs;

/// The body of a request that came in, or of a response to a client.
///
/// It is pulled: what nobody reads waits in the sockets' buffers, but for at most one read of 256 KiB. Dropped before
/// its end, the rest of it is skipped, or the connection closed if there is much of it.
///
/// # Cancel safety
///
/// A read that is cancelled has lost nothing.
pub struct Body {
    source: Source,
}

enum Source {
    /// In a box, because few have one, and all that takes a request carries the room for it.
    Full(Option<Box<Bytes>>),
    Queue(Rc<RefCell<Queue>>),
    #[cfg(feature = "tower")]
    Foreign(Box<Foreign>),
}

/// What the connection is told of its body.
pub(crate) trait BodySource {
    /// The reader waits, and nothing is there.
    fn body_wanted(&self);
    /// The reader was dropped.
    fn body_abandoned(&self);
}

struct Queue {
    chunks: Chunks,
    /// As the reader has taken it.
    n_read: u64,
    declared: Option<u64>,
    limit: Option<u64>,
    end: Option<Result<HeaderList, BodyError>>,
    waker: Option<Waker>,
    source: Option<Rc<dyn BodySource>>,
    /// It is the body of a response.
    is_of_response: bool,
}

impl Queue {
    fn poll(&mut self, cx: &mut Context<'_>) -> Result<Polled, BodyError> {
        let n_least = self.n_read.max(self.declared.unwrap_or(0));
        if let Some(limit) = self.limit.filter(|limit| n_least > *limit) {
            return Err(BodyError::TooLarge { limit });
        }
        if let Some(chunk) = self.chunks.pop() {
            let n_read = self.n_read.saturating_add(chunk.len() as u64);
            if let Some(limit) = self.limit.filter(|limit| n_read > *limit) {
                // It is there for who sets a larger limit and goes on.
                self.chunks.put_back(chunk);
                return Err(BodyError::TooLarge { limit });
            }
            self.n_read = n_read;
            return Ok(Polled::Chunk(chunk));
        }
        match &self.end {
            Some(Ok(_)) => return Ok(Polled::End),
            Some(Err(err)) => return Err(err.clone()),
            None => {}
        }
        let is_known = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        let old = if is_known { None } else { self.waker.replace(cx.waker().clone()) };
        Ok(Polled::Pending { source: self.source.clone(), old })
    }

    /// What is wrong, as the reader is told.
    fn error(&self, err: BodyError) -> BodyError {
        if self.is_of_response { BodyError::Response(Box::new(err)) } else { err }
    }
}

enum Polled {
    Chunk(Bytes),
    End,
    /// What there is to be done once the queue is let go.
    Pending {
        source: Option<Rc<dyn BodySource>>,
        old: Option<Waker>,
    },
}

impl Body {
    /// A body of no bytes.
    pub const fn empty() -> Self {
        Body { source: Source::Full(None) }
    }

    /// The length in bytes if it is known before the body is read: `Content-Length`, or of what was given whole.
    pub fn content_length(&self) -> Option<u64> {
        match &self.source {
            Source::Full(bytes) => Some(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Queue(queue) => queue.borrow().declared,
            #[cfg(feature = "tower")]
            Source::Foreign(foreign) => foreign.content_length(),
        }
    }

    /// Whether it is known to have no bytes left.
    pub fn is_end(&self) -> bool {
        match &self.source {
            Source::Full(bytes) => bytes.is_none(),
            Source::Queue(queue) => {
                let queue = queue.borrow();
                queue.chunks.is_empty() && matches!(queue.end, Some(Ok(_)))
            }
            #[cfg(feature = "tower")]
            Source::Foreign(foreign) => foreign.is_end(),
        }
    }

    /// Refuses more than `limit` bytes from now on, of the whole body; `None` leaves only the limit of the connection. What
    /// was refused before is still there.
    pub fn set_limit(&mut self, limit: Option<u64>) {
        match &mut self.source {
            Source::Full(_) => {}
            Source::Queue(queue) => queue.borrow_mut().limit = limit,
            #[cfg(feature = "tower")]
            Source::Foreign(foreign) => foreign.set_limit(limit),
        }
    }

    /// The next piece, never empty; `None` at the end. Small ones that came together are put together.
    ///
    /// # Errors
    ///
    /// [`BodyError`]; the same one again when asked again.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// As [`chunk`](Body::chunk), for futures written by hand.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        let queue = match &mut self.source {
            Source::Full(bytes) => return Poll::Ready(Ok(bytes.take().map(|bytes| *bytes))),
            Source::Queue(queue) => queue,
            #[cfg(feature = "tower")]
            Source::Foreign(foreign) => return foreign.poll_chunk(cx),
        };
        let (source, old) = {
            let mut queue = queue.borrow_mut();
            match queue.poll(cx) {
                Ok(Polled::Chunk(chunk)) => return Poll::Ready(Ok(Some(chunk))),
                Ok(Polled::End) => return Poll::Ready(Ok(None)),
                Ok(Polled::Pending { source, old }) => (source, old),
                Err(err) => return Poll::Ready(Err(queue.error(err))),
            }
        };
        drop(old);
        if let Some(source) = source {
            source.body_wanted();
        }
        Poll::Pending
    }

    /// Reads to the end and gives everything: Quart's `get_data`. What came in one piece is not copied.
    ///
    /// # Errors
    ///
    /// [`BodyError`].
    pub async fn bytes(&mut self) -> Result<Bytes, BodyError> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(chunk) = self.chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// As [`bytes`](Body::bytes), as text.
    ///
    /// # Errors
    ///
    /// [`BodyError`]; [`BodyError::NotUtf8`] if it is no UTF-8.
    pub async fn text(&mut self) -> Result<String, BodyError> {
        String::from_utf8(self.bytes().await?.into()).map_err(|_| match &self.source {
            Source::Queue(queue) => queue.borrow().error(BodyError::NotUtf8),
            _ => BodyError::NotUtf8,
        })
    }

    /// The trailers, once the body was read to its end.
    pub fn trailers(&self) -> Option<HeaderList> {
        match &self.source {
            Source::Full(_) => None,
            Source::Queue(queue) => {
                queue.borrow().end.as_ref()?.as_ref().ok().filter(|trailers| !trailers.is_empty()).cloned()
            }
            #[cfg(feature = "tower")]
            Source::Foreign(foreign) => foreign.trailers(),
        }
    }

    /// Everything that is left and the trailers, if all of it has come in one piece.
    #[cfg(feature = "tower")]
    pub(crate) fn take_whole(&mut self) -> Option<(Option<Bytes>, Option<HeaderList>)> {
        match &mut self.source {
            Source::Full(bytes) => Some((bytes.take().map(|bytes| *bytes), None)),
            Source::Queue(queue) => {
                let mut queue = queue.borrow_mut();
                let is_whole = matches!(queue.end, Some(Ok(_))) && queue.chunks.is_one_piece() && queue.limit.is_none();
                if !is_whole {
                    return None;
                }
                let bytes = queue.chunks.pop();
                drop(queue);
                Some((bytes, self.trailers()))
            }
            Source::Foreign(_) => None,
        }
    }

    /// One of another kind, whose length may be known.
    #[cfg(feature = "tower")]
    pub(crate) fn foreign(body: impl ForeignBody + 'static, declared: Option<u64>) -> Self {
        Body { source: Source::Foreign(Box::new(Foreign::new(body, declared))) }
    }

    /// A body and the end that fills it.
    pub(crate) fn channel(source: Rc<dyn BodySource>, declared: Option<u64>) -> (BodyWriter, Body) {
        let queue = Rc::new(RefCell::new(Queue {
            chunks: Chunks::default(),
            n_read: 0,
            declared,
            limit: None,
            end: None,
            waker: None,
            source: Some(source),
            is_of_response: false,
        }));
        (BodyWriter { queue: queue.clone() }, Body { source: Source::Queue(queue) })
    }

    /// Says that it is the body of a response: what is wrong with it is no fault of a client here.
    #[cfg(feature = "http1")]
    pub(crate) fn of_response(self) -> Self {
        if let Source::Queue(queue) = &self.source {
            queue.borrow_mut().is_of_response = true;
        }
        self
    }
}

impl Default for Body {
    fn default() -> Self {
        Body::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body { source: Source::Full((!bytes.is_empty()).then(|| Box::new(bytes))) }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let Source::Queue(queue) = &self.source else { return };
        let (source, waker, chunks) = {
            let mut queue = queue.borrow_mut();
            (queue.source.take(), queue.waker.take(), std::mem::take(&mut queue.chunks))
        };
        drop((waker, chunks));
        if let Some(source) = source {
            source.body_abandoned();
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(cx).map(Result::transpose)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content_length() {
            Some(length) => write!(f, "Body({length} bytes)"),
            None => f.write_str("Body(of unknown length)"),
        }
    }
}

/// The end of a body that the connection fills.
#[derive(Clone)]
pub(crate) struct BodyWriter {
    queue: Rc<RefCell<Queue>>,
}

impl BodyWriter {
    /// Hands a piece to the reader, and gives how many bytes wait for it.
    pub(crate) fn push(&self, chunk: Bytes) -> usize {
        self.push_with(|chunks| chunks.push(chunk))
    }

    /// As [`push`](BodyWriter::push), for a piece that has to be copied.
    pub(crate) fn copy(&self, piece: &[u8]) -> usize {
        self.push_with(|chunks| chunks.copy(piece))
    }

    fn push_with(&self, push: impl FnOnce(&mut Chunks)) -> usize {
        let (waker, n_buffered) = {
            let mut queue = self.queue.borrow_mut();
            if queue.source.is_none() || queue.end.is_some() {
                return 0;
            }
            push(&mut queue.chunks);
            (queue.waker.take(), queue.chunks.len())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        n_buffered
    }

    /// How many bytes wait for the reader.
    pub(crate) fn n_buffered(&self) -> usize {
        self.queue.borrow().chunks.len()
    }

    /// The body is over, one way or the other. Only the first end counts.
    pub(crate) fn end(&self, end: Result<HeaderList, BodyError>) {
        let (waker, source) = {
            let mut queue = self.queue.borrow_mut();
            if queue.end.is_none() {
                queue.end = Some(end);
            }
            (queue.waker.take(), queue.source.take())
        };
        drop(source);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Why a body has no end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The peer went away before the end.
    Disconnected,
    /// Nothing came for as long as the time-out of the body allows.
    TimedOut,
    /// Longer than the limit of its reader.
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// The peer broke the protocol, a limit of the connection included.
    Malformed(HttpError),
    /// Asked for as text, and none.
    NotUtf8,
    /// It is the body of a response, which another server has sent, and this is wrong with it: a handler that passes the
    /// error on has failed, and not its client.
    Response(Box<BodyError>),
}

impl BodyError {
    /// The status that a request with such a body is answered with: 500 if it is the body of a response.
    pub fn status(&self) -> StatusCode {
        match self {
            BodyError::TimedOut => StatusCode::REQUEST_TIMEOUT,
            BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Malformed(err) => err.status(),
            BodyError::Disconnected | BodyError::NotUtf8 => StatusCode::BAD_REQUEST,
            BodyError::Response(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::Disconnected => f.write_str("the peer went away before the end of the body"),
            BodyError::TimedOut => f.write_str("nothing more of the body came in time"),
            BodyError::TooLarge { limit } => write!(f, "the body is larger than {limit} bytes"),
            BodyError::Malformed(err) => err.fmt(f),
            BodyError::NotUtf8 => f.write_str("the body is not UTF-8"),
            BodyError::Response(_) => f.write_str("the response of another server cannot be read"),
        }
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BodyError::Response(err) => Some(&**err),
            _ => None,
        }
    }
}

/// The status of an error that is the client's fault.
pub(crate) fn client_fault(err: &crate::Error) -> Option<StatusCode> {
    let of_request = |err: &&BodyError| !matches!(err, BodyError::Response(_));
    let of_body = err.downcast_ref().filter(of_request).map(BodyError::status);
    #[cfg(feature = "app")]
    let of_pairs = || err.downcast_ref().map(TooManyPairs::status);
    #[cfg(not(feature = "app"))]
    let of_pairs = || None;
    let of_peer = || err.downcast_ref().filter(|err: &&HttpError| err.fault() == Fault::Peer).map(HttpError::status);
    of_body.or_else(of_pairs).or_else(of_peer)
}
