//! What every version of HTTP shares: heads, targets, headers, bodies, errors and limits.
//!
//! A head is one buffer and offsets into it: a [`RequestHead`] that nobody looks at costs a copy of its bytes, and the
//! types of the [`http`] crate are made when they are asked for. Nothing here does I/O or looks at a clock.

#[cfg(feature = "app")]
mod accept;
#[cfg(feature = "app")]
mod authorization;
mod body;
mod byte_set;
mod chunks;
#[cfg(feature = "app")]
mod cookie;
#[cfg(feature = "app")]
mod cookies;
mod error;
mod escape;
#[cfg(feature = "tower")]
mod foreign_body;
mod head;
mod header_list;
mod headers;
mod host;
mod html;
mod into_response;
#[cfg(feature = "json")]
mod json;
mod limits;
#[cfg(feature = "app")]
mod multi_dict;
mod percent;
#[cfg(feature = "app")]
mod quoted;
mod recycled;
mod redirect;
mod response;
mod response_part;
mod target;
#[cfg(any(feature = "tower", all(feature = "app", feature = "testing")))]
mod written_head;

#[cfg(feature = "app")]
pub use accept::Accept;
#[cfg(feature = "app")]
pub use authorization::Authorization;
pub use body::{Body, BodyError};
#[cfg(feature = "app")]
pub use cookie::{CookieError, MAX_COOKIE_SIZE};
#[cfg(feature = "app")]
pub use cookies::Cookies;
pub use error::{Fault, HttpError};
pub use escape::escape;
pub use head::{RequestHead, ResponseHead};
pub use header_list::HeaderList;
pub use headers::Headers;
pub use html::Html;
pub use into_response::IntoResponse;
#[cfg(feature = "json")]
pub use json::Json;
pub use limits::{
    DEFAULT_MAX_BODY_SIZE, DEFAULT_MAX_CHUNK_EXTENSIONS, DEFAULT_MAX_HEAD_SIZE, DEFAULT_MAX_HEADERS,
    DEFAULT_MAX_REQUEST_LINE, DEFAULT_MAX_TRAILERS_SIZE, Limits,
};
#[cfg(feature = "app")]
pub use multi_dict::{MAX_PAIRS, MultiDict, TooManyPairs};
pub use percent::{BadPercentEncoding, percent_decode, percent_decode_lossy};
pub use redirect::{NotARedirect, redirect, redirect_with};
pub use response::{Response, ResponseBody};
pub use response_part::{PartError, ResponsePart};
pub use target::Target;

#[cfg(feature = "app")]
pub use ::cookie::{Cookie, CookieBuilder, Expiration, SameSite, time};
pub use ::http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};

pub(crate) use body::{BodySource, BodyWriter, client_fault};
pub(crate) use byte_set::{ByteSet, IN_TOKEN};
#[cfg(all(feature = "app", feature = "testing"))]
pub(crate) use cookies::unquoted;
#[cfg(feature = "tower")]
pub(crate) use foreign_body::ForeignBody;
#[cfg(feature = "websocket")]
pub(crate) use head::SharedHead;
pub(crate) use head::{Field, HeadBuffer, RequestLine, Span};
#[cfg(all(feature = "app", feature = "testing"))]
pub(crate) use header_list::length_in;
pub(crate) use headers::tokens;
pub(crate) use host::is_host;
#[cfg(feature = "app")]
pub(crate) use percent::{hex_pair, push_encoded};
#[cfg(feature = "app")]
pub(crate) use quoted::{parameter, split_quoted};
#[cfg(feature = "websocket")]
pub(crate) use recycled::changed_copy_of;
#[cfg(all(feature = "app", feature = "testing"))]
pub(crate) use redirect::to_uri;
pub(crate) use response::BodyKind;
#[cfg(feature = "app")]
pub(crate) use response::Chunks;
