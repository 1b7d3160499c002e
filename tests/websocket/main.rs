//! WebSockets of a server, over wires in memory: what the handler sees, what the client sees, and when it ends.

#![cfg(all(feature = "websocket", feature = "testing"))]

mod client;
#[path = "../stage/mod.rs"]
mod stage;

mod backpressure;
mod broadcast;
mod broadcast_order;
mod closing;
mod compression;
mod half_closed;
mod handshakes;
mod keep_alive;
mod messages;
mod stopping;
mod waiting;
