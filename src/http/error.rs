//! [`HttpError`]: what is wrong with a message, whose fault it is, and which status answers it.

use std::fmt;

use ::http::StatusCode;

/// Whose fault an error is: h11's `RemoteProtocolError` and `LocalProtocolError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The peer broke the protocol.
    Peer,
    /// This side was about to.
    Local,
}

/// A message that breaks the rules of HTTP. After one nothing more is read from that connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpError {
    /// The request line is not `method target version` with single spaces (RFC 9112, 3).
    RequestLine,
    /// The status line is not `version status reason` (RFC 9112, 4).
    StatusLine,
    /// The target is in none of the four forms, or not in the one its method asks for (RFC 9112, 3.2).
    Target,
    /// A version that is not spoken here (RFC 9112, 2.3).
    Version,
    /// A line ends in a bare CR or LF (RFC 9112, 2.2).
    LineEnd,
    /// A field name is not a token, or whitespace stands before its colon or at the start of its line (RFC 9112, 5).
    HeaderName,
    /// A control byte in a field value, or a bare CR (RFC 9110, 5.5).
    HeaderValue,
    /// A request of HTTP/1.1 without `Host` (RFC 9112, 3.2).
    HostMissing,
    /// More than one `Host` (RFC 9112, 3.2).
    HostRepeated,
    /// `Host` or the authority of the target is no host and port (RFC 9112, 3.2).
    Host,
    /// `Content-Length` beside `Transfer-Encoding` (RFC 9112, 6.1).
    LengthAndTransferEncoding,
    /// `Content-Length` is repeated, or not a number that fits 64 bits (RFC 9112, 6.3).
    ContentLength,
    /// `Transfer-Encoding` does not end in exactly one `chunked` (RFC 9112, 6.1).
    TransferEncoding,
    /// A transfer coding that is not spoken here (RFC 9112, 6.1).
    TransferCoding,
    /// `Transfer-Encoding` in a message of HTTP/1.0 (RFC 9112, 6.1).
    TransferEncodingBefore11,
    /// An expectation other than `100-continue` (RFC 9110, 10.1.1).
    Expectation,
    /// The request line is longer than the limit.
    RequestLineTooLong {
        /// In bytes.
        limit: usize,
    },
    /// The head is larger than the limit.
    HeadTooLarge {
        /// In bytes.
        limit: usize,
    },
    /// More header fields than the limit.
    TooManyHeaders {
        /// How many there may be.
        limit: usize,
    },
    /// The body is larger than the limit, as declared or as streamed.
    BodyTooLarge {
        /// In bytes.
        limit: u64,
    },
    /// A chunk size is not 1 to 16 hexadecimal digits (RFC 9112, 7.1).
    ChunkSize,
    /// A chunk extension holds a control byte or a bare line end (RFC 9112, 7.1.1).
    ChunkExtension,
    /// The chunk extensions are longer than the limit.
    ChunkExtensionsTooLong {
        /// In bytes, over the whole body.
        limit: usize,
    },
    /// The data of a chunk does not end in CRLF (RFC 9112, 7.1).
    ChunkEnd,
    /// A trailer field that frames or routes messages (RFC 9110, 6.5.1).
    Trailer,
    /// The section of trailers is larger than the limit.
    TrailersTooLarge {
        /// In bytes.
        limit: usize,
    },
    /// The stream ended within a message.
    Incomplete,
    /// Data came that no request has asked for.
    Unexpected,
    /// Local: the body is longer than its `Content-Length`, or there must be none.
    TooMuchBody,
    /// Local: the body ended before its `Content-Length`.
    TooLittleBody,
    /// Local: the header fields of a message to send contradict its body.
    Framing,
    /// Local: the machine is asked for something that its state has no room for.
    State(&'static str),
}

impl HttpError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            HttpError::TooMuchBody | HttpError::TooLittleBody | HttpError::Framing | HttpError::State(_) => {
                Fault::Local
            }
            _ => Fault::Peer,
        }
    }

    /// The status that answers it: 500 for what is this side's fault.
    pub fn status(&self) -> StatusCode {
        match self {
            HttpError::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            HttpError::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            HttpError::Expectation => StatusCode::EXPECTATION_FAILED,
            HttpError::RequestLineTooLong { .. } => StatusCode::URI_TOO_LONG,
            HttpError::HeadTooLarge { .. } | HttpError::TooManyHeaders { .. } | HttpError::TrailersTooLarge { .. } => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            HttpError::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ if self.fault() == Fault::Local => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HttpError::RequestLine => "the request line is not a method, a target and a version with one space between",
            HttpError::StatusLine => "the status line is not a version, a status of three digits and a reason",
            HttpError::Target => "the target of the request is none that its method may have",
            HttpError::Version => "the version is neither HTTP/1.1 nor HTTP/1.0",
            HttpError::LineEnd => "a line ends in a bare CR or LF: lines end in CRLF",
            HttpError::HeaderName => "a header field has a name that is no token, or whitespace around it",
            HttpError::HeaderValue => "a header field has a control byte in its value",
            HttpError::HostMissing => "a request of HTTP/1.1 has no Host",
            HttpError::HostRepeated => "a request has more than one Host",
            HttpError::Host => "the host of a request is no name or address with an optional port",
            HttpError::LengthAndTransferEncoding => "a message has both Content-Length and Transfer-Encoding",
            HttpError::ContentLength => "Content-Length is not one number that fits 64 bits",
            HttpError::TransferEncoding => "Transfer-Encoding is not exactly one final \"chunked\"",
            HttpError::TransferCoding => "a transfer coding is not known: \"chunked\" is",
            HttpError::TransferEncodingBefore11 => "a message of HTTP/1.0 has Transfer-Encoding",
            HttpError::Expectation => "an expectation is not known: \"100-continue\" is",
            HttpError::RequestLineTooLong { limit } => {
                return write!(f, "the request line is longer than {limit} bytes");
            }
            HttpError::HeadTooLarge { limit } => return write!(f, "the head is larger than {limit} bytes"),
            HttpError::TooManyHeaders { limit } => return write!(f, "there are more than {limit} header fields"),
            HttpError::BodyTooLarge { limit } => return write!(f, "the body is larger than {limit} bytes"),
            HttpError::ChunkSize => "a chunk size is not 1 to 16 hexadecimal digits",
            HttpError::ChunkExtension => "a chunk extension holds a control byte or a bare line end",
            HttpError::ChunkExtensionsTooLong { limit } => {
                return write!(f, "the chunk extensions are longer than {limit} bytes");
            }
            HttpError::ChunkEnd => "the data of a chunk does not end in CRLF",
            HttpError::Trailer => "a trailer field would frame or route the message",
            HttpError::TrailersTooLarge { limit } => return write!(f, "the trailers are larger than {limit} bytes"),
            HttpError::Incomplete => "the stream ended within a message",
            HttpError::Unexpected => "data came that no request has asked for",
            HttpError::TooMuchBody => "the body is longer than it was declared, or the message can have none",
            HttpError::TooLittleBody => "the body ended before its declared length",
            HttpError::Framing => {
                "the header fields contradict the body: leave Content-Length and Transfer-Encoding out"
            }
            HttpError::State(message) => message,
        })
    }
}

impl std::error::Error for HttpError {}
