//! [`WebSocket`]: a WebSocket as views and hooks see it, and how one is served.

use std::fmt;
use std::future::{Future, ready};
use std::ops::Deref;
use std::pin::pin;
use std::rc::Rc;

use super::context::AppContext;
use super::dispatch::{Answered, caught, preprocess, stand_in, tear_down};
use super::exception::{HttpException, abort};
use super::from_request::{FromRequest, Requirements};
use super::hooks::Kind;
use super::request::Request;
use super::teardown::Teardown;
use super::view::Callable;
use crate::http::{Response, StatusCode};
use crate::websocket::{self, HandshakeError, Upgrading, is_end};
use crate::{Error, Result};

/// The WebSocket that is being served: everything of [`websocket::WebSocket`], and the request that opened it. Quart's
/// `websocket`.
///
/// It is there in hooks of WebSockets, in the view and in every task that these start in a nursery, as what
/// [`websocket()`](super::websocket()) gives, and as an argument. It ends with its view: what the view does first accepts
/// it, and the end of the view closes it, with 1011 if that has failed.
///
/// ```
/// use foster::app::{App, websocket};
/// use foster::{Result, open_nursery, sleep};
/// use std::time::Duration;
///
/// let mut app = App::new();
/// app.websocket("/clock", clock);
///
/// async fn clock() -> Result<()> {
///     open_nursery(async |nursery| {
///         // Cancelled when the client goes, because the view is over then.
///         nursery.start_soon(async {
///             for second in 0.. {
///                 websocket().send(format!("{second}")).await?;
///                 sleep(Duration::from_secs(1)).await;
///             }
///             foster::Ok(())
///         });
///         while let Ok(message) = websocket().receive().await {
///             println!("{message:?}");
///         }
///         nursery.cancel();
///         Ok(())
///     })
///     .await?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct WebSocket {
    handle: websocket::WebSocket,
    request: Request,
}

impl WebSocket {
    /// That of a context; `None` where there is none.
    pub(super) fn of(context: Rc<AppContext>) -> Option<Self> {
        let handle = context.websocket.get()?.clone();
        Some(WebSocket { handle, request: Request::of(context)? })
    }

    /// What any task of the loop may hold, also in a set, and send on: it is equal to its clones.
    pub fn handle(&self) -> websocket::WebSocket {
        self.handle.clone()
    }

    /// The request that opened it: path, arguments, header fields, cookies.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

impl Deref for WebSocket {
    type Target = websocket::WebSocket;

    fn deref(&self) -> &Self::Target {
        &self.handle
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("request", &self.request).finish_non_exhaustive()
    }
}

impl FromRequest for WebSocket {
    fn from_request(request: &Request) -> impl Future<Output = Result<Self>> {
        let websocket = WebSocket::of(request.context().clone());
        ready(websocket.ok_or_else(|| Error::msg("no WebSocket is being served")))
    }

    fn require(requirements: &mut Requirements<'_>) {
        if !requirements.is_websocket() {
            let cure = match requirements.rule() {
                Some(_) => "add it with app.websocket()",
                None => "add it with app.before_websocket()",
            };
            requirements.missing(format!("takes a WebSocket, and is not for WebSockets: {cure}"));
        }
    }
}

/// Its [`handle`](WebSocket::handle).
impl FromRequest for websocket::WebSocket {
    async fn from_request(request: &Request) -> Result<Self> {
        Ok(WebSocket::from_request(request).await?.handle)
    }

