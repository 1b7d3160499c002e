//! [`ClientRequest`]: what a client asks.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;

use crate::http::{HeaderList, HeaderName, HeaderValue, Method, ResponseBody, ResponseHead, header};

use super::connection::Connection;
use super::error::ClientError;
use super::response::ClientResponse;

/// A request to be sent: await it, which gives the response once its head is there.
///
/// The body is sent by a task of the connection, so that a response may come before all of it was sent, and both bodies
/// stream at once. `Content-Length` and `Transfer-Encoding` are the client's to set.
#[must_use = "nothing is sent until it is awaited"]
pub struct ClientRequest {
    pub(super) connection: Rc<Connection>,
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: HeaderList,
    pub(super) body: ResponseBody,
    pub(super) expects_continue: bool,
    pub(super) on_informational: Option<OnInformational>,
}

pub(super) type OnInformational = Box<dyn FnMut(ResponseHead)>;

impl ClientRequest {
    /// The same with one more header field. `Host` replaces the one that the URL of the client gives; `Connection: close`
    /// closes after the response; `Upgrade` and `TE` name themselves in `Connection`.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The same with these header fields in the place of all others.
    pub fn headers(mut self, headers: HeaderList) -> Self {
        self.headers = headers;
        self
    }

    /// The same with a body: text, bytes, a stream, or the [`Body`](crate::http::Body) of another message. One of unknown
    /// length is sent chunked.
    pub fn body(mut self, body: impl Into<ResponseBody>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the body only once the server asks for it, or has said nothing for 1 s: `Expect: 100-continue`. Without
    /// effect if there is no body. A response that comes first ends the connection, with the body unsent.
    pub fn expect_continue(mut self) -> Self {
        self.expects_continue = true;
        self
    }

    /// Called with each informational response, as 103 Early Hints, before the response comes. They are dropped unless
    /// this is set.
    pub fn on_informational(mut self, call: impl FnMut(ResponseHead) + 'static) -> Self {
        self.on_informational = Some(Box::new(call));
        self
    }

    /// What awaiting it does.
    ///
    /// # Cancel safety
    ///
    /// Cancelled before the head of the response has come, it closes the connection.
    ///
    /// # Errors
    ///
    /// [`ClientError`]. After [`Busy`](ClientError::Busy), and after a [`Request`](ClientError::Request) that was refused
    /// before it was sent, the connection can be used further; after every other it is closed.
    pub async fn send(mut self) -> Result<ClientResponse, ClientError> {
        if self.expects_continue && self.body.content_length() != Some(0) {
            self.headers.set(header::EXPECT, HeaderValue::from_static("100-continue"));
        }
        let connection = self.connection.clone();
        connection.begin(self)?.response().await
    }
}

impl IntoFuture for ClientRequest {
    type Output = Result<ClientResponse, ClientError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
