//! What an application does with a request: hooks and their order, blueprints, handlers of errors, URLs.

#![cfg(all(feature = "app", feature = "testing"))]

#[path = "../served/mod.rs"]
mod served;
#[path = "../stage/mod.rs"]
mod stage;

mod site;

mod blueprints;
mod errors;
mod hooks;
mod quart;
mod setup;
mod sockets;
mod urls;
