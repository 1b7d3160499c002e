//! HTTP/1.1 and 1.0 (RFC 9110, RFC 9112): machines without I/O.

mod chunked;
mod encode;
mod fields;
mod incoming;
mod outgoing;
mod parse;
mod protocol;
mod server;
mod stash;

pub(crate) use protocol::{Http1Protocol, Site};
pub use server::{BodySize, IncomingRequest, ServerConnection, ServerEvent};
