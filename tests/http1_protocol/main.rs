//! The protocol of a server's connection, over wires in memory: what is answered when, and with how many writes.

#![cfg(all(feature = "http1", feature = "testing"))]

#[path = "../stage/mod.rs"]
mod stage;

mod bodies;
mod endings;
mod failures;
mod hostile;
mod limits;
mod pipelining;
mod responses;
mod switching;
mod timeouts;
