//! [`TestWebSocket`]: the client's end of a WebSocket in a test.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;

use super::asked::{Options, options_methods};
use super::client::TestClient;
use super::error::TestClientError;
use super::failure::Failure;
use super::opening::Opening;
use crate::http::{HeaderList, HeaderName, HeaderValue, Method, StatusCode, header};
use crate::websocket::{
    CloseCode, Closed, Config, ConnectError, Message, Utf8Bytes, WebSocket, WebSocketError, connect,
};
use crate::{Address, Result};

/// A WebSocket to be opened: await it. It is one of bytes, with the handshake, the frames and the compression of a real
/// one, over a connection in memory.
#[must_use = "nothing is opened until it is awaited"]
pub struct TestWebSocketRequest {
    client: TestClient,
    options: Options,
    config: Config,
}

impl TestWebSocketRequest {
    pub(super) fn new(client: TestClient, path: String) -> Self {
        TestWebSocketRequest { client, options: Options::new(path), config: Config::new().ping_interval(None) }
    }

    options_methods!();

    /// The subprotocols that are offered, the one that is liked best first.
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.config = self.config.subprotocols(names);
        self
    }

    /// Limits, time-outs and compression of the client's end. It sends no pings unless set.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// What awaiting it does.
    ///
    /// # Errors
    ///
    /// [`WebSocketResponseError`] has the response of an application that refuses. An error that nothing in the application
    /// knew, itself. What is wrong with the request: [`TestClientError`], or a [`ConnectError`].
    ///
    /// # Panics
    ///
    /// Resumes a panic of a view that has not accepted. If the nursery of the client is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it closes what it has opened, which cancels the view.
    pub async fn open(self) -> Result<TestWebSocket> {
        let TestWebSocketRequest { client, options, config } = self;
        let served = client.served().clone();
        let asked = options.finish(Method::GET, None, served.home())?;
        if asked.declared.is_some() {
            return Err(TestClientError::OwnHeader(header::CONTENT_LENGTH).into());
        }
        let mut headers = asked.headers;
        if let Some(cookies) = client.cookies_for(&asked.url) {
            headers.append(header::COOKIE, cookies);
        }
        let opening = Opening::new(asked.url.is_secure, asked.remote_addr, client.propagates(), served.loop_.clone());
        // What is encrypted is said to the view alone: the connection is in memory.
        let url = format!("ws://{}{}", asked.url.host, asked.url.target);
        let connecting = connect(served.nursery(), url).config(config).headers(headers).open_timeout(None);
        match connecting.over_peer(served.connect(opening.clone())).await {
            Ok(websocket) => Ok(TestWebSocket { websocket, opening }),
            Err(err) => {
                if let Some(failure) = opening.take_failure() {
                    return failure.raise();
                }
                let ConnectError::Rejected { rejected, body } = err else { return Err(err.into()) };
                let fields = rejected.headers().to_header_map();
                let headers = HeaderList::from(&fields);
                client.keep_cookies(&asked.url, &headers);
                let status = rejected.status();
                Err(WebSocketResponseError { status, headers, data: body }.into())
            }
        }
    }
}

impl IntoFuture for TestWebSocketRequest {
    type Output = Result<TestWebSocket>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

impl fmt::Debug for TestWebSocketRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestWebSocketRequest").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The client's end of a WebSocket: everything of a [`WebSocket`], and how its view has failed. Quart's
/// `TestWebsocketConnection`.
///
/// Dropped, it is closed with 1000.
///
/// ```
/// use foster::app::{App, WebSocket};
///
/// let mut app = App::new();
/// app.websocket("/echo", async |websocket: WebSocket| -> foster::Result<()> {
///     loop {
///         websocket.send(websocket.receive().await?).await?;
///     }
/// });
///
/// foster::run(app.test_app(async |client| {
///     let websocket = client.websocket("/echo").await?;
///     websocket.send("hello").await?;
///     assert_eq!(websocket.receive().await?.as_text(), Some("hello"));
///     websocket.close(1000, "").await?;
///     foster::Ok(())
/// }))?;
/// # foster::Ok(())
/// ```
pub struct TestWebSocket {
    websocket: WebSocket,
    opening: Rc<Opening>,
}

impl TestWebSocket {
    /// As [`WebSocket::receive`]; the end of a view that has failed is its error.
    ///
    /// # Errors
    ///
    /// The error of the view, itself, if that has closed it with 1011; otherwise a [`WebSocketError`], whose
    /// [`Closed`](WebSocketError::Closed) says with what code it ended: Quart's `WebsocketDisconnectError`.
    ///
    /// # Panics
    ///
    /// Resumes a panic of the view.
    pub async fn receive(&self) -> Result<Message> {
        match self.websocket.receive().await {
            Ok(message) => Ok(message),
            Err(err) => self.fail(err).await,
        }
    }

