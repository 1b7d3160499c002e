//! WebSockets of an application: views, hooks and handlers of errors, over wires in memory and over sockets.

#![cfg(all(feature = "app", feature = "testing"))]

#[path = "../websocket/client.rs"]
#[allow(dead_code, reason = "a part of it is needed")]
mod client;
mod site;
#[path = "../stage/mod.rs"]
mod stage;

mod arguments;
mod contexts;
mod endings;
mod handshakes;
mod hooks;
mod refusals;
mod setup;
mod sockets;
