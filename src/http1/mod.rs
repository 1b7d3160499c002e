//! HTTP/1.1 and 1.0 (RFC 9110, RFC 9112): machines without I/O, and a client on one of them.

mod chunked;
mod client;
mod client_connection;
mod encode;
mod fields;
mod incoming;
mod last_head;
mod outgoing;
mod parse;
mod plain_request;
mod protocol;
mod server;
mod stash;

pub use client::{Client, ClientError, ClientRequest, ClientResponse, Connect, Upgraded};
pub use client_connection::{ClientConnection, ClientEvent, IncomingResponse};
pub(crate) use last_head::LastHead;
pub(crate) use protocol::{Http1Protocol, Site};
pub use server::{BodySize, IncomingRequest, ServerConnection, ServerEvent};
