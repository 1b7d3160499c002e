//! [`ClientResponse`]: what a server has answered.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;

use crate::TransportRef;
use crate::http::{Body, BodyError, HeaderList, Headers, ResponseHead, StatusCode, Version};

use super::connection::Connection;

/// A response: its head is there, its body comes. Dropped before the end of the body, it closes the connection.
pub struct ClientResponse {
    pub(super) head: ResponseHead,
    pub(super) body: Body,
    pub(super) tunnel: Option<Tunnel>,
}

impl ClientResponse {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status()
    }

    /// HTTP/1.0 or HTTP/1.1.
    pub fn version(&self) -> Version {
        self.head.version()
    }

    /// The header fields.
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// Status, version and header fields.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body, to be read in pieces.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The body alone, which can be the body of another message.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// The head and the body.
    pub fn into_parts(self) -> (ResponseHead, Body) {
        (self.head, self.body)
    }

    /// Reads the body to its end. There is no limit unless [`Limits`](crate::http::Limits) or
    /// [`Body::set_limit`] sets one.
    ///
    /// # Errors
    ///
    /// A [`BodyError::Response`].
    pub async fn bytes(&mut self) -> Result<Bytes, BodyError> {
        self.body.bytes().await
    }

    /// As [`bytes`](ClientResponse::bytes), as text in UTF-8.
    ///
    /// # Errors
    ///
    /// A [`BodyError::Response`].
    pub async fn text(&mut self) -> Result<String, BodyError> {
        self.body.text().await
    }

    /// The trailers, once the body was read to its end.
    pub fn trailers(&self) -> Option<HeaderList> {
        self.body.trailers()
    }

    /// The connection, if the server has switched protocols: 101, or 2xx to CONNECT. `None` for every other response.
    ///
    /// From here on the connection is the caller's; it ends with the nursery of the client, or when it is closed.
    ///
    /// ```no_run
    /// # use foster::http::{HeaderValue, Method, header};
    /// # use foster::http1::Client;
    /// # #[derive(Default)]
    /// # struct Echo;
    /// # impl foster::Protocol for Echo {}
    /// # async fn switch(client: Client) -> foster::Result<()> {
    /// let request = client.request(Method::GET, "/").header(header::UPGRADE, HeaderValue::from_static("echo"));
    /// if let Some(upgraded) = request.await?.upgrade() {
    ///     let echo = upgraded.transport.set_protocol(Echo::default());
    ///     // echo.with(|echo| echo.data_received(&upgraded.data)), if there are any
    ///     upgraded.transport.resume_reading();
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn upgrade(mut self) -> Option<Upgraded> {
        self.tunnel.take().map(Tunnel::open)
    }
}

impl fmt::Debug for ClientResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResponse").field("head", &self.head).field("body", &self.body).finish_non_exhaustive()
    }
}

/// A connection that no longer speaks HTTP. Reading is paused until
/// [`resume_reading`](crate::ReadTransport::resume_reading).
#[derive(Debug)]
pub struct Upgraded {
    /// Give it a protocol with [`set_protocol`](TransportRef::set_protocol), then resume reading.
    pub transport: TransportRef,
    /// What the server has sent of the other protocol already: the first bytes for it.
    pub data: Bytes,
}

/// A switched connection that nobody has taken yet. Dropped, it closes the connection.
pub(super) struct Tunnel {
    upgraded: Option<Upgraded>,
    connection: Rc<Connection>,
}

impl Tunnel {
    pub(super) fn new(upgraded: Upgraded, connection: Rc<Connection>) -> Self {
        Tunnel { upgraded: Some(upgraded), connection }
    }

    fn open(mut self) -> Upgraded {
        self.upgraded.take().expect("only `open` takes it, once")
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if self.upgraded.is_some() {
            self.connection.abandon();
        }
    }
}
