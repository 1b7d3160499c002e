//! [`Opening`]: a WebSocket of a test, as the server's end sees it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use futures::future::LocalBoxFuture;

use super::answering::{Overheard, answer};
use super::failure::Failure;
use super::served::Openings;
use crate::app::shared::Shared;
use crate::handler::{self, Connected, Ends, Handler, Upgraded};
use crate::http::{HeaderList, HttpError, Response, StatusCode};
use crate::{Address, Error, Event, ExceptionContext, HttpServer, Loop, Nursery, Result, TransportRef};

/// What a test says of the connection of a WebSocket, and what becomes of its view.
pub(super) struct Opening {
    pub(super) is_secure: bool,
    pub(super) remote_addr: Option<Address>,
    /// Whether errors go to the test.
    pub(super) propagates: bool,
    pub(super) loop_: Loop,
    failure: RefCell<Option<Failure>>,
    /// The view has ended.
    pub(super) over: Event,
}

impl Opening {
    pub(super) fn new(is_secure: bool, remote_addr: Option<Address>, propagates: bool, loop_: Loop) -> Rc<Self> {
        let (failure, over) = (RefCell::default(), Event::new());
        Rc::new(Opening { is_secure, remote_addr, propagates, loop_, failure, over })
    }

    /// Gives how the view has failed, to whoever asks first.
    pub(super) fn take_failure(&self) -> Option<Failure> {
        self.failure.take()
    }

    fn report(&self, err: Error) {
        self.loop_.call_exception_handler(&ExceptionContext::new("a view failed", Some(err)));
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let failure = self.failure.take();
        if let Some(failure) = failure {
            self.report(failure.into_error());
        }
    }
}

/// The handler of the server that WebSockets come to, whose lifespan is that of the application.
pub(super) struct Door<H> {
    inner: H,
    shared: Rc<Shared>,
    openings: Openings,
}

impl<H> Door<H> {
    pub(super) fn new(inner: H, shared: Rc<Shared>, openings: Openings) -> Self {
        Door { inner, shared, openings }
    }
}

impl<H: Handler> Handler for Door<H> {
    type Future = LocalBoxFuture<'static, Response>;

    fn call(&self, request: handler::Request) -> Self::Future {
        let port = request.peername().and_then(|peer| peer.port()).unwrap_or_default();
        let opening = self.openings.borrow_mut().remove(&port);
        let shared = self.shared.clone();
        Box::pin(async move {
            match opening {
                Some(opening) => open(shared, opening, request).await,
                None => Response::new(StatusCode::BAD_REQUEST),
            }
        })
    }

    fn startup(&self, nursery: Nursery, server: HttpServer) -> Pin<Box<dyn Future<Output = Result<()>> + '_>> {
        self.inner.startup(nursery, server)
    }

    fn shutdown(&self) -> LocalBoxFuture<'_, Result<()>> {
        self.inner.shutdown()
    }

    fn max_body_size(&self, limit: Option<u64>) -> Option<u64> {
        self.inner.max_body_size(limit)
    }
}

async fn open(shared: Rc<Shared>, opening: Rc<Opening>, request: handler::Request) -> Response {
    let _over = Over(opening.over.clone());
    let (head, body, inner) = request.split();
    let (peername, sockname) = (inner.ends().peername.clone(), inner.ends().sockname.clone());
    let peername = opening.remote_addr.clone().or(peername);
    let ends = Ends { peername, sockname, is_secure: opening.is_secure };
    let overheard = Overheard::new(opening.propagates);
    let posed = Rc::new(Posed { inner, ends, overheard });
    let request = handler::Request::new(head, body, posed.clone());
    let mut answered = answer(shared, request, &posed.overheard).await;
    if let Some(err) = answered.unknown.take() {
        if opening.propagates {
            opening.failure.replace(Some(Failure::of(err)));
        } else {
            opening.report(err);
        }
    }
    answered.into_response()
}

struct Over(Event);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// A connection in memory that looks as the test says.
struct Posed {
    inner: Rc<dyn Connected>,
    ends: Ends,
    overheard: Overheard,
}

impl Connected for Posed {
    fn transport(&self) -> TransportRef {
        self.inner.transport()
    }

    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn shutdown(&self) -> Event {
        self.inner.shutdown()
    }

    fn send_informational(&self, status: StatusCode, headers: &HeaderList) -> Result<(), HttpError> {
        self.inner.send_informational(status, headers)
    }

    fn switch(&self, headers: &HeaderList, is_connect: bool) -> Result<Upgraded, HttpError> {
        self.inner.switch(headers, is_connect)
    }

    fn report(&self, message: &'static str, err: Error) {
        if let Some(err) = self.overheard.listen(message, err) {
            self.inner.report(message, err);
        }
    }
}
