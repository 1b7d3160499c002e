//! [`Upgrading`]: a server's WebSocket, from its request to the end of its handler.

use std::future::Future;
use std::rc::Rc;

use foster_compat::{Error, NurseryError};

use super::config::Config;
use super::session::Session;
use super::websocket::WebSocket;
use crate::handler::Connected;
use crate::http::{Response, SharedHead};
use crate::websocket::close::{CloseCode, CloseFrame};
use crate::websocket::error::WebSocketError;
use crate::websocket::handshake::{HandshakeError, Opening, ServerHandshake};

/// A request for a WebSocket, whose handler has the say.
///
/// ```text
/// read ──> run ──┬─> take_rejection: the handler has not accepted
///                └─> close: it has
/// ```
///
/// Dropped before its handler has ended, it goes away from its peer.
pub(crate) struct Upgrading {
    session: Rc<Session>,
}

impl Upgrading {
    /// Reads what the client asks for.
    ///
    /// # Errors
    ///
    /// What is wrong with it, which is to be answered.
    pub(crate) fn read(
        head: SharedHead,
        connection: Rc<dyn Connected>,
        config: &Config,
    ) -> Result<Self, HandshakeError> {
        let is_secure = connection.ends().is_secure;
        let offer = ServerHandshake::read(&head, Opening::Upgrade, is_secure, &config.settings().origins)?;
        let session =
            Session::connecting(head, connection, offer, config.clone()).map_err(|_| HandshakeError::Extensions)?;
        Ok(Upgrading { session })
    }

    pub(crate) fn websocket(&self) -> WebSocket {
        WebSocket::new(self.session.clone())
    }

    /// Runs the handler to its end; `None` if it was cancelled before, which happens once the WebSocket has been closed for
    /// as long as the handler may go on.
    // No `async fn`, which would keep the room for the handler twice.
    pub(crate) fn run<F: Future>(&self, handler: F) -> impl Future<Output = Option<F::Output>> {
        self.session.scope_of_handler().run(handler)
    }

    /// The answer to a handshake that the handler has not accepted; `None` if it has.
    pub(crate) fn take_rejection(&self) -> Option<Response> {
        self.session.take_rejection()
    }

    /// Closes what the handler has accepted, with a code for its error if there is one. The error is given to `report`
    /// unless it only says that the WebSocket has ended.
    pub(crate) fn close(&self, err: Option<Error>, report: impl FnOnce(Error)) {
        let code = match err {
            None => CloseCode::NORMAL,
            Some(err) if is_end(&err) => code_of(&err),
            Some(err) => {
                report(err);
                CloseCode::INTERNAL_ERROR
            }
        };
        self.session.handler_ended(CloseFrame::new(code, ""));
    }

    /// Counts a failure of the handler, and tells the exception handler of the loop.
    pub(crate) fn report(&self, err: Error) {
        if let Some(roster) = self.session.roster() {
            roster.report("the handler of a WebSocket failed", err, self.session.transport().cloned());
        }
    }
}

impl Drop for Upgrading {
    fn drop(&mut self) {
        if !self.session.is_handler_over() {
            self.session.handler_ended(CloseFrame::new(CloseCode::GOING_AWAY, ""));
        }
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
