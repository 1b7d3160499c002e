//! How an application is served.

use std::future::Future;
use std::rc::Rc;

use super::app::App;
use super::dispatch::answer;
use super::setup_error::SetupError;
use super::shared::Shared;
use crate::http::Response;
use crate::{Handler, Request};

/// An application as a handler of requests.
struct Served<C> {
    shared: Rc<Shared>,
    call: C,
}

impl<C, A> Handler for Served<C>
where
    C: Fn(Request) -> A + 'static,
    A: Future<Output = Response> + 'static,
{
    type Future = A;

    fn call(&self, request: Request) -> A {
        (self.call)(request)
    }

    fn max_body_size(&self, _: Option<u64>) -> Option<u64> {
        None
    }
}

impl App {
    /// The application as a handler, for [`serve`](crate::serve()) and [`serve_workers`](crate::serve_workers).
    ///
    /// # Errors
    ///
    /// [`SetupError`], with everything that is wrong.
    pub fn into_handler(self) -> Result<impl Handler, SetupError> {
        Ok(handler(self.set_up()?))
    }
}

/// An application that is set up, as a handler.
pub(super) fn handler(shared: Rc<Shared>) -> impl Handler {
    let for_call = shared.clone();
    let call = move |request: Request| {
        let shared = for_call.clone();
        async move { answer(shared, request).await }
    };
    Served { shared, call }
}
