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

/// What a request has come to. It stays in its place while it is made: most of what a small request would cost here is
/// moving it.
#[derive(Default)]
pub(super) struct Answered {
    /// There is one in the end, unless a hook of WebSockets keeps it for itself.
    pub(super) response: Option<Response>,
    /// The first error that nothing knew; the response stands in for it. Later ones are reported.
    pub(super) unknown: Option<Error>,
}

impl Answered {
    pub(super) fn with(response: Response) -> Self {
        Answered { response: Some(response), unknown: None }
    }

    pub(super) fn into_response(self) -> Response {
        self.response.unwrap_or_else(|| HttpException::new(StatusCode::FORBIDDEN).to_response())
    }
}

/// Answers a request, in a context of its own, and reports what nothing knew; or has it answered by what is mounted there.
pub(super) async fn answer(shared: Rc<Shared>, request: handler::Request) -> Response {
    if let Some((mount, n)) = shared.mounted(|| request.path()) {
        return mount.answer(n, request).await;
    }
    let request = Request::new(shared, request);
    let mut answered = Answered::default();
    answer_unreported(&request, &mut answered).await;
    if let Some(err) = answered.unknown.take() {
        request.report(UNKNOWN, err);
    }
    answered.into_response()
}

/// Answers a request, in a context of its own.
pub(super) async fn answer_unreported(request: &Request, answered: &mut Answered) {
    let _closing = Closing(request);
    request.context().within(pin!(Some(respond(request, answered)))).await;
}

/// Nobody calls what comes after this request any more, be it that it was cancelled.
struct Closing<'r>(&'r Request);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.context().close_after_this();
    }
}

async fn respond(request: &Request, answered: &mut Answered) {
    let (entry, scope) = (request.entry(), request.scope());
    let target = entry.map_or(&Target::Nothing, |entry| &entry.target);
    // In a box, so that not every request is as large as this.
    match target {
        Target::WebSocket(view) => return Box::pin(serve_websocket(request, Some(&**view), answered)).await,
        Target::Nothing if request.is_websocket() => return Box::pin(serve_websocket(request, None, answered)).await,
        Target::View(_) | Target::Nothing => {}
    }
    let teardown = Teardown::of(request, scope, Kind::Http);
    if let Err(err) = caught(view(request, scope, target, &mut answered.response)).await {
        *answered = Box::pin(stand_in(request, scope, err)).await;
    }
    if !scope.hooks.http.after.is_empty() || !request.context().is_after_this_empty() {
        process_or_stand_in(request, scope, Kind::Http, answered).await;
    }
    tear_down(answered, teardown).await;
}

/// Calls the hooks that come when all is over, behind the last piece of the body.
pub(super) async fn tear_down(answered: &mut Answered, teardown: Option<Teardown>) {
    match &mut answered.response {
        Some(response) if !response.body().is_whole() => {
            let body = in_context(response.take_body(), teardown, answered.unknown.clone());
            response.set_body(body);
        }
        _ => {
            if let Some(teardown) = teardown {
                // In a box, as all that is rare: a request is moved about in the size of all that it may come to.
                Box::pin(teardown.run(answered.unknown.clone())).await;
            }
        }
    }
}

/// Has the response pass the hooks that come after the view.
pub(super) async fn process_or_stand_in(request: &Request, scope: &Scope, kind: Kind, answered: &mut Answered) {
    if let Err(err) = caught(process(request, scope, kind, &mut answered.response)).await {
        Box::pin(process_again(request, scope, kind, err, answered)).await;
    }
}

/// When a hook behind the view has failed, and the response is gone with it: what stands in for it goes the same way. If
/// that fails, too, no hook sees what is sent.
async fn process_again(request: &Request, scope: &Scope, kind: Kind, err: Error, answered: &mut Answered) {
    let unknown = answered.unknown.take();
    *answered = stand_in(request, scope, err).await;
    let failed_again = caught(process(request, scope, kind, &mut answered.response)).await.err();
    if failed_again.is_some() {
        answered.response = Some(HttpException::new(StatusCode::INTERNAL_SERVER_ERROR).to_response());
    }
    let mut unknown = [unknown, answered.unknown.take(), failed_again].into_iter().flatten();
    answered.unknown = unknown.next();
    unknown.for_each(|err| request.report(UNKNOWN, err));
}

/// A panic is one more way to fail.
pub(super) async fn caught<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|payload| Err(Panicked::new(payload).into()))
}

async fn view(request: &Request, scope: &Scope, target: &Target, answer: &mut Option<Response>) -> Result<()> {
    if preprocess(request, scope, Kind::Http, answer).await? {
        return Ok(());
    }
    match target {
        Target::View(_) if request.state().routed.is_automatic_options => *answer = Some(options(request)),
        Target::View(view) => view.call(request, answer).await?,
        Target::WebSocket(_) | Target::Nothing => *answer = Some(unrouted(request)?),
    }
    Ok(())
}

/// Shows the values of the path to those that may change them, and calls the hooks that come before the view: Quart's
/// `preprocess_request`. Says whether one of them has answered.
pub(super) async fn preprocess(
    request: &Request,
    scope: &Scope,
    kind: Kind,
    answer: &mut Option<Response>,
) -> Result<bool> {
    let values = &request.state().routed.values;
    for hook in &scope.hooks.url_value_preprocessors {
        let mut args = values.borrow().clone();
        hook(request, &mut args);
        values.replace(args);
    }
    for hook in &scope.hooks.around(kind).before {
        hook.call(request, answer).await?;
        if answer.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
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

/// Calls the hooks that come after the view.
pub(super) async fn process(
    request: &Request,
    scope: &Scope,
    kind: Kind,
    response: &mut Option<Response>,
) -> Result<()> {
    if !request.context().is_after_this_empty() {
        for call in request.context().take_after_this() {
            call.call(response).await?;
        }
    }
    for hook in &scope.hooks.around(kind).after {
        hook.call(response).await?;
    }
    Ok(())
}

/// The response for an error, and the error if nothing knows it. What else went wrong is reported.
pub(super) async fn stand_in(request: &Request, scope: &Scope, err: Error) -> Answered {
    let unknown = match caught(handle(request, scope, &err)).await {
        Ok(Some(response)) => return Answered::with(response),
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
        let page = super::debug_page::debug_page(request, &unknown);
        return Answered { response: Some(page), unknown: Some(unknown) };
    }
    let response = match caught(known(scope, &exception.clone().into())).await {
        Ok(response) => response,
        Err(failure) => {
            request.report("a handler of errors failed", failure);
            None
        }
    };
    Answered { response: Some(response.unwrap_or_else(|| exception.to_response())), unknown: Some(unknown) }
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
