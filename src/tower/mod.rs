//! Services of tower as handlers, and handlers as services: an axum `Router` serves from a loop of Foster's as it is, by
//! itself or [mounted](crate::app::App::mount) in an application, and an application stands [behind layers](layered).
//!
//! ```
//! use axum::Router;
//! use axum::extract::Path;
//! use axum::routing::get;
//! use foster::{Config, run, serve, tower};
//!
//! let app = Router::new().route("/hello/{name}", get(async |Path(name): Path<String>| format!("Hello, {name}!")));
//! let config = Config::new().bind("127.0.0.1:0");
//! run(serve(tower::handler(app), config).on_serving(|server| server.shutdown()))?;
//! # foster::Ok(())
//! ```
//!
//! The seam costs what the types of the [`http`](https://docs.rs/http) crate cost, about a dozen allocations a request
//! more than a handler of Foster's own: a map of the header fields, the target as a `Uri`, the extensions, a box for the
//! body of the response.
//!
//! A router asks for futures that are `Send`, which Foster's own are not: its handlers wait for what tokio has, as
//! `tokio::time::sleep`, or `tokio::spawn`. A loop is a runtime of tokio's with one thread.
//!
//! Not there for such a router: upgrades, which hyper does with a type of its own, so that axum's `WebSocketUpgrade` and
//! `CONNECT` cannot work; and axum's `ConnectInfo`, in whose place `Extension<ConnectionInfo>` says more. A handler behind
//! layers has them: what it is called with finds its connection again.

mod connection;
mod handoff;
mod incoming;
mod outgoing;
mod request_body;
mod response_body;
mod service;

use std::future::{Future, poll_fn};
use std::pin::pin;

use foster_compat::{Address, Error, Result};
use tower_service::Service;

use crate::handler::{Handler, Request};
use crate::http::{BodyError, Fault, HeaderList, HttpError, Response, StatusCode};
use connection::Lent;
use handoff::{Filler, handoff};

pub use request_body::RequestBody;
pub use service::{HandlerService, layered, service};

/// What the errors of services become.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is known of the connection a request came on: an extension of each request.
///
/// ```
/// use axum::Extension;
/// use foster::tower::ConnectionInfo;
///
/// async fn who(Extension(connection): Extension<ConnectionInfo>) -> String {
///     connection.peername.map(|peer| peer.to_string()).unwrap_or_default()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The address of the peer: the client's, or that of a proxy in front.
    pub peername: Option<Address>,
    /// The own address.
    pub sockname: Option<Address>,
    /// Whether the connection is encrypted: the scheme is `https`.
    pub is_secure: bool,
}

/// What the handler of a request is [mounted](crate::app::App::mount) below, as it came in front of its path: an extension
/// of each request where there is something of that kind. ASGI's `root_path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPath(pub String);

/// A handler that hands each request to a service, as an axum `Router`.
///
/// Each request gets a clone of the service, which is called once it says that it is ready. Neither the service nor its
/// futures need be `Send`. A response whose body knows its exact size gets a `Content-Length`, any other is sent in
/// chunks, with its trailers; its next piece is asked for when the client has taken enough of the last ones, and it is
/// dropped when the client goes away.
///
/// An error of the service is answered with 500 and reported, unless a [`BodyError`] or an [`HttpError`] of the peer's is
/// among its causes, which is answered with its own status. So is a response of the service with 400 after its
/// [`RequestBody`] has failed, because axum's extractors give 400 for every error but their own: the body of a request
/// that was too large is answered with 413, one that came too slowly with 408. A target that is no `Uri` is answered
/// with 400.
pub fn handler<S, B>(service: S) -> impl Handler
where
    S: Service<::http::Request<RequestBody>, Response = ::http::Response<B>> + Clone + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    move |request: Request| answer(service.clone(), request)
}

async fn answer<S, B>(service: S, request: Request) -> Result<Response>
where
    S: Service<::http::Request<RequestBody>, Response = ::http::Response<B>>,
    S::Error: Into<BoxError>,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    let mut service = service;
    let Some((request, mut filler, lent)) = convert(request) else {
        return Ok(Response::new(StatusCode::BAD_REQUEST));
    };
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(error)?;
    let mut response = pin!(service.call(request));
    let response = poll_fn(|cx| {
        let polled = response.as_mut().poll(cx);
        if let Some(filler) = &mut filler {
            filler.fill(cx);
        }
        polled
    });
    let (parts, body) = response.await.map_err(error)?.into_parts();
    drop(lent);
    let failure = filler.as_ref().and_then(Filler::failure).filter(|_| parts.status == StatusCode::BAD_REQUEST);
    let mut response = Response::new(failure.map_or(parts.status, BodyError::status));
    *response.headers_mut() = HeaderList::from(&parts.headers);
    response.set_body(outgoing::response_body(body, filler).await?);
    Ok(response)
}

/// The request in the types of the `http` crate, what fills its body if that is not there as a whole, and what lends its
/// connection. `None` if its target is no `Uri`.
fn convert(request: Request) -> Option<(::http::Request<RequestBody>, Option<Filler>, Lent)> {
    let info =
        ConnectionInfo { peername: request.peername(), sockname: request.sockname(), is_secure: request.is_secure() };
    let (head, body, connection) = request.split();
    let uri = ::http::Uri::try_from(head.target()).ok()?;
    let (body, filler) = handoff(body);
    let mut converted = ::http::Request::new(body);
    *converted.method_mut() = head.method().clone();
    *converted.uri_mut() = uri;
    *converted.version_mut() = head.version();
    *converted.headers_mut() = head.headers().to_header_map();
    let extensions = converted.extensions_mut();
    extensions.insert(info);
    if !head.root_path().is_empty() {
        extensions.insert(RootPath(head.root_path().to_owned()));
    }
    let lent = Lent::to(extensions, connection);
    Some((converted, filler, lent))
}

/// An error of a service: the one that says which status answers it, if there is such a one among its causes.
fn error(err: impl Into<BoxError>) -> Error {
    let err = Error::from_boxed(err.into());
    let told = err.chain().find_map(|cause| {
        let of_body = cause.downcast_ref::<BodyError>().map(|err| Error::from(err.clone()));
        let of_peer = || cause.downcast_ref::<HttpError>().filter(|err| err.fault() == Fault::Peer);
        of_body.or_else(|| of_peer().map(|err| Error::from(err.clone())))
    });
    told.unwrap_or(err)
}
