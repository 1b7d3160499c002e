//! [`Limits`]: what a peer may cost, by name.

/// The longest request line: nginx's `large_client_header_buffers` is 8 KiB a line, Apache's `LimitRequestLine` 8,190.
pub const DEFAULT_MAX_REQUEST_LINE: usize = 8 * 1024;

/// The largest head, request line included: Hypercorn's `h11_max_incomplete_size`, h11's own default.
pub const DEFAULT_MAX_HEAD_SIZE: usize = 16 * 1024;

/// The most header fields of one message: Apache's `LimitRequestFields`, hyper's default.
pub const DEFAULT_MAX_HEADERS: usize = 100;

/// The largest body of a request: Quart's `MAX_CONTENT_LENGTH`.
pub const DEFAULT_MAX_BODY_SIZE: u64 = 16 * 1024 * 1024;

/// The most bytes that the chunk extensions of one message take in sum, which nobody reads: hyper's limit.
pub const DEFAULT_MAX_CHUNK_EXTENSIONS: usize = 16 * 1024;

/// The largest section of trailers: hyper's limit.
pub const DEFAULT_MAX_TRAILERS_SIZE: usize = 16 * 1024;

/// Offsets into a head are 16 bits wide.
pub(crate) const HIGHEST_HEAD_SIZE: usize = u16::MAX as usize;

/// Room on the stack for the fields of one message.
pub(crate) const HIGHEST_MAX_HEADERS: usize = 256;

/// What one message may cost. Each limit says which status answers a request that goes beyond it.
///
/// ```
/// use foster::http::Limits;
///
/// let limits = Limits::default().max_headers(32).max_body_size(Some(64 * 1024));
/// assert_eq!(limits.get_max_headers(), 32);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) request_line: usize,
    pub(crate) head: usize,
    pub(crate) headers: usize,
    pub(crate) body: Option<u64>,
    pub(crate) chunk_extensions: usize,
    pub(crate) trailers: usize,
    pub(crate) allows_unusual_targets: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_line: DEFAULT_MAX_REQUEST_LINE,
            head: DEFAULT_MAX_HEAD_SIZE,
            headers: DEFAULT_MAX_HEADERS,
            body: Some(DEFAULT_MAX_BODY_SIZE),
            chunk_extensions: DEFAULT_MAX_CHUNK_EXTENSIONS,
            trailers: DEFAULT_MAX_TRAILERS_SIZE,
            allows_unusual_targets: false,
        }
    }
}

impl Limits {
    /// The longest request line in bytes, its CRLF included: 414 beyond it. 8 KiB unless set.
    pub fn max_request_line(mut self, limit: usize) -> Self {
        self.request_line = limit;
        self
    }

    /// The largest head in bytes, from the first byte of the request line to the empty line: 431 beyond it, also where
    /// it came in a single read. 16 KiB unless set, 65,535 at most.
    pub fn max_head_size(mut self, limit: usize) -> Self {
        self.head = limit.min(HIGHEST_HEAD_SIZE);
        self
    }

    /// The most header fields, of a head and of the trailers each: 431 beyond it. 100 unless set, 256 at most.
    pub fn max_headers(mut self, limit: usize) -> Self {
        self.headers = limit.min(HIGHEST_MAX_HEADERS);
        self
    }

    /// The largest body in bytes, declared or streamed: 413 beyond it. 16 MiB unless set; `None` for no limit.
    pub fn max_body_size(mut self, limit: Option<u64>) -> Self {
        self.body = limit;
        self
    }

    /// The most bytes of chunk extensions in one body: 400 beyond it. 16 KiB unless set.
    pub fn max_chunk_extensions(mut self, limit: usize) -> Self {
        self.chunk_extensions = limit;
        self
    }

    /// The largest section of trailers in bytes: 431 beyond it. 16 KiB unless set, 65,535 at most.
    pub fn max_trailers_size(mut self, limit: usize) -> Self {
        self.trailers = limit.min(HIGHEST_HEAD_SIZE);
        self
    }

    /// Takes request targets with bytes beyond ASCII, which RFC 3986 refuses and some old clients send unescaped. Off
    /// unless set.
    pub fn allow_unusual_targets(mut self, is_on: bool) -> Self {
        self.allows_unusual_targets = is_on;
        self
    }

    /// See [`max_headers`](Limits::max_headers).
    pub fn get_max_headers(&self) -> usize {
        self.headers
    }

    /// See [`max_body_size`](Limits::max_body_size).
    pub fn get_max_body_size(&self) -> Option<u64> {
        self.body
    }
}
