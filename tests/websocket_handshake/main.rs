//! The handshake of a WebSocket without I/O: what a server takes, refuses and answers, and what a client asks and takes.

#![cfg(feature = "websocket")]

mod client;
mod heads;
mod origins;
mod refusals;
mod responses;
mod spellings;
mod urls;
