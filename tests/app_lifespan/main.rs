//! The life of an application: its nursery, its background tasks, the hooks around serving, and how it is served.

#![cfg(all(feature = "app", feature = "testing"))]

#[path = "../served/mod.rs"]
mod served;
#[path = "../stage/mod.rs"]
mod stage;

mod background;
mod cancelled;
mod life;
mod policies;
mod running;
mod shutdown;
mod startup;
