//! What every version of HTTP shares: heads, targets, headers, bodies, errors and limits.
//!
//! A head is one buffer and offsets into it: a [`RequestHead`] that nobody looks at costs a copy of its bytes, and the
//! types of the [`http`] crate are made when they are asked for. Nothing here does I/O or looks at a clock.

mod body;
mod byte_set;
mod chunks;
mod error;
mod head;
mod header_list;
mod headers;
mod host;
mod limits;
mod percent;
mod recycled;
mod response;
mod target;

pub use body::{Body, BodyError};
pub use error::{Fault, HttpError};
pub use head::{RequestHead, ResponseHead};
pub use header_list::HeaderList;
pub use headers::Headers;
pub use limits::{
    DEFAULT_MAX_BODY_SIZE, DEFAULT_MAX_CHUNK_EXTENSIONS, DEFAULT_MAX_HEAD_SIZE, DEFAULT_MAX_HEADERS,
    DEFAULT_MAX_REQUEST_LINE, DEFAULT_MAX_TRAILERS_SIZE, Limits,
};
pub use percent::{BadPercentEncoding, percent_decode, percent_decode_lossy};
pub use response::{IntoResponse, Response, ResponseBody};
pub use target::Target;

pub use ::http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};

pub(crate) use body::{BodySource, BodyWriter};
pub(crate) use byte_set::{ByteSet, IN_TOKEN};
pub(crate) use head::{Field, HeadBuffer, RequestLine, Span};
pub(crate) use headers::tokens;
pub(crate) use host::is_host;
#[cfg(feature = "websocket")]
pub(crate) use recycled::changed_copy_of;
pub(crate) use response::BodyKind;
