//! The span that a request is answered in.

use tracing::Span;
use tracing::field::Empty;

use crate::handler::Request;
use crate::http::StatusCode;

/// A disabled one, for the price of a comparison, unless somebody listens to spans of that level.
#[inline]
pub(super) fn request_span(request: &Request) -> Span {
    if tracing::level_enabled!(tracing::Level::DEBUG) { make_span(request) } else { Span::none() }
}

fn make_span(request: &Request) -> Span {
    tracing::debug_span!(
        target: "foster",
        "request",
        method = %request.method(),
        path = request.path(),
        peer = request.peername().map(tracing::field::display),
        status = Empty,
    )
}

/// Notes how the request of the current span is answered.
pub(super) fn record_status(status: StatusCode) {
    if tracing::level_enabled!(tracing::Level::DEBUG) {
        Span::current().record("status", status.as_u16());
    }
}
