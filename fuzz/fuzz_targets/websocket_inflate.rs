//! The payload of compressed messages for the decompression of WebSocket.

#![no_main]

#[path = "../../tests/inflate/mod.rs"]
mod inflate;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| inflate::check_invariants(input));
