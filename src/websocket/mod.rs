//! WebSocket (RFC 6455) with its compression (RFC 7692): machines without I/O, a server and a client on them, and
//! [`WebSocket`], which an application holds.
//!
//! [`upgrade`] makes one of a request, [`connect`] asks a server for one.
//!
//! | Quart, or Python's `websockets` | here | what differs |
//! | --- | --- | --- |
//! | `@app.websocket` | [`upgrade`] in a handler, or [`websocket()`](websocket) as one | |
//! | `websocket.accept(headers, subprotocol)` | [`accept`](WebSocket::accept), [`accept_with`](WebSocket::accept_with) | |
//! | a response that is returned before `accept` | [`reject`](WebSocket::reject) | |
//! | `receive`, `send`, `receive_json`, `send_json` | the same | the end is an error that says the peer's code and reason; what came before is delivered |
//! | `send` of an iterable | [`start_message`](WebSocket::start_message) | |
//! | `close(code, reason)` | [`close`](WebSocket::close) | gives how it ended |
//! | an exception of the handler | 1011 | Quart-Trio: 1000 |
//! | `ping` | [`ping`](WebSocket::ping) | gives the time to the pong |
//! | `broadcast(connections, message)` | [`Broadcast`] | slow members are skipped or closed, by policy; compressed once |
//! | `websockets.connect` | [`connect`] | a child of a nursery; no redirects, no proxies |
//! | `max_size`, `max_queue`, `ping_interval`, `ping_timeout`, `close_timeout`, `compression`, `origins`, `subprotocols` | [`Config`] | 16 MiB, 10 messages, own origin |

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
#[cfg(feature = "app")]
pub(crate) use protocol::{Upgrading, is_end};
