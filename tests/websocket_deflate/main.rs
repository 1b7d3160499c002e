//! The compression of WebSocket, seen from outside: how two ends agree, what they make of messages, what they make of
//! what is no message, and how much memory that takes.

#![cfg(feature = "websocket")]

mod budget;
mod corpus;
mod examples;
#[path = "../inflate/mod.rs"]
mod inflate;
mod limits;
mod negotiation;
mod other_compressors;
mod reach;
mod round_trips;

use foster::websocket::{Deflate, DeflateConfig};

/// A client and a server that have agreed, each with its own wishes.
fn pair(client: &DeflateConfig, server: &DeflateConfig) -> (Deflate, Deflate) {
    let offer = client.offer().expect("within the budget");
    let offered = offer.to_header_value();
    let accepted = server.accept([offered.as_bytes()]).expect("a valid offer");
    let (server, answer) = accepted.expect("within the budget");
    let client = offer.accepted([answer.as_bytes()]).expect("a valid answer").expect("accepted");
    (client, server)
}

/// Everything is compressed, however small.
fn eager() -> DeflateConfig {
    DeflateConfig { min_size: 0, ..DeflateConfig::default() }
}

fn without_context() -> DeflateConfig {
    DeflateConfig { server_no_context_takeover: true, client_no_context_takeover: true, ..eager() }
}
