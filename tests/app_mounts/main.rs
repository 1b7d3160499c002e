//! Handlers below paths of an application, over wires in memory.

#![cfg(all(feature = "app", feature = "testing"))]

#[path = "../websocket/client.rs"]
#[allow(dead_code, reason = "a part of it is needed")]
mod client;
#[path = "../stage/mod.rs"]
mod stage;

mod lifespans;
mod paths;
mod requests;
mod setup;

use foster::app::App;
use foster::testing::{InMemoryHttpServer, serve_http};
use foster::{Handler, Nursery};

use crate::stage::{config, text};

/// Serves an application.
fn in_memory(nursery: &Nursery, app: App) -> InMemoryHttpServer<impl Handler + use<>> {
    serve_http(nursery, app.into_handler().expect("an application that starts"), config())
}

/// What is answered to these bytes.
async fn said<H: Handler>(server: &InMemoryHttpServer<H>, request: impl AsRef<[u8]>) -> String {
    let peer = server.connect();
    peer.send(request);
    peer.close_write();
    text(peer.read_to_end().await)
}

/// The body of what is answered to GET.
async fn body_of<H: Handler>(server: &InMemoryHttpServer<H>, target: &str) -> String {
    let answer = said(server, stage::get(target)).await;
    answer.split_once("\r\n\r\n").expect("an answer").1.to_owned()
}
