//! The lifespan of a handler: its startup, its shutdown, and what runs in between.

#![cfg(feature = "http1")]

#[path = "../served/mod.rs"]
mod served;

mod app;
mod between;
mod cancelled;
#[cfg(feature = "testing")]
mod memory;
mod shutdown;
#[cfg(unix)]
mod signals;
mod startup;
