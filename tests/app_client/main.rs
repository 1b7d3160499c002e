//! The client that tests ask applications with.

#![cfg(all(feature = "app", feature = "testing"))]

#[path = "../stage/mod.rs"]
mod stage;

mod bad_input;
mod cookies;
mod errors;
mod life;
mod mounts;
mod redirects;
mod requests;
mod responses;
mod streaming;
mod websockets;

use foster::Nursery;
use foster::app::App;
use foster::app::testing::TestClient;

/// A client of what `set_up` makes of an empty application.
fn client_of(nursery: &Nursery, set_up: impl FnOnce(&mut App)) -> TestClient {
    let mut app = App::new();
    set_up(&mut app);
    app.test_client(nursery).expect("the application is set up well")
}