    /// As [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// As [`receive`](TestWebSocket::receive).
    pub async fn send(&self, message: impl Into<Message>) -> Result<()> {
        match self.websocket.send(message).await {
            Ok(()) => Ok(()),
            Err(err) => self.fail(err).await,
        }
    }

    /// As [`WebSocket::receive_json`].
    ///
    /// # Errors
    ///
    /// As [`receive`](TestWebSocket::receive).
    pub async fn receive_json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        match self.websocket.receive_json().await {
            Ok(value) => Ok(value),
            Err(err) => self.fail(err).await,
        }
    }

    /// As [`WebSocket::send_json`].
    ///
    /// # Errors
    ///
    /// As [`receive`](TestWebSocket::receive).
    pub async fn send_json<T: serde::Serialize + ?Sized>(&self, value: &T) -> Result<()> {
        match self.websocket.send_json(value).await {
            Ok(()) => Ok(()),
            Err(err) => self.fail(err).await,
        }
    }

    /// As [`WebSocket::close`], and waits until the view has ended.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close`]; the error of the view, itself, if it has failed.
    ///
    /// # Panics
    ///
    /// Resumes a panic of the view.
    pub async fn close(&self, code: impl Into<CloseCode>, reason: impl Into<Utf8Bytes>) -> Result<Closed> {
        let closed = self.websocket.close(code, reason).await?;
        self.ended().await.map(|()| closed)
    }

    /// Goes away without a closing handshake, and waits until the view has ended: Quart's `disconnect`.
    ///
    /// # Errors
    ///
    /// The error of the view, itself, if it has failed.
    ///
    /// # Panics
    ///
    /// Resumes a panic of the view.
    pub async fn disconnect(&self) -> Result<()> {
        if let Some(transport) = self.websocket.transport() {
            transport.abort();
        }
        self.ended().await
    }

    /// The error of a view that has ended the WebSocket, or that of the WebSocket.
    async fn fail<T>(&self, err: WebSocketError) -> Result<T> {
        let is_failure = err.closed().is_some_and(|closed| closed.received.code == CloseCode::INTERNAL_ERROR);
        if is_failure {
            self.ended().await?;
        }
        Err(err.into())
    }

    async fn ended(&self) -> Result<()> {
        self.opening.over.wait().await;
        self.opening.take_failure().map_or(Ok(()), Failure::raise)
    }
}

impl Deref for TestWebSocket {
    type Target = WebSocket;

    fn deref(&self) -> &WebSocket {
        &self.websocket
    }
}

impl fmt::Debug for TestWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestWebSocket").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

/// The application has answered a handshake with a response: it refuses, asks for a password, points elsewhere. Quart's
/// `WebsocketResponseError`.
#[derive(Clone, Debug)]
pub struct WebSocketResponseError {
    status: StatusCode,
    headers: HeaderList,
    data: Bytes,
}

impl WebSocketResponseError {
    /// The status.
    pub fn status_code(&self) -> StatusCode {
        self.status
    }

    /// The header fields.
    pub fn headers(&self) -> &HeaderList {
        &self.headers
    }

    /// The value of the first header field of that name, in any case, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        std::str::from_utf8(self.headers.get(&name)?.as_bytes()).ok()
    }

    /// The body, or its first 64 KiB.
    pub fn get_data(&self) -> &Bytes {
        &self.data
    }

    /// The body as text; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }
}

impl fmt::Display for WebSocketResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the application has answered {} instead of opening a WebSocket", self.status)
    }
}

impl std::error::Error for WebSocketResponseError {}
