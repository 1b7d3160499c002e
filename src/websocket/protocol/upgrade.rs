//! [`upgrade`]: a request that becomes a WebSocket.

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::rc::Rc;

use foster_compat::{Outcome, Panicked, Result};
use futures::FutureExt;
use futures::future::lazy;

use super::config::Config;
use super::upgrading::Upgrading;
use super::websocket::WebSocket;
use crate::handler::{Handler, Request};
use crate::http::{Response, SharedHead};

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
pub fn upgrade<H, R>(
    request: Request,
    config: &Config,
    handler: H,
) -> impl Future<Output = foster_compat::Result<Response>> + use<H, R>
where
    H: AsyncFnOnce(WebSocket) -> R,
    R: Outcome,
{
    let (head, _, connection) = request.split();
    let upgrading = Upgrading::read(SharedHead::Alone(head), connection, config);
    // A box of its own: handlers that have other answers, too, and all requests for those, have no room for this one.
    match upgrading {
        Ok(upgrading) => Box::pin(talk(upgrading, handler)).left_future(),
        Err(refusal) => {
            let refusal = Box::new(refusal);
            lazy(|_| Ok(Response::from(*refusal))).right_future()
        }
    }
}

/// Runs a handler to its end.
#[expect(clippy::manual_async_fn, reason = "an async fn has room for what it is given twice")]
fn talk<H, R>(upgrading: Upgrading, handler: H) -> impl Future<Output = Result<Response>> + use<H, R>
where
    H: AsyncFnOnce(WebSocket) -> R,
    R: Outcome,
{
    async move {
        let handling = handler(upgrading.websocket());
        let ended = upgrading.run(AssertUnwindSafe(handling).catch_unwind()).await;
        answer(&upgrading, ended)
    }
}

/// Answers with what a handler has rejected its WebSocket with, or closes the WebSocket.
fn answer<R: Outcome>(upgrading: &Upgrading, ended: Option<std::thread::Result<R>>) -> Result<Response> {
    if let Some(rejection) = upgrading.take_rejection() {
        return match ended {
            Some(Err(panic)) => resume_unwind(panic),
            Some(Ok(ended)) => ended.into_result().map(|()| rejection),
            None => Ok(rejection),
        };
    }
    let err = match ended {
        Some(Ok(ended)) => ended.into_result().err(),
        Some(Err(panic)) => Some(Panicked::new(panic).into()),
        None => None,
    };
    upgrading.close(err, |err| upgrading.report(err));
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
