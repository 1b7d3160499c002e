//! [`TestConnection`]: a request that is made piece by piece.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;

use super::asked::Asked;
use super::client::TestClient;
use super::error::TestClientError;
use super::exchange::Exchange;
use super::line::{Hold, Line, MAX_BUFFERED, Wire};
use super::response::TestResponse;
use crate::Result;
use crate::handler::Connected;
use crate::http::HeaderList;
use crate::testing;

/// A request whose body is sent while its response is read: Quart's `TestHTTPConnection`, of
/// [`TestRequest::begin`](super::TestRequest::begin).
///
/// The view runs in a task, which goes on by itself, up to 64 KiB ahead of its reader. It is cancelled as by a client that
/// has vanished when this is dropped before the end of the response, or [disconnects](TestConnection::disconnect).
///
/// ```
/// use foster::app::{App, Request};
/// use foster::http::{Method, ResponseBody};
///
/// let mut app = App::new();
/// app.post("/echo", async |request: Request| request.body().map(ResponseBody::from));
///
/// foster::run(app.test_app(async |client| {
///     let mut connection = client.request(Method::POST, "/echo").begin()?;
///     connection.send("one").await?;
///     assert_eq!(connection.receive().await?.as_deref(), Some(&b"one"[..]));
///     connection.send("two").await?;
///     let mut response = connection.as_response().await?;
///     assert_eq!(response.text().await?, "two");
///     foster::Ok(())
/// }))?;
/// # foster::Ok(())
/// ```
pub struct TestConnection {
    client: TestClient,
    asked: Asked,
    hold: Rc<Hold>,
    /// How much of the body may still be sent, if `Content-Length` says so.
    n_left: Option<u64>,
    is_complete: bool,
    response: Option<TestResponse>,
}

impl TestConnection {
    pub(super) fn begin(client: TestClient, asked: Asked) -> Result<Self> {
        let (line, body) = Line::new(asked.declared);
        let mut hold = None;
        let connect = || {
            let (transport, _, peer) = testing::connect(client.served().nursery(), Wire(Rc::downgrade(&line)));
            hold = Some(Hold::new(line.clone(), peer));
            transport
        };
        let (exchange, request) = Exchange::begin(&client, &asked, connect, body).map_err(TestClientError::Head)?;
        let Some(hold) = hold else { return Err(TestClientError::Disconnected.into()) };
        exchange.transport().start_soon(line.serve(exchange.clone(), request));
        let n_left = asked.declared;
        let mut connection = TestConnection { client, hold, n_left, is_complete: false, response: None, asked };
        if let Some(body) = connection.asked.body.take() {
            connection.push(body)?;
        }
        Ok(connection)
    }

    /// Sends a piece of the body: Quart's `send`. Waits while the view has more than 64 KiB that it has not read.
    ///
    /// # Errors
    ///
    /// [`TestClientError::Complete`] behind the end, [`TestClientError::BodyLength`] beyond `Content-Length`.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has sent the piece.
    pub async fn send(&mut self, data: impl Into<Bytes>) -> Result<(), TestClientError> {
        self.push(data.into())?;
        let line = &self.hold.line;
        line.sender.wait(|| line.sending().n_buffered() <= MAX_BUFFERED || line.over.is_set()).await;
        Ok(())
    }

    fn push(&mut self, data: Bytes) -> Result<(), TestClientError> {
        if self.is_complete {
            return Err(TestClientError::Complete);
        }
        if let Some(n_left) = &mut self.n_left {
            let declared = self.asked.declared.unwrap_or_default();
            *n_left = n_left.checked_sub(data.len() as u64).ok_or(TestClientError::BodyLength { declared })?;
        }
        if !data.is_empty() {
            self.hold.line.sending().push(data);
        }
        Ok(())
    }

    /// The body of the request is complete: Quart's `send_complete`. Without effect behind the end. One that is shorter
    /// than its `Content-Length` ends as that of a client that has gone.
    pub fn send_complete(&mut self) {
        if !std::mem::replace(&mut self.is_complete, true) {
            let is_whole = self.n_left.unwrap_or(0) == 0;
            let end = if is_whole { Ok(HeaderList::new()) } else { Err(crate::http::BodyError::Disconnected) };
            self.hold.line.sending().end(end);
        }
    }

    /// Waits for the head of the response.
    ///
    /// # Errors
    ///
    /// The error that nothing in the application knew, itself; [`TestClientError::Disconnected`] if the view was cancelled.
    ///
    /// # Panics
    ///
    /// Resumes a panic of the view.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has lost nothing.
    pub async fn response(&mut self) -> Result<&mut TestResponse> {
        if self.response.is_none() {
            let line = &self.hold.line;
            line.answered.wait().await;
            let head = match line.take_head() {
                Some(Ok(head)) => head,
                Some(Err(failure)) => return failure.raise(),
                None => return Err(TestClientError::Disconnected.into()),
            };
            let url = self.asked.url.clone();
            self.client.keep_cookies(&url, &head.headers);
            let hold = self.hold.clone();
            self.response =
                Some(TestResponse::sent(url, head.status, head.headers, head.informational, head.body, hold));
        }
        self.response.as_mut().ok_or_else(|| TestClientError::Disconnected.into())
    }

    /// Waits for the next piece of the body of the response: Quart's `receive`. `None` at its end.
    ///
    /// # Errors
    ///
    /// As [`response`](TestConnection::response), and as [`TestResponse::chunk`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has lost nothing.
    pub async fn receive(&mut self) -> Result<Option<Bytes>> {
        self.response().await?.chunk().await
    }

    /// Completes the body of the request, and gives the response: Quart's `as_response`. What was received before is not
    /// in it.
    ///
    /// # Errors
    ///
    /// As [`response`](TestConnection::response).
    pub async fn as_response(mut self) -> Result<TestResponse> {
        self.send_complete();
        self.response().await?;
        self.response.ok_or_else(|| TestClientError::Disconnected.into())
    }

    /// Goes away without a word, and waits until the view has come to its end: Quart's `disconnect`. It is cancelled.
    ///
    /// # Errors
    ///
    /// The error that the view had come to before, if nobody has heard of it.
    ///
    /// # Panics
    ///
    /// Resumes a panic that it had come to before.
    pub async fn disconnect(self) -> Result<()> {
        let line = &self.hold.line;
        let failure = match line.take_head() {
            Some(Err(failure)) => Some(failure),
            Some(Ok(_)) | None => self.hold.take_failure(),
        };
        self.hold.hang_up();
        line.over.wait().await;
        failure.map_or(Ok(()), |failure| failure.raise())
    }
}

impl fmt::Debug for TestConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestConnection")
            .field("method", &self.asked.method)
            .field("url", &self.asked.url.to_string())
            .field("is_complete", &self.is_complete)
            .finish_non_exhaustive()
    }
}
