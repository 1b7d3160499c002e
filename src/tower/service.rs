//! Handlers as services of tower.

use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll};

use ::http::uri::Scheme;
use ::http::{HeaderValue, Uri, header};
use foster_compat::{Error, Nursery, Result};
use futures::future::LocalBoxFuture;
use tower_service::Service;

use super::connection::connection_of;
use super::incoming::request_body;
use super::{BoxError, RequestBody, RootPath, answer};
use crate::handler::{Handler, Request};
use crate::http::{BodyKind, HttpError, IntoResponse, RequestHead, Response, ResponseBody, Version};
use crate::serve::HttpServer;

/// A handler as a service: what [`service`] gives. A clone is the same handler.
///
/// It is neither `Send` nor are its futures, as nothing is that stays on its loop: layers fit that do not ask for that, as
/// all of `tower-http`, and routers that do, as axum's, do not take it. It is called in a loop of Foster's.
pub struct HandlerService<H> {
    handler: Rc<H>,
}

/// Any handler as a service of tower, to be called by hand, or behind layers: see [`layered`] for serving it so.
///
/// A request that [`handler`](super::handler()) has made, changed by layers as it may be, is answered on the connection it
/// came on: WebSockets and other upgrades, informational responses, the end of the server and the addresses of both ends
/// are there. Any other has no connection: nothing of this is there, a WebSocket is answered with 501, and only what a
/// [`ConnectionInfo`](super::ConnectionInfo) among its extensions says is known of both ends. A `Host` that is missing is
/// taken from the URI, or left empty.
///
/// The errors of the service are those of the handler, and those of a request that none of HTTP/1.1 could be, an
/// [`HttpError`].
///
/// ```
/// use foster::Request;
/// use foster::http::Response;
/// use foster::tower;
/// use tower_service::Service;
///
/// foster::run(async {
///     let hello = |request: Request| async move { Response::text(request.path().to_owned()) };
///     let mut service = tower::service(hello);
///     let request = http::Request::get("/hello").body(String::new())?;
///     assert_eq!(service.call(request).await?.status(), 200);
///     foster::Ok(())
/// })?;
/// # foster::Ok(())
/// ```
pub fn service<H: Handler>(handler: H) -> HandlerService<H> {
    HandlerService { handler: Rc::new(handler) }
}

/// A handler behind layers of tower, with its lifespan and its limits: `layer` makes of its service the one that is
/// called, as with `|service| TimeoutLayer::new(timeout).layer(service)`.
///
/// A WebSocket lasts as long as the call that opened it: what bounds the time of a call bounds its.
///
/// ```
/// use foster::app::App;
/// use foster::{Config, run, serve, tower};
///
/// # #[derive(Clone)]
/// # struct Logged<S>(S);
/// # impl<S: tower_service::Service<R>, R> tower_service::Service<R> for Logged<S> {
/// #     type Response = S::Response;
/// #     type Error = S::Error;
/// #     type Future = S::Future;
/// #     fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
/// #         self.0.poll_ready(cx)
/// #     }
/// #     fn call(&mut self, request: R) -> S::Future {
/// #         self.0.call(request)
/// #     }
/// # }
/// let mut app = App::new();
/// app.get("/", async || "Hello, World!");
/// let handler = tower::layered(app.into_handler()?, |service| Logged(service));
/// run(serve(handler, Config::new().bind("127.0.0.1:0")).on_serving(|server| server.shutdown()))?;
/// # foster::Ok(())
/// ```
pub fn layered<H, S, B>(handler: H, layer: impl FnOnce(HandlerService<H>) -> S) -> impl Handler
where
    H: Handler,
    S: Service<::http::Request<RequestBody>, Response = ::http::Response<B>> + Clone + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    let service = service(handler);
    let handler = service.handler.clone();
    let outermost = layer(service);
    Layered { handler, call: move |request: Request| answer(outermost.clone(), request) }
}

impl<H> Clone for HandlerService<H> {
    fn clone(&self) -> Self {
        HandlerService { handler: self.handler.clone() }
    }
}

impl<H, B> Service<::http::Request<B>> for HandlerService<H>
where
    H: Handler,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    type Response = ::http::Response<ResponseBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ::http::Request<B>) -> Self::Future {
        let handler = self.handler.clone();
        Box::pin(async move {
            let request = from_foreign(request)?;
            handler.call(request).await.into_response().map(to_foreign)
        })
    }
}

fn from_foreign<B>(request: ::http::Request<B>) -> Result<Request, HttpError>
where
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let root_path = parts.extensions.get::<RootPath>().map_or("", |root_path| &root_path.0);
    let version = if parts.version == Version::HTTP_10 { Version::HTTP_10 } else { Version::HTTP_11 };
    let is_hostless = version == Version::HTTP_11 && !parts.headers.contains_key(header::HOST);
    let host = authority(&parts.uri).filter(|_| is_hostless).unwrap_or_default();
    let host = HeaderValue::from_str(host).map_err(|_| HttpError::Host)?;
    let added = is_hostless.then_some((&header::HOST, &host));
    let target = target(&parts.uri, root_path);
    let mut head = RequestHead::write(&parts.method, &target, version, parts.headers.iter().chain(added))?;
    if !root_path.is_empty() {
        head.mount(root_path.len())?;
    }
    let is_secure = parts.uri.scheme() == Some(&Scheme::HTTPS);
    Ok(Request::new(head, request_body(body), connection_of(&parts.extensions, is_secure)))
}

/// The target with what it was mounted below in front of its path.
fn target(uri: &Uri, root_path: &str) -> String {
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    match (uri.scheme(), authority(uri)) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}{root_path}{path}"),
        (None, Some(authority)) => authority.to_owned(),
        _ => format!("{root_path}{path}"),
    }
}

/// The host with its port, and never the user and the password that may stand before it.
fn authority(uri: &Uri) -> Option<&str> {
    uri.authority()?.as_str().rsplit('@').next()
}

fn to_foreign(mut response: Response) -> ::http::Response<ResponseBody> {
    let mut body = response.take_body();
    if matches!(body.kind, BodyKind::Incoming(_)) {
        // From here on it says how much is left.
        body = body.map_stream(|chunks| chunks);
    }
    let mut foreign = ::http::Response::new(body);
    *foreign.status_mut() = response.status();
    let headers = foreign.headers_mut();
    if let Some(content_type) = response.content_type() {
        headers.insert(header::CONTENT_TYPE, content_type.clone());
    }
    for (name, value) in response.headers().iter() {
        headers.append(name.clone(), value.clone());
    }
    foreign
}

/// A handler, and what is called in its place.
struct Layered<H, C> {
    handler: Rc<H>,
    call: C,
}

impl<H, C, A> Handler for Layered<H, C>
where
    H: Handler,
    C: Fn(Request) -> A + 'static,
    A: Future<Output = Result<Response>> + 'static,
{
    type Future = A;

    fn call(&self, request: Request) -> A {
        (self.call)(request)
    }

    fn startup(&self, nursery: Nursery, server: HttpServer) -> LocalBoxFuture<'_, Result<()>> {
        self.handler.startup(nursery, server)
    }

    fn shutdown(&self) -> LocalBoxFuture<'_, Result<()>> {
        self.handler.shutdown()
    }

    fn max_body_size(&self, limit: Option<u64>) -> Option<u64> {
        self.handler.max_body_size(limit)
    }
}
