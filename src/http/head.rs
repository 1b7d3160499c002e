//! [`RequestHead`] and [`ResponseHead`]: one buffer and offsets into it.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
#[cfg(feature = "websocket")]
use std::rc::Rc;

use ::http::{Method, StatusCode, Version};

#[cfg(any(feature = "app", feature = "tower"))]
use super::error::HttpError;
use super::headers::Headers;
use super::target::Target;

/// Buffers kept for the next head, in each thread: more than that many heads alive at once allocate anew.
const MAX_SPARE_BUFFERS: usize = 64;

/// A buffer that has grown beyond this is not kept.
const MAX_SPARE_SIZE: usize = 4 * 1024;

/// A piece of a head's text. Heads are smaller than 64 KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u16,
    len: u16,
}

impl Span {
    /// From one place to another.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Span { start: start as u16, len: (end - start) as u16 }
    }

    /// Where `piece` lies in `whole`, which it was cut from.
    pub(crate) fn of(piece: &[u8], whole: &[u8]) -> Self {
        let start = (piece.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        if start > whole.len() {
            // Only an empty piece may point elsewhere.
            return Span::default();
        }
        Span { start: start as u16, len: piece.len() as u16 }
    }

    pub(crate) fn start(self) -> usize {
        usize::from(self.start)
    }

    pub(crate) fn end(self) -> usize {
        usize::from(self.start) + usize::from(self.len)
    }

    #[cfg(any(feature = "app", feature = "tower"))]
    fn is_empty(self) -> bool {
        self.len == 0
    }

    pub(crate) fn cut(self, text: &[u8]) -> &[u8] {
        text.get(self.start()..self.end()).unwrap_or_default()
    }
}

/// A header field of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// The text of a head and where its fields stand, behind one pointer. Dropped, it is kept for the next head of the
/// thread.
pub(crate) struct HeadBuffer {
    /// Absent only while it is dropped.
    parts: Option<Box<Parts>>,
}

#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) text: Vec<u8>,
    pub(crate) fields: Vec<Field>,
    /// Of a request. It stands here so that a head is moved as one pointer.
    pub(crate) line: RequestLine,
    /// What of the path belongs to what the handler is mounted below; the path goes on behind it.
    root: Span,
}

/// What the line of a request says, and which field is `Host`.
#[derive(Clone, Default)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) target: Span,
    /// Empty for CONNECT, and for an absolute target that ends with its authority.
    pub(crate) path: Span,
    pub(crate) query: Option<Span>,
    /// The number of the `Host` field.
    pub(crate) host: Option<u16>,
}

thread_local! {
    #[expect(clippy::vec_box, reason = "it is the boxes that are used again")]
    static SPARE: RefCell<Vec<Box<Parts>>> = const { RefCell::new(Vec::new()) };
}

impl HeadBuffer {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
        HeadBuffer { parts: Some(spare.unwrap_or_default()) }
    }

    /// A copy of `text`, without fields.
    pub(crate) fn copy_of(text: &[u8]) -> Self {
        let mut buffer = HeadBuffer::new();
        buffer.text.extend_from_slice(text);
        buffer
    }

    pub(crate) fn headers(&self) -> Headers<'_> {
        Headers::new(&self.text, &self.fields)
    }

    /// Gives back the room for more than it holds: it will be kept for long.
    #[cfg(feature = "websocket")]
    fn shrink_to_fit(&mut self) {
        self.text.shrink_to_fit();
        self.fields.shrink_to_fit();
    }
}

impl Deref for HeadBuffer {
    type Target = Parts;

    #[inline]
    fn deref(&self) -> &Parts {
        self.parts.as_deref().expect("only a buffer that is dropped has lost its parts")
    }
}

impl DerefMut for HeadBuffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut Parts {
        self.parts.as_deref_mut().expect("only a buffer that is dropped has lost its parts")
    }
}

impl Drop for HeadBuffer {
    fn drop(&mut self) {
        let Some(mut parts) = self.parts.take().filter(|parts| parts.text.capacity() <= MAX_SPARE_SIZE) else { return };
        parts.text.clear();
        parts.fields.clear();
        parts.root = Span::default();
        // Once the thread ends there is nobody to keep it for.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MAX_SPARE_BUFFERS {
                spare.push(parts);
            }
        });
    }
}

impl Clone for HeadBuffer {
    fn clone(&self) -> Self {
        let mut buffer = HeadBuffer::copy_of(&self.text);
        buffer.fields.extend_from_slice(&self.fields);
        buffer.line = self.line.clone();
        buffer.root = self.root;
        buffer
    }
}

/// The head of a request: method, target, version and header fields, checked by the rules of RFC 9110 and 9112.
#[derive(Clone)]
pub struct RequestHead {
    pub(crate) buffer: HeadBuffer,
}

