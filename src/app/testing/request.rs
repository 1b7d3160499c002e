//! [`TestRequest`]: what a test asks.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;

use super::asked::{Asked, Options, options_methods};
use super::client::TestClient;
use super::connection::TestConnection;
use super::error::TestClientError;
use super::exchange::Exchange;
use super::redirects::{MAX_REDIRECTS, location};
use super::response::TestResponse;
use crate::http::{Body, BodyError, BodySource, HeaderList, HeaderName, HeaderValue, Method, Version, header};
use crate::{Address, Result, TransportRef};

/// A request to be made, with Quart's keyword arguments as methods: await it, which gives the response once its head is
/// there. What is wrong with it is said then.
///
/// ```
/// # use foster::app::testing::TestClient;
/// # async fn ask(client: TestClient) -> foster::Result<()> {
/// let jobs = client.get("/jobs").query_string([("page", "2")]).header("X-Trace", "1").auth("ada", "secret").await?;
/// let created = client.post("/jobs").json(&serde_json::json!({ "name": "sweep" })).follow_redirects(true).await?;
/// assert_eq!(created.status_code(), 200);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is asked until it is awaited"]
pub struct TestRequest {
    client: TestClient,
    method: Method,
    options: Options,
    body: Option<Bytes>,
    is_json: bool,
    follows: bool,
}

impl TestRequest {
    pub(super) fn new(client: TestClient, method: Method, path: String) -> Self {
        TestRequest { client, method, options: Options::new(path), body: None, is_json: false, follows: false }
    }

    options_methods!();

    /// The body: bytes or text, without a `Content-Type` unless a [`header`](TestRequest::header) says one.
    ///
    /// `Content-Length` is set, unless a header says more than there is: such a body breaks off.
    pub fn data(mut self, data: impl Into<Bytes>) -> Self {
        self.set_body(data.into());
        self
    }

    /// A value as JSON, with `application/json` unless a [`header`](TestRequest::header) says another type.
    pub fn json<T: serde::Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => {
                self.set_body(json.into());
                self.is_json = true;
            }
            Err(err) => self.options.fail(TestClientError::Json(err.to_string())),
        }
        self
    }

    fn set_body(&mut self, body: Bytes) {
        if self.body.replace(body).is_some() {
            self.options.fail(TestClientError::TwoBodies);
        }
    }

    /// HTTP/1.0, or HTTP/1.1, which it is unless set.
    pub fn http_version(mut self, version: Version) -> Self {
        self.options.http_version(version);
        self
    }

    /// Whether redirects are followed, up to [`MAX_REDIRECTS`] of them: 301, 302, 303, 307 and 308 with a `Location` of the
    /// same host, or of one within that of the application. They are not, unless set.
    ///
    /// 307 and 308 keep method and body. For the others HEAD stays HEAD, and everything else becomes GET without a body, as
    /// in Werkzeug; Quart keeps a POST for 301. Cookies are kept on the way.
    pub fn follow_redirects(mut self, is_following: bool) -> Self {
        self.follows = is_following;
        self
    }

    /// What awaiting it does.
    ///
    /// # Errors
    ///
    /// An error that nothing in the application knew, itself: one that was alone in a nursery's is without it. What is
    /// wrong with the request: [`TestClientError`].
    ///
    /// # Panics
    ///
    /// Resumes a panic of the view that nothing in the application has answered, with its message.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped before the head of the response has come, it cancels the view.
    pub async fn send(self) -> Result<TestResponse> {
        let (client, follows) = (self.client.clone(), self.follows);
        let mut asked = self.finish()?;
        let mut history = Vec::new();
        loop {
            let mut response = ask(&client, &asked).await?;
            let Some(to) = location(&response).filter(|_| follows) else {
                response.history = history;
                return Ok(response);
            };
            if history.len() == MAX_REDIRECTS {
                return Err(TestClientError::TooManyRedirects.into());
            }
            asked.turn_to(to, response.status_code(), client.served().home())?;
            history.push(response.closed());
        }
    }

    /// Begins it: its body is sent, and its response read, piece by piece. Quart's `client.request`. What
    /// [`data`](TestRequest::data) says is the first piece; redirects are not followed.
    ///
    /// # Errors
    ///
    /// [`TestClientError`].
    ///
    /// # Panics
    ///
    /// If the nursery of the client is closed.
    pub fn begin(self) -> Result<TestConnection> {
        let client = self.client.clone();
        TestConnection::begin(client, self.finish()?)
    }

    fn finish(mut self) -> Result<Asked, TestClientError> {
        if self.is_json && !self.options.headers.contains(&header::CONTENT_TYPE) {
            self.options.headers.append(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.options.finish(self.method, self.body, self.client.served().home())
    }
}

/// Makes one request, in its place.
async fn ask(client: &TestClient, asked: &Asked) -> Result<TestResponse> {
    let begun = Exchange::begin(client, asked, TransportRef::default, body(asked));
    let (exchange, request) = begun.map_err(TestClientError::Head)?;
    let answered = exchange.answer(request).await;
    let answer = match exchange.settle(answered) {
        Ok(answer) => answer,
        Err(failure) => return failure.raise(),
    };
    client.keep_cookies(&asked.url, &answer.headers);
    Ok(TestResponse::new(asked.url.clone(), answer))
}

/// The body as it comes in over a wire: what is there as a whole has no limit of its reader.
fn body(asked: &Asked) -> Body {
    let n_bytes = asked.body.as_ref().map_or(0, |body| body.len() as u64);
    let declared = asked.declared.unwrap_or(n_bytes);
    if declared == 0 {
        return Body::empty();
    }
    let (writer, body) = Body::channel(Rc::new(Nobody), Some(declared));
    if let Some(bytes) = asked.body.clone().filter(|bytes| !bytes.is_empty()) {
        writer.push(bytes);
    }
    writer.end(if n_bytes < declared { Err(BodyError::Disconnected) } else { Ok(HeaderList::new()) });
    body
}

/// Whom a body that is there need not tell.
struct Nobody;

impl BodySource for Nobody {
    fn body_wanted(&self) {}

    fn body_abandoned(&self) {}
}

impl IntoFuture for TestRequest {
    type Output = Result<TestResponse>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for TestRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRequest").field("method", &self.method).finish_non_exhaustive()
    }
}
