//! [`Response`]: what a handler answers.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::{HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use futures::{Stream, StreamExt};

use super::body::Body;
use super::header_list::HeaderList;
use crate::{Error, Result};

/// A response: a status, header fields and a body. `Date`, `Content-Length`, `Transfer-Encoding` and `Connection` are
/// the connection's to set.
///
/// ```
/// use foster::http::{HeaderValue, Response, StatusCode, header};
///
/// let mut response = Response::text("gone fishing");
/// response.set_status(StatusCode::SERVICE_UNAVAILABLE);
/// response.headers_mut().append(header::RETRY_AFTER, HeaderValue::from_static("120"));
/// ```
#[derive(Debug)]
pub struct Response {
    pub(crate) status: StatusCode,
    /// Apart from the others, so that a plain response allocates no list.
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) headers: HeaderList,
    pub(crate) body: ResponseBody,
}

impl Response {
    /// An empty response.
    pub fn new(status: StatusCode) -> Self {
        Response { status, content_type: None, headers: HeaderList::new(), body: ResponseBody::empty() }
    }

    /// 200 with text in UTF-8.
    pub fn text(body: impl Into<ResponseBody>) -> Self {
        Response::with_type(HeaderValue::from_static("text/plain; charset=utf-8"), body)
    }

    /// A status, and its name for a text.
    pub(crate) fn reason(status: StatusCode) -> Self {
        Response::text(status.canonical_reason().unwrap_or_default()).with_status(status)
    }

    /// 200 with bytes of any kind.
    pub fn bytes(body: impl Into<ResponseBody>) -> Self {
        Response::with_type(HeaderValue::from_static("application/octet-stream"), body)
    }

