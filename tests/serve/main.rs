//! `serve`: where it listens, how it stops, and what its clients see of it, over real sockets.

#![cfg(feature = "http1")]

#[path = "../served/mod.rs"]
mod served;

mod binding;
mod hostile;
mod sockets;
mod stats;
mod stopping;
#[cfg(feature = "tls")]
mod tls;
