//! What views take and give, from outside: requests over wires in memory.

#![cfg(all(feature = "app", feature = "testing"))]

#[path = "../stage/mod.rs"]
mod stage;

mod asking;
mod blocking;
mod body;
mod json;
mod maybe;
mod path;
mod path_setup;
mod query;
mod request;
