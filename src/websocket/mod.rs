//! WebSocket: RFC 6455 with the compression of RFC 7692.

mod close;
mod connection;
mod deflate;
mod error;
mod extensions;
mod frame;
mod incoming;
mod mask;
mod message;
mod prepared;
mod utf8;

pub use close::{CloseCode, CloseFrame, MAX_CLOSE_REASON};
pub use connection::{Connection, DEFAULT_MAX_MESSAGE_SIZE, Event, Role};
pub use deflate::{
    DEFAULT_DEFLATE_BUDGET, Deflate, DeflateBudget, DeflateConfig, DeflateOffer, DeflateParams, INFLATER_SIZE,
    deflater_size,
};
pub use error::{Closed, WebSocketError};
pub use frame::MAX_CONTROL_PAYLOAD;
pub use message::{Message, MessageKind, Utf8Bytes};
pub use prepared::PreparedMessage;