    fn require(requirements: &mut Requirements<'_>) {
        WebSocket::require(requirements);
    }
}

/// Serves a WebSocket with its view. A request whose handshake is wrong is none: it is answered by handlers of errors, and
/// no hooks are called.
pub(super) async fn serve_websocket(request: &Request, view: &dyn Callable<Option<Response>>) -> Answered {
    let (state, shared) = (request.state(), &request.context().shared);
    let config = request.entry().map_or(&shared.options.websocket, |entry| &entry.websocket_config);
    let upgrading = match Upgrading::read(state.head.clone(), state.connection.clone(), config) {
        Ok(upgrading) => upgrading,
        Err(err) => {
            let (response, unknown) = stand_in(request, request.scope(), refusal(&err).into()).await;
            return Answered { response, unknown };
        }
    };
    let handle = request.context().websocket.get_or_init(|| upgrading.websocket());
    let teardown = Teardown::of(request, Kind::WebSocket);
    let err = upgrading.run(pin!(Some(talk(request, view, handle)))).await.flatten();
    let mut answered = match upgrading.take_rejection() {
        Some(response) => Answered { response, unknown: err },
        None => {
            let mut unknown = None;
            upgrading.close(err, |err| unknown = Some(err));
            // The connection was given away: nobody sends this.
            Answered { response: Response::new(StatusCode::NO_CONTENT), unknown }
        }
    };
    tear_down(&mut answered, teardown).await;
    answered
}

/// What is wrong with a handshake, for handlers of errors.
fn refusal(err: &HandshakeError) -> HttpException {
    let exception = HttpException::new(err.status()).description(format!("{err}."));
    let headers = err.headers();
    headers.iter().fold(exception, |exception, (name, value)| exception.header(name.clone(), value.clone()))
}

/// From the hooks before the view to those behind it. Gives the error that nothing knew, or that ended an open WebSocket.
async fn talk(
    request: &Request,
    view: &dyn Callable<Option<Response>>,
    handle: &websocket::WebSocket,
) -> Option<Error> {
    let scope = request.scope();
    let ended = caught(async {
        preprocess(request, scope);
        for hook in &scope.hooks.websocket.before {
            if let Some(response) = hook.call(request.clone()).await? {
                return Ok(Some(response));
            }
        }
        view.call(request.clone()).await
    });
    let mut ended = ended.await;
    // What it was rejected with by hand passes the hooks as any other response, and an error takes its place.
    let rejection = handle.withdraw();
    if let Ok(response) = &mut ended {
        *response = response.take().or(rejection);
    }
    if handle.is_connecting() && matches!(ended, Ok(None)) {
        ended = Err(abort(403).description("The WebSocket was not accepted.").into());
    }
    let (response, unknown) = match ended {
        Ok(response) => (response, None),
        Err(err) if handle.is_connecting() => {
            let (response, unknown) = stand_in(request, scope, err).await;
            (Some(response), unknown)
        }
        Err(err) => (None, Some(err)),
    };
    let (response, unknown) = match caught(process(request, handle, response)).await {
        Ok(response) => (response, unknown),
        Err(err) if handle.is_connecting() => {
            let (response, failed) = stand_in(request, scope, err).await;
            let response = caught(process(request, handle, Some(response))).await;
            let unknown = unknown.or(failed);
            match response {
                Ok(response) => (response, unknown),
                Err(err) => (Some(abort(500).to_response()), unknown.or(Some(err))),
            }
        }
        Err(err) => match unknown.filter(|unknown| !is_end(unknown)) {
            Some(unknown) => {
                request.report("a hook after a WebSocket failed", err);
                (None, Some(unknown))
            }
            None => (None, Some(err)),
        },
    };
    if handle.is_connecting() {
        let response = response.unwrap_or_else(|| abort(403).to_response());
        // Nobody else has answered, which would be the only error.
        let _ = handle.reject(response);
    }
    unknown
}

/// Has the response, if the WebSocket was not accepted, pass the hooks that come after the view.
async fn process(
    request: &Request,
    handle: &websocket::WebSocket,
    response: Option<Response>,
) -> Result<Option<Response>> {
    let mut response = response.filter(|_| handle.is_connecting());
    let after_this = request.context().after_this.take();
    for call in &after_this {
        response = call.call(response).await?;
    }
    for hook in &request.scope().hooks.websocket.after {
        response = hook.call(response).await?;
    }
    Ok(response)
}
