//! How a request is answered.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;

use futures::FutureExt;

use super::error_handlers::ErrorHandlers;
use super::exception::HttpException;
use super::hooks::Kind;
use super::request::Request;
use super::route::Target;
use super::routing::{Methods, NoMatch};
use super::shared::{Scope, Shared};
use super::streaming::in_context;
use super::teardown::Teardown;
use super::websocket::serve_websocket;
use crate::http::{HeaderValue, Response, StatusCode, header, redirect_with};
use crate::{Error, NurseryError, Panicked, Result, handler};

/// What a request has come to.
pub(super) struct Answered {
    pub(super) response: Response,
    /// The first error that nothing knew; the response stands in for it. Later ones are reported.
    pub(super) unknown: Option<Error>,
}

/// Answers a request, in a context of its own, and reports what nothing knew; or has it answered by what is mounted there.
pub(super) async fn answer(shared: Rc<Shared>, request: handler::Request) -> Response {
    if let Some((mount, n)) = shared.mounts.find(&shared.options.application_root, || request.path()) {
        return mount.answer(n, request).await;
    }
    let request = Request::new(shared, request);
    let answered = answer_unreported(&request).await;
    if let Some(err) = answered.unknown {
        request.report(UNKNOWN, err);
    }
    answered.response
}

/// Answers a request, in a context of its own.
pub(super) async fn answer_unreported(request: &Request) -> Answered {
    let _closing = Closing(request);
    request.context().within(pin!(Some(respond(request)))).await
}

/// Nobody calls what comes after this request any more, be it that it was cancelled.
struct Closing<'r>(&'r Request);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.context().close_after_this();
    }
}

async fn respond(request: &Request) -> Answered {
    // In a box, so that not every request is as large as this.
    match request.entry().map(|entry| &entry.target) {
        Some(Target::WebSocket(view)) => return Box::pin(serve_websocket(request, Some(&**view))).await,
        None if request.is_websocket() => return Box::pin(serve_websocket(request, None)).await,
        Some(Target::View(_) | Target::Nothing) | None => {}
    }
    let teardown = Teardown::of(request, Kind::Http);
    let mut answered = work(request).await;
    tear_down(&mut answered, teardown).await;
    answered
}

/// Calls the hooks that come when all is over, behind the last piece of the body.
pub(super) async fn tear_down(answered: &mut Answered, teardown: Option<Teardown>) {
    if answered.response.body().is_whole() {
        if let Some(teardown) = teardown {
            // In a box, as all that is rare: a request is moved about in the size of all that it may come to.
            Box::pin(teardown.run(answered.unknown.clone())).await;
        }
    } else {
        let body = in_context(answered.response.take_body(), teardown, answered.unknown.clone());
        answered.response.set_body(body);
    }
}

/// From the hooks before the view to those behind it.
async fn work(request: &Request) -> Answered {
    let (response, unknown) = match caught(view(request)).await {
        Ok(response) => (response, None),
        Err(err) => Box::pin(stand_in(request, request.scope(), err)).await,
    };
    if request.scope().hooks.http.after.is_empty() && request.context().is_after_this_empty() {
        return Answered { response, unknown };
    }
    match caught(process(request, Kind::Http, Some(response))).await {
        Ok(response) => Answered { response: of_hooks(response), unknown },
        Err(err) => Box::pin(work_again(request, Kind::Http, err, unknown)).await,
    }
}

/// When a hook behind the view has failed, and the response is gone with it: what stands in for it goes the same way. If
/// that fails, too, no hook sees what is sent.
pub(super) async fn work_again(request: &Request, kind: Kind, err: Error, unknown: Option<Error>) -> Answered {
    let (response, failed) = stand_in(request, request.scope(), err).await;
    let (response, failed_again) = match caught(process(request, kind, Some(response))).await {
        Ok(response) => (of_hooks(response), None),
        Err(err) => (HttpException::new(StatusCode::INTERNAL_SERVER_ERROR).to_response(), Some(err)),
    };
    let mut unknown = [unknown, failed, failed_again].into_iter().flatten();
    let first = unknown.next();
    unknown.for_each(|err| request.report(UNKNOWN, err));
    Answered { response, unknown: first }
}

/// What is answered when the hooks behind the view are through. Only one of WebSockets may keep the response for itself.
pub(super) fn of_hooks(response: Option<Response>) -> Response {
    response.unwrap_or_else(|| HttpException::new(StatusCode::FORBIDDEN).to_response())
}

/// A panic is one more way to fail.
pub(super) async fn caught<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|payload| Err(Panicked::new(payload).into()))
}

