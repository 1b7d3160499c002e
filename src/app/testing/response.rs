//! [`TestResponse`]: what an application has answered to a test.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;

use super::error::TestClientError;
use super::exchange::{Answer, Informational};
use super::line::Hold;
use super::making::Making;
use super::url::Url;
use crate::http::{Body, BodyError, HeaderList, HeaderName, StatusCode, header};
use crate::{Result, checkpoint};

/// A response to a test, with the names of Quart's: its head is there, its body comes. Werkzeug's `TestResponse`.
///
/// `Content-Length` is among the header fields where a server would send it; `Date`, `Server` and what marks off a body of
/// unknown length are not. There is no body to HEAD, nor with 204, 205 and 304, and its maker is not asked for one.
pub struct TestResponse {
    status: StatusCode,
    headers: HeaderList,
    url: Url,
    informational: Vec<Informational>,
    body: Coming,
    /// What was read of it by who wants all of it.
    gathered: Vec<u8>,
    /// The whole body, once it was read.
    data: Option<Bytes>,
    trailers: Option<HeaderList>,
    pub(super) history: Vec<TestResponse>,
}

/// How much of a body that is always ready is read before others have their turn: as servers send it.
const MAX_UNBROKEN: usize = 1024 * 1024;

/// Where a body comes from.
enum Coming {
    /// Who asks makes it go on.
    Making(Making),
    /// It is sent by the task of a connection, which is given up with the response.
    Sent(Body, Rc<Hold>),
}

impl TestResponse {
    pub(super) fn new(url: Url, answer: Answer) -> Self {
        let Answer { status, headers, body, informational } = answer;
        TestResponse::with(url, status, headers, informational, Coming::Making(body))
    }

    /// One whose body a connection sends.
    pub(super) fn sent(
        url: Url,
        status: StatusCode,
        headers: HeaderList,
        informational: Vec<Informational>,
        body: Body,
        hold: Rc<Hold>,
    ) -> Self {
        TestResponse::with(url, status, headers, informational, Coming::Sent(body, hold))
    }

    fn with(
        url: Url,
        status: StatusCode,
        headers: HeaderList,
        informational: Vec<Informational>,
        body: Coming,
    ) -> Self {
        TestResponse {
            status,
            headers,
            url,
            informational,
            body,
            gathered: Vec::new(),
            data: None,
            trailers: None,
            history: Vec::new(),
        }
    }

    /// The status, which compares with numbers.
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

    /// The values of all header fields of that name that are UTF-8, as of `Set-Cookie`.
    pub fn get_all(&self, name: &str) -> Vec<&str> {
        let fields = self.headers.iter().filter(|(found, _)| found.as_str().eq_ignore_ascii_case(name));
        fields.filter_map(|(_, value)| std::str::from_utf8(value.as_bytes()).ok()).collect()
    }

    /// `Location`, as the application has sent it.
    pub fn location(&self) -> Option<&str> {
        self.header(header::LOCATION.as_str())
    }

    /// `Content-Type`, with its parameters.
    pub fn content_type(&self) -> Option<&str> {
        self.header(header::CONTENT_TYPE.as_str())
    }

    /// `Content-Type` without its parameters, in lower case; empty if there is none.
    pub fn mimetype(&self) -> String {
        let value = self.content_type().unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// What was asked for, after the last redirect that was followed.
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// The redirects that were followed to this response: Werkzeug's `history`.
    pub fn history(&self) -> &[TestResponse] {
        &self.history
    }

    /// The informational responses that came before this one, as 103 Early Hints.
    pub fn informational(&self) -> &[Informational] {
        &self.informational
    }

    /// The next piece of the body as the view has made it, never empty; `None` at the end. Until it is asked for, a
    /// streamed body is not made: of a [`TestConnection`](super::TestConnection) it goes on by itself.
    ///
    /// # Errors
    ///
    /// The error that ended the stream, itself; [`TestClientError::Disconnected`] if errors are not
    /// [propagated](super::TestClient::propagate_errors), and when asked again.
    ///
    /// # Panics
    ///
    /// Resumes a panic of the stream.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has lost nothing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        match &mut self.body {
            Coming::Making(making) => {
                let piece = match making.next().await {
                    Ok(piece) => piece,
                    Err(failure) => return failure.raise(),
                };
                if piece.is_none() {
                    self.trailers = making.trailers().cloned();
                }
                Ok(piece)
            }
            Coming::Sent(body, hold) => match body.chunk().await {
                Ok(piece) => {
                    if piece.is_none() {
                        self.trailers = body.trailers();
                    }
                    Ok(piece)
                }
                Err(BodyError::Disconnected) => match hold.take_failure() {
                    Some(failure) => failure.raise(),
                    None => Err(TestClientError::Disconnected.into()),
                },
                Err(err) => Err(err.into()),
            },
        }
    }

    /// Reads the body to its end, and keeps it: asked again, it is the same. What [`chunk`](TestResponse::chunk) has given
    /// before is not in it.
    ///
    /// # Errors
    ///
    /// As [`chunk`](TestResponse::chunk).
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it has lost nothing.
    pub async fn get_data(&mut self) -> Result<Bytes> {
        if let Some(data) = &self.data {
            return Ok(data.clone());
        }
        let whole = match &mut self.body {
            Coming::Making(making) if self.gathered.is_empty() => making.take_whole(),
            Coming::Making(_) | Coming::Sent(..) => None,
        };
        let data = match whole {
            Some(whole) => whole,
            None => {
                let mut n_unbroken = 0;
                while let Some(piece) = self.chunk().await? {
                    self.gathered.extend_from_slice(&piece);
                    n_unbroken += piece.len();
                    if n_unbroken >= MAX_UNBROKEN {
                        n_unbroken = 0;
                        checkpoint().await;
                    }
                }
                std::mem::take(&mut self.gathered).into()
            }
        };
        Ok(self.data.insert(data).clone())
    }

    /// As [`get_data`](TestResponse::get_data), as text: Werkzeug's `text`.
    ///
    /// # Errors
    ///
    /// As [`chunk`](TestResponse::chunk); [`BodyError::NotUtf8`].
    pub async fn text(&mut self) -> Result<String> {
        Ok(String::from_utf8(self.get_data().await?.into()).map_err(|_| BodyError::NotUtf8)?)
    }

    /// As [`get_data`](TestResponse::get_data), read as JSON, whatever `Content-Type` says: Quart's `json`.
    ///
    /// # Errors
    ///
    /// As [`chunk`](TestResponse::chunk), and what is wrong if it is not what a `T` is read from.
    pub async fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        Ok(serde_json::from_slice(&self.get_data().await?)?)
    }

    /// The trailers, once the body was read to its end. As from a server they come only to a request of HTTP/1.1 with
    /// `TE: trailers`, behind a body of unknown length.
    pub fn trailers(&self) -> Option<&HeaderList> {
        self.trailers.as_ref()
    }

    /// Ends what is still under way: the body of a redirect that was followed.
    pub(super) fn closed(mut self) -> Self {
        if let Coming::Making(making) = &mut self.body {
            let whole = making.take_whole();
            self.data = Some(whole.unwrap_or_default());
            making.end();
        }
        self
    }
}

impl fmt::Debug for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestResponse")
            .field("status_code", &self.status)
            .field("headers", &self.headers)
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
