//! The server's side of HTTP/1.1 as a machine, seen from outside: what it takes, what it refuses and with which status,
//! and what it sends. Every input is fed whole, byte by byte and cut at every place, with the same outcome.

#![cfg(feature = "http1")]

mod chunks;
mod corpus;
mod exchanges;
mod fields;
mod framing;
mod limits;
mod properties;
mod request_lines;
mod responses;
mod switching;
#[path = "../wire/mod.rs"]
mod wire;
