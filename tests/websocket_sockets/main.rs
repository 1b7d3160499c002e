//! WebSockets over real sockets: Foster's client with Foster's server, and with peers that do what a test says.

#![cfg(feature = "websocket")]

#[path = "../scripted/mod.rs"]
mod scripted;
#[path = "../served/mod.rs"]
mod served;

mod both_ends;
mod cancelling;
mod compressing;
mod keep_alive;
mod misbehaving;
mod peer;
mod servers;
mod vanishing;
