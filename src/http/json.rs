//! [`Json`].

use ::http::HeaderValue;
use serde::Serialize;
use serde_json::Value;

use super::into_response::IntoResponse;
use super::response::Response;
use crate::Result;

/// A value as the answer of a handler, written as JSON: `application/json`, Quart's `jsonify`.
///
/// It is compact, in UTF-8, and has its fields in the order of the type: Quart escapes what is not ASCII, sorts the keys
/// and adds a line end. A value that has no JSON, as a map whose keys are no strings, is an error of the handler's.
///
/// ```
/// use foster::http::{IntoResponse, Json};
///
/// let response = Json([1, 2, 3]).into_response()?;
/// assert_eq!(response.body().content_length(), Some(7));
/// # foster::Ok(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Result<Response> {
        // It begins with room for 128 bytes, which most answers of an API need or pass.
        let json = serde_json::to_vec(&self.0)?;
        Ok(Response::with_type(HeaderValue::from_static("application/json"), json))
    }
}

/// As [`Json`].
impl IntoResponse for Value {
    fn into_response(self) -> Result<Response> {
        Json(self).into_response()
    }
}
