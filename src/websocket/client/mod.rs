//! The client: from a URL to a connection that is a WebSocket.

mod connect;
mod error;

pub use connect::{Connect, DEFAULT_OPEN_TIMEOUT, Opened, connect};
pub use error::ConnectError;
