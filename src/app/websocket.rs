//! [`WebSocket`]: a WebSocket as views and hooks see it, and how one is served.

use std::fmt;
use std::future::{Future, ready};
use std::ops::Deref;
use std::rc::Rc;

use super::context::AppContext;
use super::dispatch::{Answered, caught, preprocess, stand_in};
use super::from_request::{FromRequest, Requirements};
use super::request::Request;
use super::teardown::{Kind, Teardown};
use super::view::Callable;
use crate::http::{Body, Response, StatusCode};
use crate::{Error, Result, handler, websocket};

/// The WebSocket that is being served: everything of [`websocket::WebSocket`], and the request that opened it.
///
/// An argument of a view, or what [`websocket()`](super::websocket()) gives, also in child tasks.
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
        if requirements.rule().is_some() && !requirements.is_websocket() {
            requirements.missing("takes a WebSocket, and is not for WebSockets: add it with app.websocket()");
        }
    }
}

/// Serves a WebSocket with its view.
pub(super) async fn serve_websocket(request: &Request, view: &dyn Callable<Option<Response>>) -> Answered {
    let teardown = Teardown::of(request, Kind::WebSocket);
    let state = request.state();
    let upgraded = handler::Request::new(state.head.clone(), Body::empty(), state.connection.clone());
    let config = &request.context().shared.options.websocket;
    let unknown = std::cell::RefCell::new(None);
    let served = websocket::upgrade(upgraded, config, async |handle: websocket::WebSocket| {
        // Nobody else sets it.
        let _ = request.context().websocket.set(handle.clone());
        talk(request, view, &handle, &unknown).await
    });
    let served = served.await;
    let mut unknown = unknown.take();
    let response = served.unwrap_or_else(|err| {
        unknown = Some(err);
        Response::new(StatusCode::INTERNAL_SERVER_ERROR)
    });
    if let Some(teardown) = teardown {
        teardown.run(unknown.clone()).await;
    }
    Answered { response, unknown }
}

/// From the hooks before the view to those behind it. Gives the error that ended an open WebSocket.
async fn talk(
    request: &Request,
    view: &dyn Callable<Option<Response>>,
    handle: &websocket::WebSocket,
    unknown: &std::cell::RefCell<Option<Error>>,
) -> Result<()> {
    let scope = request.scope();
    let called = caught(async {
        preprocess(request, scope);
        for hook in &scope.hooks.websocket.before {
            if let Some(response) = hook.call(request.clone()).await? {
                return Ok(Some(response));
            }
        }
        view.call(request.clone()).await
    });
    let is_answered = || handle.transport().is_some();
    let mut response = match called.await {
        Ok(response) => response.filter(|_| !is_answered()),
        Err(err) if is_answered() => {
            if !websocket::is_end(&err) {
                unknown.replace(Some(err.clone()));
            }
            return Err(err);
        }
        Err(err) => {
            let (response, failure) = stand_in(request, scope, err).await;
            unknown.replace(failure);
            Some(response)
        }
    };
    for hook in &scope.hooks.websocket.after {
        response = caught(hook.call(response)).await?;
    }
    if let Some(response) = response.filter(|_| !is_answered()) {
        handle.reject(response)?;
    }
    Ok(())
}
