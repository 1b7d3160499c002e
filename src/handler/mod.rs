//! The seam between the protocols and whoever answers: [`Request`] to [`Response`](crate::http::Response).

mod request;
mod upgraded;

use std::future::Future;

use crate::http::IntoResponse;

pub use request::Request;
pub use upgraded::Upgraded;

pub(crate) use request::{Connected, Ends};

/// Answers requests: what [`serve`](crate::serve()) serves. Every `Fn(Request) -> impl Future` is one whose result is a
/// response or makes one.
///
/// The future is polled at once, and if it is ready then, it is never queued. One that waits is a child of the
/// connection's nursery: it is cancelled when the connection is lost, with that reason. It need not be `Send`.
///
/// It runs in a `tracing` span `request` with the fields `method`, `path`, `peer` and, once there is one, `status`, if a
/// subscriber wants spans of the level DEBUG from the target `foster` (`RUST_LOG=foster=debug`), and in none otherwise.
///
/// ```
/// use foster::{Handler, Request};
/// use foster::http::Response;
///
/// fn hello() -> impl Handler {
///     |request: Request| async move {
///         let name = request.query().unwrap_or("world").to_owned();
///         Response::text(format!("Hello, {name}!"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler of requests",
    label = "a handler is a `Fn(Request) -> impl Future` that gives a response",
    note = "the future gives a `foster::http::Response`, text, bytes, a status, or a `Result` of these"
)]
pub trait Handler: 'static {
    /// What is polled until there is an answer.
    type Future: Future<Output: IntoResponse> + 'static;

    /// Begins to answer.
    fn call(&self, request: Request) -> Self::Future;
}

impl<F, A> Handler for F
where
    F: Fn(Request) -> A + 'static,
    A: Future + 'static,
    A::Output: IntoResponse,
{
    type Future = A;

    fn call(&self, request: Request) -> A {
        self(request)
    }
}
