//! WebSocket: RFC 6455 with the compression of RFC 7692.

mod client;
mod close;
mod error;
mod handshake;
mod message;

pub use client::{Connect, ConnectError, DEFAULT_OPEN_TIMEOUT, Opened, connect};
pub use close::{CloseCode, CloseFrame, MAX_CLOSE_REASON};
pub use error::{Closed, WebSocketError};
pub use handshake::{
    Accepted, BadOrigin, BadUrl, ClientHandshake, HandshakeError, MAX_SUBPROTOCOLS, Opening, Origin, Origins, Rejected,
    Rejection, ServerHandshake, WebSocketUrl,
};
pub use message::{Message, Utf8Bytes};
