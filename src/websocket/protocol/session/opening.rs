//! The handshake of a server's session: accepted by the handler, or rejected.

use std::rc::Rc;

use super::super::config::Config;
use super::{Phase, Session, Start};
use crate::handler::Connected;
use crate::http::{HeaderList, HeaderValue, RequestHead, Response, SharedHead, StatusCode};
use crate::websocket::connection::{Connection, Role};
use crate::websocket::deflate::Deflate;
use crate::websocket::error::WebSocketError;
use crate::websocket::handshake::ServerHandshake;

/// A handshake that waits for its answer.
pub(super) struct Handshake {
    head: SharedHead,
    connection: Rc<dyn Connected>,
    offer: ServerHandshake,
    /// What was agreed on, with the header field that says so.
    compression: Option<(Deflate, HeaderValue)>,
    rejection: Option<Response>,
}

impl Session {
    /// A session whose handler has the say.
    pub(in crate::websocket::protocol) fn connecting(
        head: SharedHead,
        connection: Rc<dyn Connected>,
        offer: ServerHandshake,
        config: Config,
    ) -> Result<Rc<Self>, WebSocketError> {
        let compression = match &config.settings().compression {
            Some(compression) => compression.accept(offer.extensions())?,
            None => None,
        };
        let session = Session::new(Role::Server, config);
        let handshake = Handshake { head, connection, offer, compression, rejection: None };
        session.handshake.set(Some(Box::new(handshake)));
        Ok(session)
    }

    /// Accepts, if that has not been done, as everything else does that a handler may do first.
    pub(in crate::websocket::protocol) fn accept_if_asked(&self) -> Result<(), WebSocketError> {
        if self.phase.get() != Phase::Connecting {
            return Ok(());
        }
        let subprotocols = self.settings().subprotocols.iter().map(String::as_str);
        let chosen =
            self.with_handshake(|handshake| handshake.and_then(|handshake| handshake.offer.choose(subprotocols)));
        self.accept(chosen, HeaderList::EMPTY)
    }

    pub(in crate::websocket::protocol) fn accept(
        &self,
        subprotocol: Option<&str>,
        headers: &HeaderList,
    ) -> Result<(), WebSocketError> {
        let headers = self.with_handshake(|handshake| {
            let handshake = handshake.ok_or(WebSocketError::State("the handshake is answered"))?;
            if handshake.rejection.is_some() {
                return Err(WebSocketError::State("the handshake was rejected"));
            }
            let extensions = handshake.compression.as_ref().map(|(_, answer)| answer);
            handshake.offer.response(subprotocol, extensions, headers)
        })?;
        let Some(handshake) = self.handshake.take() else { return Ok(()) };
        let Handshake { mut head, connection, compression, .. } = *handshake;
        let machine = self.make_machine(compression.map(|(deflate, _)| deflate));
        let Ok(mut upgraded) = connection.switch(&headers, false) else { return self.lost_before() };
        drop(connection);
        let Some(seat) = upgraded.take_seat() else { return self.lost_before() };
        head.shrink_to_fit();
        self.head.get_or_init(|| head);
        self.agree_on(subprotocol);
        let hub = seat.roster().hub().clone();
        let has_eof = upgraded.is_eof();
        let (transport, leftover) = upgraded.into_parts();
        self.open(Start { hub, transport, seat: Some(seat), machine, leftover, has_eof });
        Ok(())
    }

    pub(in crate::websocket::protocol) fn make_machine(&self, compression: Option<Deflate>) -> Connection {
        Connection::new(self.role, self.settings().max_message_size, compression)
    }

    /// The connection was lost before the handshake was answered.
    fn lost_before(&self) -> Result<(), WebSocketError> {
        self.lose();
        Err(self.not_open())
    }

    pub(in crate::websocket::protocol) fn reject(&self, response: Response) -> Result<(), WebSocketError> {
        self.with_handshake(|handshake| match handshake {
            Some(handshake) if handshake.rejection.is_none() => {
                handshake.rejection = Some(response);
                Ok(())
            }
            _ => Err(WebSocketError::State("the handshake is answered")),
        })
    }

    /// Looks at the handshake, if it is not answered.
    fn with_handshake<R>(&self, look: impl FnOnce(Option<&mut Handshake>) -> R) -> R {
        let mut handshake = self.handshake.take();
        let seen = look(handshake.as_deref_mut());
        self.handshake.set(handshake);
        seen
    }

    /// Whether the handshake waits for its answer.
    #[cfg(feature = "app")]
    pub(in crate::websocket::protocol) fn is_connecting(&self) -> bool {
        self.with_handshake(|handshake| handshake.is_some())
    }

    /// Takes back what the handshake was to be answered with.
    #[cfg(feature = "app")]
    pub(in crate::websocket::protocol) fn withdraw(&self) -> Option<Response> {
        self.with_handshake(|handshake| handshake?.rejection.take())
    }

    /// The answer to a handshake that the handler has not accepted, which cannot be accepted any more; `None` if it has.
    pub(in crate::websocket::protocol) fn take_rejection(&self) -> Option<Response> {
        let handshake = self.handshake.take()?;
        self.is_handler_over.set(true);
        self.phase.set(Phase::Over);
        self.wake_everybody();
        let forbidden = || {
            let mut response = Response::text("the WebSocket was not accepted");
            response.set_status(StatusCode::FORBIDDEN);
            response
        };
        Some(handshake.rejection.unwrap_or_else(forbidden))
    }

    pub(in crate::websocket::protocol) fn requested_subprotocols(&self) -> Vec<String> {
        self.with_handshake(|handshake| handshake.map(|handshake| handshake.offer.subprotocols().to_vec()))
            .unwrap_or_default()
    }

    pub(in crate::websocket::protocol) fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.get().map(|subprotocol| subprotocol.as_str())
    }

    pub(in crate::websocket::protocol) fn agree_on(&self, subprotocol: Option<&str>) {
        if let Some(subprotocol) = subprotocol {
            self.subprotocol.get_or_init(|| Box::new(subprotocol.to_owned()));
        }
    }

    pub(in crate::websocket::protocol) fn head(&self) -> Option<&RequestHead> {
        self.head.get().map(|head| &**head)
    }
}
