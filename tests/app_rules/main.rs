//! What an application does with a request: hooks and their order, blueprints, handlers of errors, URLs.

#![cfg(all(feature = "app", feature = "testing"))]

#[path = "../stage/mod.rs"]
mod stage;

mod site;

mod blueprints;
mod setup;
mod urls;
