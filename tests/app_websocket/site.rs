//! An application that is served, and those who ask it for WebSockets.

use foster::app::App;
use foster::testing::{InMemoryHttpServer, serve_http};
use foster::websocket::{Connect, connect};
use foster::{Config, Handler, HttpServer, Nursery, Result, serve};
use futures::channel::oneshot;

use crate::client::{Client, ask, request};
use crate::stage::{config, real, text};

/// Serves an application over wires in memory.
pub(crate) fn in_memory(nursery: &Nursery, app: App) -> InMemoryHttpServer<impl Handler + use<>> {
    serve_http(nursery, app.into_handler().expect("an application that starts"), config())
}

/// Opens a WebSocket at a path.
pub(crate) async fn open_at<H: Handler>(server: &InMemoryHttpServer<H>, path: &str) -> Client {
    let (client, head) = ask(server, path, "").await;
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    client
}

/// Asks for a WebSocket that is refused; gives the whole answer.
pub(crate) async fn refused<H: Handler>(server: &InMemoryHttpServer<H>, path: &str, fields: &str) -> String {
    said(server, request(path, &format!("Connection: close\r\n{fields}"))).await
}

/// What is answered to these bytes.
pub(crate) async fn said<H: Handler>(server: &InMemoryHttpServer<H>, request: impl AsRef<[u8]>) -> String {
    let peer = server.connect();
    peer.send(request);
    peer.close_write();
    text(peer.read_to_end().await)
}

/// An application that is served on a socket.
pub(crate) struct Site {
    pub(crate) nursery: Nursery,
    pub(crate) server: HttpServer,
}

impl Site {
    /// A client to be of a WebSocket at a path.
    pub(crate) fn connect(&self, path: &str) -> Connect<'_> {
        connect(&self.nursery, format!("ws://{}{path}", self.server.addresses()[0]))
    }
}

/// Serves an application on a socket.
pub(crate) fn at(app: App, test: impl AsyncFnOnce(Site) -> Result<()>) {
    real(async |nursery: Nursery| {
        let (sender, serving) = oneshot::channel();
        let server = serve(app.into_handler()?, Config::new().bind("127.0.0.1:0"))
            .shutdown_trigger(std::future::pending())
            .on_serving(|server| sender.send(server).expect("the test waits for it"));
        nursery.start_soon(async move { server.await });
        let site = Site { server: serving.await?, nursery };
        let server = site.server.clone();
        test(site).await?;
        server.shutdown();
        Ok(())
    });
}
