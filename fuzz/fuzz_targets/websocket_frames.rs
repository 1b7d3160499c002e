//! Bytes of a peer for the machine of WebSocket, in both roles.

#![no_main]

#[path = "../../tests/websocket_wire/mod.rs"]
mod wire;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| wire::check_invariants(input));
