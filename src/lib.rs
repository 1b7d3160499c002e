//! Callback servers in asyncio style on a nursery runtime.

pub use foster_compat::*;

/// Compiles the Rust blocks of the README with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the Rust blocks of the architecture with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../ARCHITECTURE.md")]
struct Architecture;
