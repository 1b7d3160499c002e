//! Tests of applications, without a network: [`TestClient`], with the feature `testing`.
//!
//! [`App::test_app`](super::App::test_app) runs a test with the life of the application around it,
//! [`App::test_client`](super::App::test_client) gives a client alone. A request is made without a socket and without
//! HTTP, so it costs a part of one over a loopback interface; a WebSocket has all of its bytes, over a connection in memory.
//! Both live in paused time, where an hour is over at once.
//!
//! ```
//! use foster::app::App;
//! use foster::http::redirect;
//!
//! let mut app = App::new();
//! app.get("/", async || redirect("/home"));
//! app.get("/home", async || "welcome");
//!
//! foster::run(app.test_app(async |client| {
//!     let response = client.get("/").await?;
//!     assert_eq!((response.status_code().as_u16(), response.location()), (302, Some("/home")));
//!
//!     let mut response = client.get("/").follow_redirects(true).await?;
//!     assert_eq!(response.text().await?, "welcome");
//!     assert_eq!(response.history().len(), 1);
//!     foster::Ok(())
//! }))?;
//! # foster::Ok(())
//! ```

mod answering;
mod asked;
mod client;
mod connection;
mod error;
mod exchange;
mod failure;
mod jar;
mod line;
mod making;
mod opening;
mod redirects;
mod request;
mod response;
mod served;
mod test_app;
mod url;
mod websocket;

pub use client::TestClient;
pub use connection::TestConnection;
pub use error::TestClientError;
pub use exchange::Informational;
pub use redirects::MAX_REDIRECTS;
pub use request::TestRequest;
pub use response::TestResponse;
pub use websocket::{TestWebSocket, TestWebSocketRequest, WebSocketResponseError};
