//! [`ErrorHandlers`]: which function answers an error.

use std::any::TypeId;
use std::rc::Rc;
use std::sync::Arc;

use futures::future::LocalBoxFuture;

use super::exception::HttpException;
use crate::http::{IntoResponse, Response, StatusCode};
use crate::{Error, Result};

/// The handlers of one application or blueprint, one for each status and each type.
#[derive(Clone, Default)]
pub(super) struct ErrorHandlers {
    by_status: Vec<(StatusCode, Rc<dyn Answers>)>,
    by_type: Vec<ByType>,
    by_predicate: Vec<(Rc<Predicate>, Rc<dyn Answers>)>,
}

/// The type, whether an error is of it, and who answers it.
type ByType = (TypeId, fn(&Error) -> bool, Rc<dyn Answers>);

type Predicate = dyn Fn(&Error) -> bool;

/// What makes a response of an error.
pub(super) trait Answers {
    fn answer(&self, err: Error) -> LocalBoxFuture<'_, Result<Response>>;
}

impl ErrorHandlers {
    pub(super) fn add_status(&mut self, status: StatusCode, handler: Rc<dyn Answers>) {
        self.by_status.retain(|(other, _)| *other != status);
        self.by_status.push((status, handler));
    }

    pub(super) fn add_type<E: std::error::Error + 'static>(&mut self, handler: Rc<dyn Answers>) {
        self.put_type((TypeId::of::<E>(), Error::is::<E>, handler));
    }

    fn put_type(&mut self, of_type: ByType) {
        self.by_type.retain(|(other, ..)| *other != of_type.0);
        self.by_type.push(of_type);
    }

    pub(super) fn add_predicate(&mut self, predicate: Rc<Predicate>, handler: Rc<dyn Answers>) {
        self.by_predicate.push((predicate, handler));
    }

    /// Adds others, which take the place of those for the same.
    pub(super) fn extend(&mut self, other: &ErrorHandlers) {
        for (status, handler) in &other.by_status {
            self.add_status(*status, handler.clone());
        }
        for of_type in &other.by_type {
            self.put_type(of_type.clone());
        }
        for (predicate, handler) in &other.by_predicate {
            self.by_predicate.retain(|(there, _)| !Rc::ptr_eq(there, predicate));
            self.add_predicate(predicate.clone(), handler.clone());
        }
    }

    fn of_status(&self, status: StatusCode) -> Option<Rc<dyn Answers>> {
        self.by_status.iter().find(|(found, _)| *found == status).map(|(_, handler)| handler.clone())
    }

    fn of_type(&self, err: &Error) -> Option<Rc<dyn Answers>> {
        let of_type = self.by_type.iter().find(|(_, is, _)| is(err)).map(|(.., handler)| handler);
        let of_predicate = || self.by_predicate.iter().find(|(is, _)| is(err)).map(|(_, handler)| handler);
        of_type.or_else(of_predicate).cloned()
    }

    /// The handler for an error among those of several scopes, innermost first, and the error as it sees it. In Quart's
    /// order: one for its status, in any scope, before one for its type or with a predicate; in one scope, one for its
    /// type before one with a predicate. What the client is to blame for has a status, too, and may be handled as what
    /// it is or as an [`HttpException`].
    pub(super) fn find(scopes: &[Rc<Self>], err: &Error) -> Option<(Rc<dyn Answers>, Error)> {
        let exception = HttpException::of(err);
        let status = exception.as_ref().and_then(|err| err.downcast_ref()).map(HttpException::status);
        let of_type = |err: Error| Some((scopes.iter().find_map(|handlers| handlers.of_type(&err))?, err));
        match (exception, status) {
            (Some(exception), Some(status)) => match scopes.iter().find_map(|handlers| handlers.of_status(status)) {
                Some(handler) => Some((handler, exception)),
                None => of_type(err.clone()).or_else(|| of_type(exception)),
            },
            _ => of_type(err.clone()),
        }
    }
}

/// A handler for a status.
pub(super) struct OfStatus<F>(pub(super) F);

impl<F, R> Answers for OfStatus<F>
where
    F: AsyncFn(HttpException) -> R,
    R: IntoResponse,
{
    fn answer(&self, err: Error) -> LocalBoxFuture<'_, Result<Response>> {
        Box::pin(async move {
            match err.downcast_ref::<HttpException>() {
                Some(exception) => (self.0)(exception.clone()).await.into_response(),
                None => Err(err),
            }
        })
    }
}

/// A handler for a type of errors.
pub(super) struct OfType<F, E>(pub(super) F, pub(super) std::marker::PhantomData<fn(E)>);

impl<F, E, R> Answers for OfType<F, E>
where
    F: AsyncFn(Arc<E>) -> R,
    E: std::error::Error + Send + Sync + 'static,
    R: IntoResponse,
{
    fn answer(&self, err: Error) -> LocalBoxFuture<'_, Result<Response>> {
        Box::pin(async move { (self.0)(err.downcast::<E>()?).await.into_response() })
    }
}

/// A handler with a predicate.
pub(super) struct OfAny<F>(pub(super) F);

impl<F, R> Answers for OfAny<F>
where
    F: AsyncFn(Error) -> R,
    R: IntoResponse,
{
    fn answer(&self, err: Error) -> LocalBoxFuture<'_, Result<Response>> {
        Box::pin(async move { (self.0)(err).await.into_response() })
    }
}
