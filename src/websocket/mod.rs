//! WebSocket: RFC 6455 with the compression of RFC 7692.

mod close;
mod deflate;
mod error;
mod extensions;
mod message;

pub use close::{CloseCode, CloseFrame, MAX_CLOSE_REASON};
pub use deflate::{
    DEFAULT_DEFLATE_BUDGET, Deflate, DeflateBudget, DeflateConfig, DeflateOffer, DeflateParams, INFLATER_SIZE,
    deflater_size,
};
pub use error::{Closed, WebSocketError};
pub use message::{Message, Utf8Bytes};
