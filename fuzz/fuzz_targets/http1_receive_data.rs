//! The bytes of a client for the server's machine of HTTP/1.1.

#![no_main]

#[path = "../../tests/wire/mod.rs"]
mod wire;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| wire::check_invariants(input));
