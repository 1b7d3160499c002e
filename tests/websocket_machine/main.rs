//! Either side of a WebSocket as a machine, seen from outside: what it takes, what it refuses and with which code, and
//! what it sends. Every input is fed whole, byte by byte and cut at every place, in both roles, with the same outcome.

#![cfg(feature = "websocket")]

mod autobahn_closing;
mod autobahn_frames;
mod autobahn_sizes;
mod autobahn_text;
mod closing;
mod compression;
mod corpus;
mod fragments;
mod framing;
mod limits;
mod oracle;
mod round_trips;
mod sending;
mod text;
#[path = "../websocket_wire/mod.rs"]
mod wire;