impl RequestHead {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.buffer.line.method
    }

    /// HTTP/1.0 or HTTP/1.1.
    pub fn version(&self) -> Version {
        self.buffer.line.version
    }

    /// The target as it came, without what the handler is mounted below: Werkzeug's `raw_uri`.
    pub fn target(&self) -> &str {
        self.cut(self.buffer.line.target)
    }

    /// The target in its form.
    pub fn target_form(&self) -> Target<'_> {
        let text = self.target();
        let method = self.method();
        Target::parse(text, *method == Method::CONNECT, *method == Method::OPTIONS)
            .unwrap_or(Target::Origin { path: text, query: None })
    }

    /// The path, with its percent-encoding: `*` for the whole server, empty for CONNECT. It is the part behind the
    /// [`root_path`](RequestHead::root_path).
    pub fn path(&self) -> &str {
        match self.cut(self.buffer.line.path) {
            "" if *self.method() != Method::CONNECT => "/",
            path => path,
        }
    }

    /// What the handler is mounted below, as it came in front of the path: ASGI's `root_path`. Empty for one that is not
    /// mounted.
    pub fn root_path(&self) -> &str {
        self.cut(self.buffer.root)
    }

    /// The [`root_path`](RequestHead::root_path) with the next `n` bytes of the path.
    #[cfg(feature = "app")]
    pub(crate) fn root_path_with(&self, n: usize) -> &str {
        self.cut(self.root_with(n))
    }

    #[cfg(any(feature = "app", feature = "tower"))]
    fn root_with(&self, n: usize) -> Span {
        let root = self.buffer.root;
        let start = if root.is_empty() { self.buffer.line.path.start() } else { root.start() };
        Span::new(start, start + root.end() - root.start() + n)
    }

    /// Moves the first `n` bytes of the path to the [`root_path`](RequestHead::root_path): up to a slash, or all.
    ///
    /// # Errors
    ///
    /// [`HttpError::HeadTooLarge`] if the target that is left has to be written anew, and there is no room for it.
    #[cfg(any(feature = "app", feature = "tower"))]
    pub(crate) fn mount(&mut self, n: usize) -> Result<(), HttpError> {
        let root = self.root_with(n);
        let buffer = &mut *self.buffer;
        let (text, line) = (&mut buffer.text, &mut buffer.line);
        let (target, path) = (line.target, line.path);
        let rest = Span::new(path.start() + n, path.end());
        if path.start() == target.start() && !rest.is_empty() {
            line.target = Span::new(rest.start(), target.end());
            line.path = rest;
        } else {
            // One without a slash at its start, or behind a host.
            let limit = usize::from(u16::MAX);
            let start = text.len();
            if start + target.end() - target.start() > limit {
                return Err(HttpError::HeadTooLarge { limit });
            }
            text.extend_from_within(target.start()..path.start());
            let path_start = text.len();
            text.extend_from_within(rest.start()..rest.end());
            if rest.is_empty() {
                text.push(b'/');
            }
            line.path = Span::new(path_start, text.len());
            if let Some(query) = &mut line.query {
                text.push(b'?');
                let query_start = text.len();
                text.extend_from_within(query.start()..query.end());
                *query = Span::new(query_start, text.len());
            }
            line.target = Span::new(start, text.len());
        }
        buffer.root = root;
        Ok(())
    }

    fn cut(&self, span: Span) -> &str {
        std::str::from_utf8(span.cut(&self.buffer.text)).unwrap_or_default()
    }

    /// What stands behind the question mark, if there is one: Werkzeug's `query_string`.
    pub fn query(&self) -> Option<&str> {
        self.buffer.line.query.map(|query| self.cut(query))
    }

    /// The host the request is for, with its port if one was given: of the target if it names one, else `Host`. `None`
    /// only in HTTP/1.0.
    pub fn host(&self) -> Option<&str> {
        let of_target = self.target_form().authority();
        of_target.or_else(|| {
            let field = self.buffer.fields.get(usize::from(self.buffer.line.host?))?;
            std::str::from_utf8(field.value.cut(&self.buffer.text)).ok()
        })
    }

    /// The header fields.
    pub fn headers(&self) -> Headers<'_> {
        self.buffer.headers()
    }

    /// The request line without its end, as access logs have it: the atom `r`.
    pub fn request_line(&self) -> &[u8] {
        let end = memchr::memchr(b'\r', &self.buffer.text).unwrap_or(self.buffer.text.len());
        &self.buffer.text[..end]
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", self.method())
            .field("target", &self.target())
            .field("version", &self.version())
            .field("headers", &self.headers())
            .finish()
    }
}

/// The head of a request with one owner, or with several.
#[cfg(feature = "websocket")]
#[derive(Clone)]
pub(crate) enum SharedHead {
    Alone(RequestHead),
    #[cfg_attr(not(feature = "app"), expect(dead_code, reason = "an application and its WebSocket have the same"))]
    Shared(Rc<RequestHead>),
}

#[cfg(feature = "websocket")]
impl SharedHead {
    /// Gives back the room for more than it holds, unless it has other owners.
    pub(crate) fn shrink_to_fit(&mut self) {
        match self {
            SharedHead::Alone(head) => head.buffer.shrink_to_fit(),
            SharedHead::Shared(head) => {
                if let Some(head) = Rc::get_mut(head) {
                    head.buffer.shrink_to_fit();
                }
            }
        }
    }
}

#[cfg(feature = "websocket")]
impl Deref for SharedHead {
    type Target = RequestHead;

    #[inline]
    fn deref(&self) -> &RequestHead {
        match self {
            SharedHead::Alone(head) => head,
            SharedHead::Shared(head) => head,
        }
    }
}

/// The head of a response: status, version and header fields.
#[derive(Clone)]
pub struct ResponseHead {
    pub(crate) buffer: HeadBuffer,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) reason: Span,
}

impl ResponseHead {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// HTTP/1.0 or HTTP/1.1.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The reason phrase, often empty, and to be ignored (RFC 9112, 4).
    pub fn reason(&self) -> &[u8] {
        self.reason.cut(&self.buffer.text)
    }

    /// The header fields.
    pub fn headers(&self) -> Headers<'_> {
        self.buffer.headers()
    }
}

impl fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("version", &self.version)
            .field("headers", &self.headers())
            .finish()
    }
}
