//! The handshake that opens a WebSocket, on both sides: from a head to a head, without I/O.

mod accept_key;
mod authority;
mod client;
mod error;
mod fields;
mod opening;
mod origin;
mod rejected;
mod server;
mod subprotocols;
mod url;

pub use client::{Accepted, ClientHandshake};
pub use error::HandshakeError;
pub use opening::Opening;
pub use origin::{BadOrigin, Origin, Origins};
pub use rejected::{Rejected, Rejection};
pub use server::ServerHandshake;
pub use subprotocols::MAX_SUBPROTOCOLS;
pub use url::{BadUrl, WebSocketUrl};
