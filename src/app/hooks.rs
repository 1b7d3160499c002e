//! [`Hooks`]: what is called around views.

use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::request::Request;
use super::view::Callable;
use super::view_args::ViewArgs;
use crate::http::{IntoResponse, Response};
use crate::{Error, Outcome, Result};

/// The hooks of one application or blueprint, each list in the order they were registered.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    pub(super) http: AroundHooks,
    pub(super) websocket: AroundHooks,
    pub(super) url_value_preprocessors: Vec<Rc<UrlValues>>,
    pub(super) url_defaults: Vec<Rc<UrlDefaults>>,
}

/// Those of requests, or those of WebSockets.
#[derive(Clone, Default)]
pub(super) struct AroundHooks {
    pub(super) before: Vec<Rc<dyn Callable<Option<Response>>>>,
    pub(super) after: Vec<Rc<dyn After>>,
    pub(super) teardown: Vec<Rc<dyn Teardown>>,
}

impl Hooks {
    /// Adds others behind these.
    pub(super) fn append(&mut self, other: &Hooks) {
        self.http.append(&other.http);
        self.websocket.append(&other.websocket);
        self.url_value_preprocessors.extend(other.url_value_preprocessors.iter().cloned());
        self.url_defaults.extend(other.url_defaults.iter().cloned());
    }
}

impl AroundHooks {
    fn append(&mut self, other: &AroundHooks) {
        self.before.extend(other.before.iter().cloned());
        self.after.extend(other.after.iter().cloned());
        self.teardown.extend(other.teardown.iter().cloned());
    }

    /// Adds what comes after a view, the last added first.
    pub(super) fn append_backwards(&mut self, other: &AroundHooks) {
        self.after.extend(other.after.iter().rev().cloned());
        self.teardown.extend(other.teardown.iter().rev().cloned());
    }
}

/// May look at the values of the path, and change them, before anything else sees them.
pub(super) type UrlValues = dyn Fn(&Request, &mut ViewArgs);

/// May add values to those that a URL is built from.
pub(super) type UrlDefaults = dyn Fn(&str, &mut ViewArgs);

/// A hook that may change a response.
pub(super) trait After {
    fn call(&self, response: Option<Response>) -> LocalBoxFuture<'_, Result<Option<Response>>>;
}

/// A hook that comes when all is over.
pub(super) trait Teardown {
    fn call(&self, err: Option<Error>) -> LocalBoxFuture<'_, Result<()>>;
}

/// A hook that comes after each request.
pub(super) struct AfterResponse<F>(pub(super) F);

impl<F, R> After for AfterResponse<F>
where
    F: AsyncFn(Response) -> R,
    R: IntoResponse,
{
    fn call(&self, response: Option<Response>) -> LocalBoxFuture<'_, Result<Option<Response>>> {
        Box::pin(async move {
            match response {
                Some(response) => (self.0)(response).await.into_response().map(Some),
                None => Ok(None),
            }
        })
    }
}

/// A hook that comes after each WebSocket, which has a response only if it was not accepted.
pub(super) struct AfterWebSocket<F>(pub(super) F);

impl<F, R> After for AfterWebSocket<F>
where
    F: AsyncFn(Option<Response>) -> R,
    R: super::maybe_response::MaybeResponse,
{
    fn call(&self, response: Option<Response>) -> LocalBoxFuture<'_, Result<Option<Response>>> {
        Box::pin(async move { (self.0)(response).await.maybe_response() })
    }
}

impl<F, R> Teardown for F
where
    F: AsyncFn(Option<Error>) -> R,
    R: Outcome,
{
    fn call(&self, err: Option<Error>) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async move { self(err).await.into_result() })
    }
}
