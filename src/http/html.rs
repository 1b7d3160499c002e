//! [`Html`].

use ::http::HeaderValue;

use super::into_response::IntoResponse;
use super::response::{Response, ResponseBody};
use crate::Result;

/// A page, or a piece of one, as the answer of a handler: `text/html; charset=utf-8`, which is what Quart makes of every
/// string. What it holds is sent as it is: what a client sent goes through [`escape`](super::escape()) first.
///
/// ```
/// use foster::http::{Html, escape};
///
/// fn greet(name: &str) -> Html<String> {
///     Html(format!("<p>Hello, {}!", escape(name)))
/// }
///
/// assert_eq!(greet("<b>").0, "<p>Hello, &lt;b&gt;!");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Html<T>(pub T);

impl<T: Into<ResponseBody>> IntoResponse for Html<T> {
    fn into_response(self) -> Result<Response> {
        Ok(Response::with_type(HeaderValue::from_static("text/html; charset=utf-8"), self.0))
    }
}
