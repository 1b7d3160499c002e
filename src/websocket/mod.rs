//! WebSocket: RFC 6455 with the compression of RFC 7692.

mod client;
mod close;
mod connection;
mod deflate;
mod error;
mod extensions;
mod frame;
mod handshake;
mod incoming;
mod mask;
mod message;
mod prepared;
mod protocol;
mod utf8;

pub use client::{Connect, ConnectError, DEFAULT_OPEN_TIMEOUT, Opened, connect};
pub use close::{CloseCode, CloseFrame, MAX_CLOSE_REASON};
pub use connection::{Connection, DEFAULT_MAX_MESSAGE_SIZE, Event, Role};
pub use deflate::{
    DEFAULT_DEFLATE_BUDGET, Deflate, DeflateBudget, DeflateConfig, DeflateOffer, DeflateParams, INFLATER_SIZE,
    deflater_size,
};
pub use error::{Closed, WebSocketError};
pub use frame::MAX_CONTROL_PAYLOAD;
pub use handshake::{
    Accepted, BadOrigin, BadUrl, ClientHandshake, HandshakeError, MAX_SUBPROTOCOLS, Opening, Origin, Origins, Rejected,
    Rejection, ServerHandshake, WebSocketUrl,
};
pub use message::{Message, MessageKind, Utf8Bytes};
pub use prepared::PreparedMessage;
pub use protocol::{
    Broadcast, Config, DEFAULT_MAX_QUEUE, DEFAULT_MAX_UNSENT, Membership, MessageWriter, Slow, WebSocket,
    WebSocketReceiver, WebSocketSender, upgrade, websocket,
};

pub(crate) use protocol::Hub;
