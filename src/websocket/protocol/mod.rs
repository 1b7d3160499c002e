//! The protocol of a WebSocket, and how applications hold one.

mod batch;
mod broadcast;
mod config;
mod hub;
mod message_writer;
mod session;
mod upgrade;
mod upgrading;
mod websocket;

pub use broadcast::{Broadcast, DEFAULT_MAX_UNSENT, Membership, Slow};
pub use config::{Config, DEFAULT_MAX_QUEUE};
pub use message_writer::MessageWriter;
pub use upgrade::{upgrade, websocket};
pub use websocket::{WebSocket, WebSocketReceiver, WebSocketSender};

pub(crate) use hub::Hub;
#[cfg(feature = "app")]
pub(crate) use upgrading::{Upgrading, is_end};
