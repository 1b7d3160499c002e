//! [`WebSocket`]: a WebSocket as views and hooks see it, and how one is served.

use std::fmt;
use std::future::{Future, ready};
use std::ops::Deref;
use std::rc::Rc;

use super::context::AppContext;
use super::dispatch::{Answered, caught, preprocess, process, process_or_stand_in, stand_in, tear_down, unrouted};
use super::exception::{HttpException, abort};
use super::from_request::{FromRequest, Requirements};
use super::hooks::Kind;
use super::request::Request;
use super::teardown::Teardown;
use super::view::Callable;
use crate::http::{HeaderName, HeaderValue, Response, StatusCode};
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

/// Serves a WebSocket with its view, or without one where no route takes it. A request whose handshake is wrong is none:
/// it is answered by handlers of errors, and no hooks are called.
pub(super) async fn serve_websocket(request: &Request, view: Option<&dyn Callable>, answered: &mut Answered) {
    let (state, scope, shared) = (request.state(), request.scope(), &request.context().shared);
    let config = request.entry().map_or(&shared.options.websocket, |entry| &entry.websocket_config);
    let upgrading = match Upgrading::read(state.head.clone(), state.connection.clone(), config) {
        Ok(upgrading) => upgrading,
        Err(err) => {
            *answered = Box::pin(refuse(request, &err)).await;
            return;
        }
    };
    let handle = request.context().websocket.get_or_init(|| upgrading.websocket());
    let teardown = Teardown::of(request, scope, Kind::WebSocket);
    let err = upgrading.run(talk(request, view, handle, &mut answered.response)).await.flatten();
    answered.response = upgrading.take_rejection();
    if answered.response.is_some() {
        answered.unknown = err;
    } else {
        // The connection was given away, and nobody sends this: unless there was none to be given.
        answered.response = Some(Response::new(StatusCode::NOT_IMPLEMENTED));
        upgrading.close(err, |err| answered.unknown = Some(err));
    }
    tear_down(answered, teardown).await;
}

/// Says what is wrong with a handshake; where no route would take it if it were right, that comes first.
async fn refuse(request: &Request, err: &HandshakeError) -> Answered {
    let refused = match request.routing_exception() {
        Some(_) => unrouted(request),
        None => {
            let exception = HttpException::new(err.status()).description(format!("{err}."));
            let headers = err.headers();
            let with_header = |exception: HttpException, (name, value): (&HeaderName, &HeaderValue)| {
                exception.header(name.clone(), value.clone())
            };
            Err(headers.iter().fold(exception, with_header).into())
        }
    };
    match refused {
        Ok(response) => Answered::with(response),
        Err(err) => stand_in(request, request.scope(), err).await,
    }
}

/// From the hooks before the view to those behind it. Gives the error that nothing knew, or that ended an open WebSocket.
async fn talk(
    request: &Request,
    view: Option<&dyn Callable>,
    handle: &websocket::WebSocket,
    answer: &mut Option<Response>,
) -> Option<Error> {
    let ended = caught(call(request, view, answer)).await;
    // In a box, so that no open WebSocket keeps the room for what comes at its end.
    Box::pin(finish(request, handle, ended, answer.take())).await
}

/// What comes behind the view.
async fn finish(
    request: &Request,
    handle: &websocket::WebSocket,
    ended: Result<()>,
    answer: Option<Response>,
) -> Option<Error> {
    // What it was rejected with by hand passes the hooks as any other response; an error takes its place.
    let rejection = handle.withdraw();
    if handle.is_connecting() {
        return answer_handshake(request, handle, ended.map(|()| answer.or(rejection))).await;
    }
    let unknown = ended.err();
    match (caught(process(request, request.scope(), Kind::WebSocket, &mut None)).await, unknown) {
        (Ok(_), unknown) => unknown,
        (Err(err), Some(unknown)) if !is_end(&unknown) => {
            request.report("a hook after a WebSocket failed", err);
            Some(unknown)
        }
        (Err(err), _) => Some(err),
    }
}

/// Calls the hooks before the view, and the view.
async fn call(request: &Request, view: Option<&dyn Callable>, answer: &mut Option<Response>) -> Result<()> {
    let scope = request.scope();
    if preprocess(request, scope, Kind::WebSocket, answer).await? {
        return Ok(());
    }
    match view {
        Some(view) => view.call(request, answer).await?,
        None => *answer = Some(unrouted(request)?),
    }
    Ok(())
}

/// Rejects what was not accepted, with what has come of it. Gives the error that nothing knew.
async fn answer_handshake(
    request: &Request,
    handle: &websocket::WebSocket,
    ended: Result<Option<Response>>,
) -> Option<Error> {
    let not_accepted = || abort(403).description("The WebSocket was not accepted.").into();
    let scope = request.scope();
    let mut answered = match ended.and_then(|response| response.ok_or_else(not_accepted)) {
        Ok(response) => Answered::with(response),
        Err(err) => stand_in(request, scope, err).await,
    };
    process_or_stand_in(request, scope, Kind::WebSocket, &mut answered).await;
    let unknown = answered.unknown.take();
    // It fails if a hook has answered by itself meanwhile.
    let _ = handle.reject(answered.into_response());
    unknown
}
