//! [`RequestBody`]: the body of a request, read once and kept.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;

use super::exception::HttpException;
use super::request::Request;
use crate::http::{Body, BodyError, HttpError, StatusCode};
use crate::{Error, Result, fail_after};

/// A body in one of its states.
pub(super) struct RequestBody {
    state: RefCell<State>,
}

enum State {
    /// What was read before a reader gave up, and the rest.
    Unread(Vec<u8>, Body),
    Kept(Bytes),
    Reading,
    Taken,
}

impl RequestBody {
    pub(super) fn new(body: Body) -> Self {
        RequestBody { state: RefCell::new(State::Unread(Vec::new(), body)) }
    }

    pub(super) fn take(&self, limit: Option<u64>) -> Result<Body> {
        match self.state.replace(State::Taken) {
            State::Unread(start, mut body) if start.is_empty() => {
                body.set_limit(limit);
                Ok(body)
            }
            State::Kept(bytes) => {
                self.state.replace(State::Kept(bytes.clone()));
                Ok(Body::from(bytes))
            }
            State::Unread(start, body) => {
                self.state.replace(State::Unread(start, body));
                Err(HttpError::State("the body was read in part: get_data() reads the rest and gives all of it").into())
            }
            other => {
                self.state.replace(other);
                Err(taken())
            }
        }
    }

    async fn read(&self, limit: Option<u64>) -> Result<Bytes> {
        let mut reading = match self.state.replace(State::Reading) {
            State::Unread(start, mut body) => {
                body.set_limit(limit);
                Reading { of: self, parts: Some((start, body)) }
            }
            State::Kept(bytes) => {
                self.state.replace(State::Kept(bytes.clone()));
                return Ok(bytes);
            }
            other => {
                self.state.replace(other);
                return Err(taken());
            }
        };
        let bytes = reading.read_to_end().await?;
        reading.parts = None;
        self.state.replace(State::Kept(bytes.clone()));
        Ok(bytes)
    }
}

fn taken() -> Error {
    HttpError::State("the body is being read, or was taken, by somebody else").into()
}

/// A body that is being read; dropped before its end, what was read is kept.
struct Reading<'a> {
    of: &'a RequestBody,
    parts: Option<(Vec<u8>, Body)>,
}

impl Reading<'_> {
    async fn read_to_end(&mut self) -> Result<Bytes, BodyError> {
        let Some((start, body)) = &mut self.parts else { return Ok(Bytes::new()) };
        if start.is_empty() {
            let Some(first) = body.chunk().await? else { return Ok(Bytes::new()) };
            if body.is_end() {
                return Ok(first);
            }
            start.extend_from_slice(&first);
        }
        while let Some(chunk) = body.chunk().await? {
            start.extend_from_slice(&chunk);
        }
        Ok(std::mem::take(start).into())
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let Some((start, body)) = self.parts.take() {
            self.of.state.replace(State::Unread(start, body));
        }
    }
}

/// What is wrong with JSON, without the whole of a long text that the client has written into it.
fn described(err: &serde_json::Error) -> String {
    let message = err.to_string();
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}… at line {} column {}", &message[..end], err.line(), err.column()),
        None => message,
    }
}

/// In characters: enough for what serde says of its own, with a long path of types.
const MAX_MESSAGE: usize = 256;

impl Request {
    /// The whole body, which is kept: asked again, it is the same.
    ///
    /// # Errors
    ///
    /// A [`BodyError`]: longer than [`max_content_length`](Request::max_content_length), 413; later than
    /// [`body_timeout`](Request::body_timeout), 408; broken off, 400. [`HttpError::State`] if another task reads it, or
    /// has [taken](Request::body) it.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has lost nothing.
    pub async fn get_data(&self) -> Result<Bytes> {
        let reading = self.state().body.read(self.max_content_length());
        match self.body_timeout() {
            Some(timeout) => fail_after(timeout, reading).await.map_err(|_| BodyError::TimedOut)?,
            None => reading.await,
        }
    }

    /// The whole body as text.
    ///
    /// # Errors
    ///
    /// As [`get_data`](Request::get_data), and [`BodyError::NotUtf8`].
    pub async fn get_text(&self) -> Result<String> {
        Ok(String::from_utf8(self.get_data().await?.into()).map_err(|_| BodyError::NotUtf8)?)
    }

    /// The whole body as JSON, if `Content-Type` says that it is: Quart's `get_json`.
    ///
    /// # Errors
    ///
    /// As [`get_data`](Request::get_data); 415 if it is of another type, 400 if it is not what a `T` is read from.
    pub async fn get_json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        if !self.is_json() {
            let exception = HttpException::new(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            return Err(exception.description("The body has to be application/json.").into());
        }
        self.get_json_anyway().await
    }

    /// The whole body as JSON, whatever `Content-Type` says: `get_json(force=True)`.
    ///
    /// # Errors
    ///
    /// As [`get_json`](Request::get_json), but for the type.
    pub async fn get_json_anyway<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        let data = self.get_data().await?;
        serde_json::from_slice(&data).map_err(|err| {
            let exception = HttpException::new(StatusCode::BAD_REQUEST);
            exception.description(format!("The body is not the JSON that is expected: {}.", described(&err))).into()
        })
    }

    /// As [`get_json`](Request::get_json), with `None` for a body of another type, or one that is not what a `T` is read
    /// from: `get_json(silent=True)`.
    ///
    /// # Errors
    ///
    /// As [`get_data`](Request::get_data).
    pub async fn get_json_silent<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>> {
        if !self.is_json() {
            return Ok(None);
        }
        Ok(serde_json::from_slice(&self.get_data().await?).ok())
    }

    /// How long the whole body may take: of its route, else of the application; `None` for as long as something comes.
    pub fn body_timeout(&self) -> Option<Duration> {
        let of_route = self.state().settings.borrow().body_timeout;
        of_route.unwrap_or(self.context().shared.options.body_timeout)
    }

    /// Sets how long the whole body may take, before it is read.
    pub fn set_body_timeout(&self, timeout: Option<Duration>) {
        self.state().settings.borrow_mut().body_timeout = Some(timeout);
    }
}
