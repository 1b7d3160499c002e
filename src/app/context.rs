//! What code finds out about what it is called for: [`request()`], [`websocket()`], [`g()`], [`current_app()`].

use std::cell::{OnceCell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};

use super::globals::Globals;
use super::handle::AppHandle;
use super::hooks::{After, AfterResponse, AfterWebSocket};
use super::maybe_response::MaybeResponse;
use super::request::{Request, RequestState};
use super::shared::Shared;
use super::type_map::TypeMap;
use super::websocket::WebSocket;
use crate::http::{IntoResponse, Response};
use crate::{Context, ContextVar, copy_context, websocket};

/// What a request, or a background task, is worked on with: Quart's contexts, in one.
pub(super) struct AppContext {
    pub(super) shared: Rc<Shared>,
    pub(super) globals: TypeMap,
    /// Absent in a background task.
    pub(super) request: Option<RequestState>,
    pub(super) websocket: OnceCell<websocket::WebSocket>,
    /// What is to be called with the response; absent once nobody would call it.
    after_this: RefCell<Option<Vec<Box<dyn After>>>>,
}

thread_local! {
    static CURRENT: ContextVar<AppContext> = const { ContextVar::new() };
}

impl AppContext {
    pub(super) fn new(shared: Rc<Shared>, request: Option<RequestState>) -> Rc<Self> {
        Rc::new(AppContext {
            shared,
            globals: TypeMap::default(),
            request,
            websocket: OnceCell::new(),
            after_this: RefCell::new(Some(Vec::new())),
        })
    }

    /// The context variables of who works with this, on top of those of now.
    pub(super) fn enter(self: &Rc<Self>, base: Context) -> Context {
        CURRENT.with(|current| base.with(current, self.clone()))
    }

    pub(super) fn current() -> Option<Rc<Self>> {
        CURRENT.with(ContextVar::get_shared)
    }

    /// Works with the context variables of now and this on top of them. What is cancelled of it is dropped with them, too.
    ///
    /// The work stays where it is: a future is not moved about in its whole size.
    pub(super) async fn within<F: Future>(self: &Rc<Self>, work: Pin<&mut Option<F>>) -> F::Output {
        let mut within = Within { context: self.enter(copy_context()), work };
        poll_fn(|cx| within.poll(cx)).await
    }

    /// Whether nothing is to be called with the response.
    pub(super) fn is_after_this_empty(&self) -> bool {
        self.after_this.borrow().as_ref().is_none_or(Vec::is_empty)
    }

    /// What is to be called with the response, once.
    pub(super) fn take_after_this(&self) -> Vec<Box<dyn After>> {
        self.after_this.borrow_mut().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Lets go of what nobody would call any more: it may have the request, and would keep it for good.
    pub(super) fn close_after_this(&self) {
        drop(self.after_this.take());
    }

    fn add_after_this(&self, call: impl After + 'static) {
        if let Some(calls) = &mut *self.after_this.borrow_mut() {
            calls.push(Box::new(call));
        }
    }
}

/// Work and its context variables.
struct Within<'w, F> {
    context: Context,
    /// Absent once it has ended.
    work: Pin<&'w mut Option<F>>,
}

impl<F: Future> Within<'_, F> {
    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let Within { context, work } = self;
        context.run(|| {
            let Some(working) = work.as_mut().as_pin_mut() else { return Poll::Pending };
            let polled = working.poll(cx);
            if polled.is_ready() {
                work.set(None);
            }
            polled
        })
    }
}

impl<F> Drop for Within<'_, F> {
    fn drop(&mut self) {
        let Within { context, work } = self;
        if work.is_some() {
            context.run(|| work.set(None));
        }
    }
}

/// The request that is being answered: Quart's `request`. It is there in hooks, in the view, in every task that these
/// start in a nursery of theirs or of the connection, and in the stream of a response. In a WebSocket it is the request
/// that opened it.
///
/// # Panics
///
/// Outside of these, as in a task of [`app.nursery()`](super::AppNursery), which outlives the request that started it:
/// take what it needs along. [`has_request_context`] asks.
#[track_caller]
pub fn request() -> Request {
    let request = AppContext::current().and_then(Request::of);
    request.expect(
        "request() is called where no request is being answered: call it in a view, in a hook, or in a task that one of \
         them has started in a nursery, and pass what a background task needs along",
    )
}

/// Whether there is a [`request()`].
pub fn has_request_context() -> bool {
    AppContext::current().is_some_and(|context| context.request.is_some())
}

/// The WebSocket that is being served: Quart's `websocket`. It is there in hooks of WebSockets, in the view, and in every
/// task that these start in a nursery.
///
/// # Panics
///
/// Outside of these. [`has_websocket_context`] asks.
#[track_caller]
pub fn websocket() -> WebSocket {
    let websocket = AppContext::current().and_then(WebSocket::of);
    websocket.expect(
        "websocket() is called where no WebSocket is being served: call it in a view for WebSockets, or in a task that \
         it has started in a nursery",
    )
}

/// Whether there is a [`websocket()`].
pub fn has_websocket_context() -> bool {
    AppContext::current().is_some_and(|context| context.websocket.get().is_some())
}

/// A place for values of the request, or of the background task: Quart's `g`.
///
/// # Panics
///
/// Where no application is at work. [`has_app_context`] asks.
#[track_caller]
pub fn g() -> Globals {
    let context = AppContext::current();
    Globals::of(context.expect(
        "g() is called where no application is at work: call it in a view, in a hook, in a task that one of them has \
         started in a nursery, or in a background task",
    ))
}

/// The application at work: Quart's `current_app`.
///
/// # Panics
///
/// Where no application is at work. [`has_app_context`] asks.
#[track_caller]
pub fn current_app() -> AppHandle {
    let context = AppContext::current().expect(
        "current_app() is called where no application is at work: call it in a view, in a hook, in a task that one of \
         them has started in a nursery, or in a background task",
    );
    AppHandle::new(context.shared.clone())
}

/// Whether an application is at work: [`g()`] and [`current_app()`] are there.
pub fn has_app_context() -> bool {
    AppContext::current().is_some()
}

/// Calls `call` with the response to this request, before the hooks of `after_request`: Quart's `after_this_request`.
/// From these on, as in the stream of a response or a hook of `teardown_request`, nobody calls it.
///
/// # Panics
///
/// Where there is no [`request()`].
#[track_caller]
pub fn after_this_request<F, R>(call: F)
where
    F: AsyncFn(Response) -> R + 'static,
    R: IntoResponse,
{
    let context = AppContext::current().filter(|context| context.request.is_some());
    let context = context.expect("after_this_request() is called where no request is being answered");
    context.add_after_this(AfterResponse(call));
}

/// Calls `call` when the view of this WebSocket has ended, before the hooks of `after_websocket` and as they are called:
/// Quart's `after_this_websocket`.
///
/// # Panics
///
/// Where there is no [`websocket()`].
#[track_caller]
pub fn after_this_websocket<F, R>(call: F)
where
    F: AsyncFn(Option<Response>) -> R + 'static,
    R: MaybeResponse,
{
    let context = AppContext::current().filter(|context| context.websocket.get().is_some());
    let context = context.expect("after_this_websocket() is called where no WebSocket is being served");
    context.add_after_this(AfterWebSocket(call));
}
