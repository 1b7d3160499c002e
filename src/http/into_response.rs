//! [`IntoResponse`]: what a handler may give.

use std::borrow::Cow;

use ::http::StatusCode;
use bytes::Bytes;

use super::response::{Response, ResponseBody};
use super::response_part::ResponsePart;
use crate::{Error, Result};

/// What a handler may give: a response, something that makes one, or a `Result` of these. These are the return values
/// of a view in Quart:
///
/// | what | the response |
/// | --- | --- |
/// | [`Response`] | that one |
/// | [`StatusCode`] | with that status and no body |
/// | `&'static str`, `String`, `Box<str>`, `Cow<'static, str>` | 200 with `text/plain; charset=utf-8` |
/// | `Bytes`, `Vec<u8>`, `&'static [u8]`, [`ResponseBody`] | 200 with `application/octet-stream` |
/// | [`Html`](super::Html) | 200 with `text/html; charset=utf-8` |
/// | `Json`, `serde_json::Value`, with the feature `json` | 200 with `application/json` |
/// | `(what, status)`, `(what, headers)`, `(what, status, headers)` | the first, with the others [set over it](ResponsePart) |
/// | `Result<what, error>` | the one inside, or the error |
///
/// Quart answers text as `text/html`, and a stream, too. Here text is plain, so that what a client sent and a handler
/// repeats is no markup, and bytes and streams are of no known type: [`Html`](super::Html) and [`Response::with_type`]
/// say which. There is no response in nothing, as Quart has none in `None`: a handler that is done gives
/// `StatusCode::NO_CONTENT`.
///
/// ```
/// use foster::http::{Html, IntoResponse, StatusCode};
///
/// let started = ("Started", 201).into_response()?;
/// assert_eq!(started.status(), StatusCode::CREATED);
///
/// let busy = (Html("<p>Later."), StatusCode::SERVICE_UNAVAILABLE, [("Retry-After", "120")]).into_response()?;
/// assert_eq!(busy.headers().len(), 1);
/// # foster::Ok(())
/// ```
///
/// ```compile_fail
/// use foster::http::IntoResponse;
///
/// let nothing = ().into_response();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no response",
    label = "a handler cannot give this",
    note = "a handler gives a `Response`, a `StatusCode`, text, bytes, `Html`, `Json`, or a `Result` of one of these",
    note = "a value of your own is wrapped: `Json(value)`, if it is `Serialize`",
    note = "a status and header fields stand behind it: `(body, status)`, `(body, headers)` or `(body, status, headers)`",
    note = "instead of `()` return a status, as `StatusCode::NO_CONTENT`"
)]
pub trait IntoResponse {
    /// Makes the response.
    ///
    /// # Errors
    ///
    /// The handler's error: it is reported, and the client gets 500. A [`BodyError`](super::BodyError),
    /// [`TooManyPairs`](super::TooManyPairs) and an [`HttpError`](super::HttpError) of the peer's are answered with their
    /// own status and not reported.
    fn into_response(self) -> Result<Response>;
}

impl IntoResponse for Response {
    fn into_response(self) -> Result<Response> {
        Ok(self)
    }
}

impl<T: IntoResponse, E: Into<Error>> IntoResponse for Result<T, E> {
    fn into_response(self) -> Result<Response> {
        self.map_err(Into::into)?.into_response()
    }
}

/// What the first makes, with a status or header fields set over it.
impl<T: IntoResponse, P: ResponsePart> IntoResponse for (T, P) {
    fn into_response(self) -> Result<Response> {
        let (body, part) = self;
        let mut response = body.into_response()?;
        part.apply(&mut response)?;
        Ok(response)
    }
}

/// What the first makes, with a status and header fields set over it.
impl<T: IntoResponse, S: ResponsePart, H: ResponsePart> IntoResponse for (T, S, H) {
    fn into_response(self) -> Result<Response> {
        let (body, status, headers) = self;
        ((body, status), headers).into_response()
    }
}

/// An empty response.
impl IntoResponse for StatusCode {
    fn into_response(self) -> Result<Response> {
        Ok(Response::new(self))
    }
}

/// Text.
impl IntoResponse for &'static str {
    fn into_response(self) -> Result<Response> {
        Ok(Response::text(self))
    }
}

/// Text.
impl IntoResponse for String {
    fn into_response(self) -> Result<Response> {
        Ok(Response::text(self))
    }
}

/// Text.
impl IntoResponse for Box<str> {
    fn into_response(self) -> Result<Response> {
        Ok(Response::text(self))
    }
}

/// Text.
impl IntoResponse for Cow<'static, str> {
    fn into_response(self) -> Result<Response> {
        Ok(Response::text(self))
    }
}

/// Bytes.
impl IntoResponse for Bytes {
    fn into_response(self) -> Result<Response> {
        Ok(Response::bytes(self))
    }
}

/// Bytes.
impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Result<Response> {
        Ok(Response::bytes(self))
    }
}

/// Bytes.
impl IntoResponse for &'static [u8] {
    fn into_response(self) -> Result<Response> {
        Ok(Response::bytes(self))
    }
}

/// Bytes.
impl<const N: usize> IntoResponse for &'static [u8; N] {
    fn into_response(self) -> Result<Response> {
        Ok(Response::bytes(self))
    }
}

/// Bytes, there or streamed: [`Response::with_type`] says what they are.
impl IntoResponse for ResponseBody {
    fn into_response(self) -> Result<Response> {
        Ok(Response::bytes(self))
    }
}
