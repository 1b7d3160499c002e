//! How a request is answered.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;

use futures::FutureExt;

use super::error_handlers::ErrorHandlers;
use super::exception::HttpException;
use super::request::Request;
use super::route::Target;
use super::routing::{Methods, NoMatch};
use super::shared::{Scope, Shared};
use super::streaming::in_context;
use super::teardown::{Kind, Teardown};
use super::websocket::serve_websocket;
use crate::http::{HeaderValue, Response, StatusCode, client_fault, header};
use crate::{Error, NurseryError, Panicked, Result, copy_context, handler};

/// What a request has come to.
pub(super) struct Answered {
    pub(super) response: Response,
    /// An error that nothing knew; the response stands in for it.
    pub(super) unknown: Option<Error>,
}

/// Answers a request, in a context of its own, and reports what nothing knew.
pub(super) async fn answer(shared: Rc<Shared>, request: handler::Request) -> Response {
    let request = Request::new(shared, request);
    let answered = answer_unreported(request.clone()).await;
    if let Some(err) = answered.unknown {
        request.report("a view failed", err);
    }
    answered.response
}

/// Answers a request, in a context of its own.
pub(super) async fn answer_unreported(request: Request) -> Answered {
    let mut context = request.context().enter(copy_context());
    let mut answering = pin!(respond(request));
    poll_fn(|cx| context.run(|| answering.as_mut().poll(cx))).await
}

async fn respond(request: Request) -> Answered {
    if let Some(Target::WebSocket(view)) = request.entry().map(|entry| &entry.target) {
        return serve_websocket(&request, &**view).await;
    }
    let scope = request.scope();
    let teardown = Teardown::of(&request, Kind::Http);
    let mut answered = work(&request, scope).await;
    tear_down(&request, &mut answered, teardown).await;
    answered
}

/// Has the hooks called that come when all is over, behind the last piece of the body.
pub(super) async fn tear_down(request: &Request, answered: &mut Answered, teardown: Option<Teardown>) {
    if answered.response.body().is_whole() {
        if let Some(teardown) = teardown {
            teardown.run(answered.unknown.clone()).await;
        }
    } else {
        let body = in_context(request.clone(), answered.response.take_body(), teardown);
        answered.response.set_body(body);
    }
}

/// From the hooks before the view to those behind it.
async fn work(request: &Request, scope: &Scope) -> Answered {
    let (response, unknown) = match caught(view(request, scope)).await {
        Ok(response) => (response, None),
        Err(err) => stand_in(request, scope, err).await,
    };
    let err = match caught(process(request, scope, response)).await {
        Ok(response) => return Answered { response, unknown },
        Err(err) => err,
    };
    // The response is gone with the hook that failed: what stands in for it goes the same way, and if that fails, too, no
    // hook sees what is sent.
    let (response, failed) = stand_in(request, scope, err).await;
    match caught(process(request, scope, response)).await {
        Ok(response) => Answered { response, unknown: unknown.or(failed) },
        Err(err) => {
            let response = HttpException::new(StatusCode::INTERNAL_SERVER_ERROR).to_response();
            Answered { response, unknown: unknown.or(failed).or(Some(err)) }
        }
    }
}

/// A panic is one more way to fail.
pub(super) async fn caught<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|payload| Err(Panicked::new(payload).into()))
}

async fn view(request: &Request, scope: &Scope) -> Result<Response> {
    preprocess(request, scope);
    for hook in &scope.hooks.http.before {
        if let Some(response) = hook.call(request.clone()).await? {
            return Ok(response);
        }
    }
    let Some(entry) = request.entry() else { return unrouted(request) };
    match &entry.target {
        Target::View(_) if request.state().routed.is_automatic_options => Ok(options(request)),
        Target::View(view) => view.call(request.clone()).await,
        Target::WebSocket(_) => unrouted(request),
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
fn unrouted(request: &Request) -> Result<Response> {
    let no_match = request.routing_exception().cloned().unwrap_or(NoMatch::NotFound);
    let exception = HttpException::new(no_match.status());
    match no_match {
        NoMatch::Redirect { location } => Ok(crate::http::redirect_with(&location, StatusCode::PERMANENT_REDIRECT)?),
        NoMatch::MethodNotAllowed { allowed } => Err(exception.header(header::ALLOW, allow(&allowed)).into()),
        _ => Err(exception.into()),
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
async fn process(request: &Request, scope: &Scope, response: Response) -> Result<Response> {
    let mut response = Some(response);
    let after_this = request.context().after_this.take();
    for call in &after_this {
        response = call.call(response).await?;
    }
    for hook in &scope.hooks.http.after {
        response = hook.call(response).await?;
    }
    Ok(response.unwrap_or_else(|| Response::new(StatusCode::NO_CONTENT)))
}

/// The response for an error, and the error if nothing knows it.
pub(super) async fn stand_in(request: &Request, scope: &Scope, err: Error) -> (Response, Option<Error>) {
    let err = match caught(handle(request, scope, err)).await {
        Ok(response) => return (response, None),
        Err(err) => err,
    };
    let exception = HttpException::internal(err.clone());
    let response = match find(scope, &exception.clone().into()) {
        Some(handler) => caught(handler.answer(exception.into())).await,
        None if request.context().shared.options.debug => Ok(super::debug_page::debug_page(request, &err)),
        None => Ok(exception.to_response()),
    };
    match response {
        Ok(response) => (response, Some(err)),
        Err(failure) => {
            request.report("a handler of errors failed", failure);
            (HttpException::new(StatusCode::INTERNAL_SERVER_ERROR).to_response(), Some(err))
        }
    }
}

/// The answer of who knows the error.
async fn handle(request: &Request, scope: &Scope, err: Error) -> Result<Response> {
    let err = choose(request, scope, err);
    match find(scope, &err) {
        Some(handler) => handler.answer(err).await,
        None => match err.downcast_ref::<HttpException>() {
            Some(exception) => Ok(exception.to_response()),
            None => Err(err),
        },
    }
}

fn find(scope: &Scope, err: &Error) -> Option<Rc<dyn super::error_handlers::Answers>> {
    ErrorHandlers::find(scope.error_handlers.iter().map(Rc::as_ref), err)
}

/// Of the errors of a nursery, the first in time that somebody knows; the others are reported.
fn choose(request: &Request, scope: &Scope, err: Error) -> Error {
    let Some(group) = err.downcast_ref::<NurseryError>() else { return as_exception(err) };
    let mut leaves: Vec<Error> = group.leaves().into_iter().cloned().map(as_exception).collect();
    let is_known = |leaf: &Error| leaf.is::<HttpException>() || find(scope, leaf).is_some();
    let Some(nth) = leaves.iter().position(is_known) else { return err };
    let chosen = leaves.remove(nth);
    for other in leaves {
        request.report("an error beside the one that was answered", other);
    }
    chosen
}

/// What is the client's fault says so with its status.
fn as_exception(err: Error) -> Error {
    match client_fault(&err) {
        Some(status) => HttpException::new(status).description(format!("{err}.")).into(),
        None => err,
    }
}
