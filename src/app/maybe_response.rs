//! [`MaybeResponse`]: what hooks, and views of WebSockets, give.

use crate::http::{IntoResponse, Response};
use crate::{Error, Result};

/// A response, or none: what a hook that comes before a view gives, and a view of a WebSocket.
///
/// There is `()` for none, `Option` of anything that is a response, and a `Result` of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a hook, or a view of a WebSocket, gives: it is neither nothing nor maybe a response",
    label = "give `()`, an `Option` of a response, or a `Result` of these",
    note = "wrap a response in `Some`, as `Some((\"not you\", 403))`, and give `None` to go on to the view"
)]
pub trait MaybeResponse {
    /// Makes the response, if there is to be one.
    ///
    /// # Errors
    ///
    /// That of the hook, or of the view.
    fn maybe_response(self) -> Result<Option<Response>>;
}

impl MaybeResponse for () {
    fn maybe_response(self) -> Result<Option<Response>> {
        Ok(None)
    }
}

impl<R: IntoResponse> MaybeResponse for Option<R> {
    fn maybe_response(self) -> Result<Option<Response>> {
        self.map(R::into_response).transpose()
    }
}

impl<T: MaybeResponse, E: Into<Error>> MaybeResponse for Result<T, E> {
    fn maybe_response(self) -> Result<Option<Response>> {
        self.map_err(Into::into)?.maybe_response()
    }
}
