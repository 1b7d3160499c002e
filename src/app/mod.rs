//! The framework: Quart's model in Rust's clothes.

pub mod routing;