async fn view(request: &Request) -> Result<Response> {
    let scope = request.scope();
    preprocess(request, scope);
    for hook in &scope.hooks.http.before {
        if let Some(response) = hook.call(request).await? {
            return Ok(response);
        }
    }
    match request.entry().map(|entry| &entry.target) {
        Some(Target::View(_)) if request.state().routed.is_automatic_options => Ok(options(request)),
        Some(Target::View(view)) => view.call(request).await,
        Some(Target::WebSocket(_) | Target::Nothing) | None => unrouted(request),
    }
}

/// Shows the values of the path to those that may change them.
pub(super) fn preprocess(request: &Request, scope: &Scope) {
    if scope.hooks.url_value_preprocessors.is_empty() {
        return;
    }
    let values = &request.state().routed.values;
    let mut args = values.take();
    for hook in &scope.hooks.url_value_preprocessors {
        hook(request, &mut args);
    }
    values.replace(args);
}

/// What is said to a request that no rule takes.
pub(super) fn unrouted(request: &Request) -> Result<Response> {
    match request.routing_exception().unwrap_or(&NoMatch::NotFound) {
        no_match @ NoMatch::Redirect { location } => Ok(redirect_with(location, no_match.status())?),
        no_match => Err(of_routing(no_match).into()),
    }
}

/// Why no rule takes a request, as an error: it says where the page is, or which methods there are.
pub(super) fn of_routing(no_match: &NoMatch) -> HttpException {
    let exception = HttpException::new(no_match.status());
    let (name, value) = match no_match {
        NoMatch::Redirect { location } => (header::LOCATION, HeaderValue::from_str(location).ok()),
        NoMatch::MethodNotAllowed { allowed } => (header::ALLOW, Some(allow(allowed))),
        _ => return exception,
    };
    match value {
        Some(value) => exception.header(name, value),
        None => exception,
    }
}

/// The answer to OPTIONS that no view gives.
fn options(request: &Request) -> Response {
    let allowed = request.context().shared.allowed_methods(request.state());
    Response::new(StatusCode::OK).header(header::ALLOW, allow(&allowed))
}

fn allow(methods: &Methods) -> HeaderValue {
    HeaderValue::from_str(&methods.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Has the response pass the hooks that come after the view.
pub(super) async fn process(request: &Request, kind: Kind, response: Option<Response>) -> Result<Option<Response>> {
    let mut response = response;
    for call in request.context().take_after_this() {
        call.call(&mut response).await?;
    }
    for hook in &request.scope().hooks.around(kind).after {
        hook.call(&mut response).await?;
    }
    Ok(response)
}

/// The response for an error, and the error if nothing knows it. What else went wrong is reported.
pub(super) async fn stand_in(request: &Request, scope: &Scope, err: Error) -> (Response, Option<Error>) {
    let unknown = match caught(handle(request, scope, &err)).await {
        Ok(Some(response)) => return (response, None),
        Ok(None) => err,
        Err(failure) => {
            if HttpException::status_of(&err).is_none() {
                request.report("the error that a handler of errors has failed at", err);
            }
            failure
        }
    };
    let exception = HttpException::internal(unknown.clone());
    if request.context().shared.options.debug {
        return (super::debug_page::debug_page(request, &unknown), Some(unknown));
    }
    let response = match caught(known(scope, &exception.clone().into())).await {
        Ok(response) => response,
        Err(failure) => {
            request.report("a handler of errors failed", failure);
            None
        }
    };
    (response.unwrap_or_else(|| exception.to_response()), Some(unknown))
}

/// The answer to an error; `None` if nothing knows it.
async fn handle(request: &Request, scope: &Scope, err: &Error) -> Result<Option<Response>> {
    let err = choose(request, scope, err);
    if let Some(response) = known(scope, &err).await? {
        return Ok(Some(response));
    }
    let exception = HttpException::of(&err);
    Ok(exception.as_ref().and_then(|err| err.downcast_ref()).map(HttpException::to_response))
}

/// What a handler answers to an error, if there is one for it.
async fn known(scope: &Scope, err: &Error) -> Result<Option<Response>> {
    match ErrorHandlers::find(&scope.error_handlers, err) {
        Some((handler, err)) => handler.answer(err).await.map(Some),
        None => Ok(None),
    }
}

/// Of the errors of a nursery, the first in time that somebody knows; the others are reported. If nobody knows one, they
/// stay together, and there may be a handler for that.
fn choose(request: &Request, scope: &Scope, err: &Error) -> Error {
    let Some(group) = err.downcast_ref::<NurseryError>() else { return err.clone() };
    let mut leaves: Vec<Error> = group.leaves().into_iter().cloned().collect();
    let is_known = |leaf: &Error| {
        HttpException::status_of(leaf).is_some() || ErrorHandlers::find(&scope.error_handlers, leaf).is_some()
    };
    let Some(nth) = leaves.iter().position(is_known) else { return err.clone() };
    let chosen = leaves.remove(nth);
    for other in leaves {
        request.report("an error beside the one that was answered", other);
    }
    chosen
}

pub(super) const UNKNOWN: &str = "a view failed";
