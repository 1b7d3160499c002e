//! [`Hooks`]: what is called around views.

use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::maybe_response::MaybeResponse;
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
    pub(super) before: Vec<Rc<dyn Callable>>,
    pub(super) after: Vec<Rc<dyn After>>,
    pub(super) teardown: Vec<Rc<dyn Teardown>>,
}

/// What is served: its hooks are meant.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Http,
    WebSocket,
}

impl Hooks {
    pub(super) fn around(&self, kind: Kind) -> &AroundHooks {
        match kind {
            Kind::Http => &self.http,
            Kind::WebSocket => &self.websocket,
        }
    }

    /// Adds what is called first of the outermost, in the order it was added.
    pub(super) fn extend_forwards(&mut self, inner: &Hooks) {
        self.url_value_preprocessors.extend_from_slice(&inner.url_value_preprocessors);
        self.url_defaults.extend_from_slice(&inner.url_defaults);
        self.http.before.extend_from_slice(&inner.http.before);
        self.websocket.before.extend_from_slice(&inner.websocket.before);
    }

    /// Adds what is called first of the innermost, the last added first.
    pub(super) fn extend_backwards(&mut self, outer: &Hooks) {
        for (around, outer) in [(&mut self.http, &outer.http), (&mut self.websocket, &outer.websocket)] {
            around.after.extend(outer.after.iter().rev().cloned());
            around.teardown.extend(outer.teardown.iter().rev().cloned());
        }
    }

    /// Adds others behind these, but for those that are there.
    pub(super) fn extend(&mut self, other: &Hooks) {
        self.http.extend(&other.http);
        self.websocket.extend(&other.websocket);
        extend_once(&mut self.url_value_preprocessors, &other.url_value_preprocessors);
        extend_once(&mut self.url_defaults, &other.url_defaults);
    }
}

impl AroundHooks {
    fn extend(&mut self, other: &AroundHooks) {
        extend_once(&mut self.before, &other.before);
        extend_once(&mut self.after, &other.after);
        extend_once(&mut self.teardown, &other.teardown);
    }
}

/// Adds others behind these. One that is there already, because its blueprint is registered twice, is not added again.
pub(super) fn extend_once<H: ?Sized>(hooks: &mut Vec<Rc<H>>, others: &[Rc<H>]) {
    for other in others {
        if !hooks.iter().any(|hook| Rc::ptr_eq(hook, other)) {
            hooks.push(other.clone());
        }
    }
}

/// May look at the values of the path, and change them, before anything else sees them.
pub(super) type UrlValues = dyn Fn(&Request, &mut ViewArgs);

/// May add values to those that a URL is built from.
pub(super) type UrlDefaults = dyn Fn(&str, &mut ViewArgs);

/// A hook that may change a response.
pub(super) trait After {
    /// The response is taken out and put in again, so that it is not moved about; an error leaves none.
    fn call<'a>(&'a self, response: &'a mut Option<Response>) -> LocalBoxFuture<'a, Result<()>>;
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
    fn call<'a>(&'a self, response: &'a mut Option<Response>) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if let Some(before) = response.take() {
                *response = Some((self.0)(before).await.into_response()?);
            }
            Ok(())
        })
    }
}

/// A hook that comes after each WebSocket, which has a response only if it was not accepted.
pub(super) struct AfterWebSocket<F>(pub(super) F);

impl<F, R> After for AfterWebSocket<F>
where
    F: AsyncFn(Option<Response>) -> R,
    R: MaybeResponse,
{
    fn call<'a>(&'a self, response: &'a mut Option<Response>) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            *response = (self.0)(response.take()).await.maybe_response()?;
            Ok(())
        })
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
