//! [`upgrade`]: a request that becomes a WebSocket.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use foster_compat::{CancelScope, Error, NurseryError, Outcome, Panicked, Result};
use futures::FutureExt;

use super::config::Config;
use super::session::Session;
use super::websocket::WebSocket;
use crate::handler::{Handler, Request};
use crate::http::Response;
use crate::websocket::close::{CloseCode, CloseFrame};
use crate::websocket::error::WebSocketError;
use crate::websocket::handshake::{HandshakeError, Opening, ServerHandshake};

/// Answers a request for a WebSocket with one, which `handler` talks on; a request that asks for none, or asks wrongly,
/// with what is wrong: 426, 405, 403 or 400.
///
/// The handler may [accept](WebSocket::accept) or [reject](WebSocket::reject); whatever else it does first accepts. When
/// it ends, the WebSocket is closed: with 1000, or, if it has failed or panicked, with 1011, and the error goes to the
/// exception handler of the loop. That the peer has gone, or broke the rules, is no failure of a handler that returns it
/// with `?`, alone or from a nursery.
///
/// Before it accepts, the handler is cancelled when the client goes away, as one of a request. Afterwards it is told, by
/// [`receive`](WebSocket::receive) or [`send`](WebSocket::send), so that nothing that was received is lost; from then on
/// it has [`Config::close_timeout`] to come to its end before it is cancelled. When the server stops, everybody is sent
/// 1001 at once.
///
/// # Errors
///
/// The handler's, if it has not accepted.
///
/// # Examples
///
/// A heartbeat in a nursery of the handler ends with it:
///
/// ```
/// # use std::time::Duration;
/// # use foster::websocket::WebSocket;
/// # use foster::{Result, open_nursery, sleep};
/// async fn with_heartbeat(websocket: WebSocket) -> Result<()> {
///     open_nursery(async |nursery| {
///         let heart = websocket.clone();
///         nursery.start_soon(async move { beat(heart).await });
///         echo(websocket).await
///     })
///     .await?;
///     Ok(())
/// }
///
/// async fn beat(websocket: WebSocket) -> Result<()> {
///     loop {
///         sleep(Duration::from_secs(1)).await;
///         websocket.send("beat").await?;
///     }
/// }
/// # async fn echo(websocket: WebSocket) -> Result<()> {
/// #     loop {
/// #         websocket.send(websocket.receive().await?).await?;
/// #     }
/// # }
/// ```
///
/// ```
/// use foster::http::Response;
/// use foster::websocket::{Config, WebSocket, upgrade};
/// use foster::{Request, Result};
///
/// async fn site(request: Request) -> Result<Response> {
///     match request.path() {
///         "/ws" => upgrade(request, &Config::new(), echo).await,
///         _ => Ok(Response::text("There is a WebSocket at /ws")),
///     }
/// }
///
/// async fn echo(websocket: WebSocket) -> Result<()> {
///     loop {
///         websocket.send(websocket.receive().await?).await?;
///     }
/// }
/// ```
pub async fn upgrade<H, R>(request: Request, config: &Config, handler: H) -> Result<Response>
where
    H: AsyncFnOnce(WebSocket) -> R,
    R: Outcome,
{
    let origins = &config.settings().origins;
    let offer = match ServerHandshake::read(request.head(), Opening::Upgrade, request.is_secure(), origins) {
        Ok(offer) => offer,
        Err(refusal) => return Ok(refusal.into()),
    };
    let scope = CancelScope::new();
    let Ok(session) = Session::connecting(request, offer, config.clone(), scope.clone()) else {
        return Ok(HandshakeError::Extensions.into());
    };
    let mut running = Running { session: session.clone(), is_over: false };
    let mut handling = pin!(Some(handler(WebSocket::new(session.clone()))));
    let ended = scope.run(AssertUnwindSafe(InPlace(handling.as_mut())).catch_unwind()).await;
    running.is_over = true;
    if let Some(rejection) = session.take_rejection() {
        return match ended {
            Some(Err(panic)) => resume_unwind(panic),
            Some(Ok(ended)) => ended.into_result().map(|()| rejection),
            None => Ok(rejection),
        };
    }
    let failure = match ended {
        Some(Ok(ended)) => ended.into_result().err(),
        Some(Err(panic)) => Some(Panicked::new(panic).into()),
        None => None,
    };
    let code = match failure {
        None => CloseCode::NORMAL,
        Some(err) if is_end(&err) => code_of(&err),
        Some(err) => {
            session.report(err);
            CloseCode::INTERNAL_ERROR
        }
    };
    session.handler_ended(CloseFrame::new(code, ""));
    // The connection was given away: nobody sends this.
    Ok(Response::text(""))
}

/// A [`Handler`] that answers every request with [`upgrade`].
///
/// ```
/// use foster::websocket::{Config, WebSocket, websocket};
/// use foster::{Handler, Result};
///
/// async fn greet(websocket: WebSocket) -> Result<()> {
///     websocket.send("hello").await?;
///     Ok(())
/// }
///
/// fn handler() -> impl Handler {
///     websocket(Config::new(), greet)
/// }
/// ```
pub fn websocket<F, A>(config: Config, handler: F) -> impl Handler
where
    F: Fn(WebSocket) -> A + 'static,
    A: Future<Output: Outcome> + 'static,
{
    let handler = Rc::new(handler);
    move |request: Request| {
        let (config, handler) = (config.clone(), handler.clone());
        async move { upgrade(request, &config, async move |websocket| handler(websocket).await).await }
    }
}

/// Whether an error says no more than that the WebSocket has ended.
pub(crate) fn is_end(err: &Error) -> bool {
    if let Some(err) = err.downcast_ref::<WebSocketError>() {
        return !matches!(err, WebSocketError::State(_));
    }
    err.downcast_ref::<NurseryError>().is_some_and(|group| group.errors().iter().all(is_end))
}

/// What the peer is told, if it has not been: a message that is not the JSON that was asked for is found out by the
/// handler.
fn code_of(err: &Error) -> CloseCode {
    err.downcast_ref::<WebSocketError>().and_then(WebSocketError::close_code).unwrap_or(CloseCode::NORMAL)
}

/// A future that stays where it is when it is given away, for each place that it is moved through keeps the room for it.
/// Dropped where it was given to, as it would be if it had moved.
struct InPlace<'a, F>(Pin<&'a mut Option<F>>);

impl<F: Future> Future for InPlace<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.0.as_mut().as_pin_mut() {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for InPlace<'_, F> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

/// A handler that runs; dropped before it has ended, it goes away from its peer.
struct Running {
    session: Rc<Session>,
    is_over: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.session.handler_ended(CloseFrame::new(CloseCode::GOING_AWAY, ""));
        }
    }
}

impl Session {
    /// Counts a failure of the handler, and tells the exception handler of the loop.
    fn report(&self, err: Error) {
        if let Some(roster) = self.roster() {
            roster.report("the handler of a WebSocket failed", err, self.transport().cloned());
        }
    }
}