    /// 200 with a body of that `Content-Type`.
    pub fn with_type(content_type: HeaderValue, body: impl Into<ResponseBody>) -> Self {
        Response {
            status: StatusCode::OK,
            content_type: Some(content_type),
            headers: HeaderList::new(),
            body: body.into(),
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Sets the status: 1xx are not for here, and are answered with 500.
    pub fn set_status(&mut self, status: StatusCode) {
        self.status = status;
    }

    /// `Content-Type`.
    pub fn content_type(&self) -> Option<&HeaderValue> {
        self.content_type.as_ref().or_else(|| self.headers.get(&header::CONTENT_TYPE))
    }

    /// Sets `Content-Type`, or takes it away.
    pub fn set_content_type(&mut self, content_type: Option<HeaderValue>) {
        self.headers.remove(&header::CONTENT_TYPE);
        self.content_type = content_type;
    }

    /// The header fields, but for `Content-Type`.
    pub fn headers(&self) -> &HeaderList {
        &self.headers
    }

    /// The header fields, but for `Content-Type`.
    pub fn headers_mut(&mut self) -> &mut HeaderList {
        &mut self.headers
    }

    /// The same with another status.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with one more header field.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The body.
    pub fn body(&self) -> &ResponseBody {
        &self.body
    }

    /// Puts another body in.
    pub fn set_body(&mut self, body: impl Into<ResponseBody>) {
        self.body = body.into();
    }

    /// The body, with an empty one left in its place.
    pub fn take_body(&mut self) -> ResponseBody {
        std::mem::take(&mut self.body)
    }
}

/// The body of a response: there as a whole, or made while it is sent.
pub struct ResponseBody {
    pub(crate) kind: BodyKind,
}

pub(crate) enum BodyKind {
    Full(Bytes),
    Stream(Box<BodyStream>),
    Incoming(Body),
}

/// The pieces of a body, as they are made.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes>>>>;

/// Trailers, to be made behind the last piece.
pub(crate) type MakeTrailers = Box<dyn FnOnce() -> HeaderList>;

/// A body in pieces, maybe with a length and trailers.
pub(crate) struct BodyStream {
    chunks: Chunks,
    length: Option<u64>,
    trailers: Option<MakeTrailers>,
}

#[cfg(feature = "tower")]
impl BodyStream {
    /// Somebody has taken so many bytes, whom the length that is left concerns.
    pub(crate) fn note_taken(&mut self, n: usize) {
        self.length = self.length.map(|length| length.saturating_sub(n as u64));
    }
}

impl ResponseBody {
    /// No bytes.
    pub const fn empty() -> Self {
        ResponseBody { kind: BodyKind::Full(Bytes::new()) }
    }

    /// Pieces as they are made: chunked to HTTP/1.1, ended by the end of the connection to HTTP/1.0. The next piece is
    /// asked for when the peer has taken enough of the last ones. An error cuts the connection, so that the peer can
    /// tell; it is reported.
    pub fn stream<S, E>(chunks: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + 'static,
        E: Into<Error>,
    {
        let chunks = Box::pin(chunks.map(|chunk| chunk.map_err(Into::into)));
        ResponseBody { kind: BodyKind::Stream(Box::new(BodyStream { chunks, length: None, trailers: None })) }
    }

    /// As [`stream`](ResponseBody::stream) with the length known before: it is sent with `Content-Length`. A stream of
    /// another length is an error of the handler, and cuts the connection.
    pub fn sized_stream<S, E>(length: u64, chunks: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + 'static,
        E: Into<Error>,
    {
        let mut body = ResponseBody::stream(chunks);
        if let BodyKind::Stream(stream) = &mut body.kind {
            stream.length = Some(length);
        }
        body
    }

    /// Sends trailers, made when the last piece was, behind a stream of unknown length. They reach a client of HTTP/1.1
    /// that said `TE: trailers`; to any other, and behind bodies of another kind, they are not sent (RFC 9110, 6.5.1).
    pub fn with_trailers(mut self, trailers: impl FnOnce() -> HeaderList + 'static) -> Self {
        if let BodyKind::Stream(stream) = &mut self.kind {
            stream.trailers = Some(Box::new(trailers));
        }
        self
    }

    /// The length in bytes, if it is known before the body is sent.
    pub fn content_length(&self) -> Option<u64> {
        match &self.kind {
            BodyKind::Full(bytes) => Some(bytes.len() as u64),
            BodyKind::Stream(stream) => stream.length,
            BodyKind::Incoming(body) => body.content_length(),
        }
    }

    /// Whether it is there as a whole.
    #[cfg(feature = "app")]
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.kind, BodyKind::Full(_))
    }

    /// The bytes, if they are there as a whole.
    #[cfg(all(feature = "app", feature = "testing"))]
    pub(crate) fn into_whole(self) -> Option<Bytes> {
        match self.kind {
            BodyKind::Full(bytes) => Some(bytes),
            BodyKind::Stream(_) | BodyKind::Incoming(_) => None,
        }
    }

    /// The same, with what `wrap` makes of its pieces if it is made while it is sent.
    #[cfg(any(feature = "app", feature = "tower"))]
    pub(crate) fn map_stream<S>(self, wrap: impl FnOnce(Chunks) -> S) -> Self
    where
        S: Stream<Item = Result<Bytes>> + 'static,
    {
        let stream = match self.kind {
            BodyKind::Full(_) => return self,
            BodyKind::Stream(mut stream) => {
                stream.chunks = Box::pin(wrap(stream.chunks));
                stream
            }
            BodyKind::Incoming(body) => {
                let length = body.content_length();
                let chunks: Chunks = Box::pin(body.map(|chunk| chunk.map_err(Into::into)));
                Box::new(BodyStream { chunks: Box::pin(wrap(chunks)), length, trailers: None })
            }
        };
        ResponseBody { kind: BodyKind::Stream(stream) }
    }

    /// The same, with trailers that `wrap` has made, if there are any to be made.
    #[cfg(feature = "app")]
    pub(crate) fn map_trailers<M>(mut self, wrap: impl FnOnce(MakeTrailers) -> M) -> Self
    where
        M: FnOnce() -> HeaderList + 'static,
    {
        if let BodyKind::Stream(stream) = &mut self.kind {
            stream.trailers = stream.trailers.take().map(|make| -> MakeTrailers { Box::new(wrap(make)) });
        }
        self
    }

    /// The next piece; `None` at the end.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match &mut self.kind {
            BodyKind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            BodyKind::Stream(stream) => stream.chunks.as_mut().poll_next(cx),
            BodyKind::Incoming(body) => {
                body.poll_chunk(cx).map(|chunk| chunk.transpose().map(|chunk| chunk.map_err(Error::from)))
            }
        }
    }

    /// The trailers, once the last piece was given.
    pub(crate) fn take_trailers(&mut self) -> HeaderList {
        match &mut self.kind {
            BodyKind::Stream(stream) => stream.trailers.take().map(|make| make()).unwrap_or_default(),
            BodyKind::Full(_) | BodyKind::Incoming(_) => HeaderList::new(),
        }
    }
}

impl Default for ResponseBody {
    fn default() -> Self {
        ResponseBody::empty()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content_length() {
            Some(length) => write!(f, "ResponseBody({length} bytes)"),
            None => f.write_str("ResponseBody(of unknown length)"),
        }
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        ResponseBody { kind: BodyKind::Full(bytes) }
    }
}

impl From<Vec<u8>> for ResponseBody {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for ResponseBody {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for ResponseBody {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<Box<str>> for ResponseBody {
    fn from(text: Box<str>) -> Self {
        String::from(text).into()
    }
}

impl From<Cow<'static, str>> for ResponseBody {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<&'static [u8]> for ResponseBody {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

/// Bytes as a literal has them: `b"\x00\x01"`.
impl<const N: usize> From<&'static [u8; N]> for ResponseBody {
    fn from(bytes: &'static [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

/// The body of a request as the body of its response: an echo, or a proxy's answer. It is sent as it comes in.
impl From<Body> for ResponseBody {
    fn from(body: Body) -> Self {
        ResponseBody { kind: BodyKind::Incoming(body) }
    }
}
