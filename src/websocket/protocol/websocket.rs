//! [`WebSocket`]: how an application holds one.

use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use foster_compat::{Loop, TransportRef};
use futures::{Sink, Stream};

use super::config::Config;
use super::hub::Hub;
use super::message_writer::MessageWriter;
use super::session::{Session, Start};
use crate::http::{HeaderList, RequestHead, Response};
use crate::serve::Alarms;
use crate::websocket::close::{CloseCode, CloseFrame};
use crate::websocket::connection::Role;
use crate::websocket::deflate::Deflate;
use crate::websocket::error::{Closed, WebSocketError};
use crate::websocket::message::{Message, MessageKind};
use crate::websocket::prepared::PreparedMessage;

/// A WebSocket as an application holds it: a cheap clone, equal to its clones, for any task of the loop.
///
/// On a server, a handler gets it before the handshake is answered: it may [`accept`](WebSocket::accept) or
/// [`reject`](WebSocket::reject), and whatever else it does first accepts. It ends with its handler.
///
/// Messages are received one at a time by whoever asks first; up to ten wait
/// ([`Config::max_queue`](crate::websocket::Config::max_queue)). Pings are answered without it. A client gets its own from
/// [`connect`](crate::websocket::connect).
///
/// It is a [`Stream`] of messages, which ends with the connection, and a [`Sink`] for them.
///
/// ```
/// use foster::websocket::WebSocket;
///
/// async fn echo(websocket: WebSocket) -> foster::Result<()> {
///     loop {
///         // Ends the handler once the client has gone, with whatever code, which is no failure.
///         let message = websocket.receive().await?;
///         websocket.send(message).await?;
///     }
/// }
/// ```
pub struct WebSocket {
    session: Rc<dyn Opaque>,
}

/// A session behind a pointer that says nothing of what it holds: clippy would warn whoever keeps WebSockets in a set that
/// their keys may change, though they compare by identity.
trait Opaque {
    fn get(&self) -> &Session;
}

impl Opaque for Session {
    fn get(&self) -> &Session {
        self
    }
}

impl WebSocket {
    pub(super) fn new(session: Rc<Session>) -> Self {
        session.add_handle();
        WebSocket { session }
    }

    /// A client's, whose handshake is done, on a transport whose reading is paused.
    pub(in crate::websocket) fn of_client(
        config: Config,
        loop_: Loop,
        transport: TransportRef,
        leftover: Bytes,
        compression: Option<Deflate>,
        subprotocol: Option<&str>,
    ) -> Self {
        let session = Session::new(Role::Client, config);
        let machine = session.make_machine(compression);
        let alarms = Alarms::new(loop_.clone());
        session.open(Start { hub: Hub::new(loop_, alarms), transport, seat: None, machine, leftover, has_eof: false });
        session.agree_on(subprotocol);
        WebSocket::new(session)
    }

    pub(super) fn session(&self) -> &Session {
        self.session.get()
    }

    /// Opens the WebSocket, with the first of the [configured subprotocols](crate::websocket::Config::subprotocols) that the client
    /// offers, or none: Quart's `accept`. Nothing happens if it is open.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`] if the connection is lost or the handshake was rejected.
    pub fn accept(&self) -> Result<(), WebSocketError> {
        self.session().accept_if_asked()
    }

    /// Opens the WebSocket with this subprotocol, and with header fields of one's own, as cookies.
    ///
    /// # Errors
    ///
    /// As [`accept`](WebSocket::accept), and for a WebSocket that is open, a subprotocol that the client does not offer,
    /// and fields that are the handshake's own.
    pub fn accept_with(&self, subprotocol: Option<&str>, headers: &HeaderList) -> Result<(), WebSocketError> {
        self.session().accept(subprotocol, headers)
    }

    /// Answers the handshake with a response instead, of any status and with any body, once the handler has ended: what
    /// Quart does with a response that a handler returns before it accepts.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`] if the handshake is answered.
    pub fn reject(&self, response: Response) -> Result<(), WebSocketError> {
        self.session().reject(response)
    }

    /// Whether the handshake waits for its answer.
    #[cfg(feature = "app")]
    pub(crate) fn is_connecting(&self) -> bool {
        self.session().is_connecting()
    }

    /// Takes back what the handshake was to be answered with.
    #[cfg(feature = "app")]
    pub(crate) fn withdraw(&self) -> Option<Response> {
        self.session().withdraw()
    }

    /// The subprotocols that the client offers, best first; none once the handshake is answered.
    pub fn requested_subprotocols(&self) -> Vec<String> {
        self.session().requested_subprotocols()
    }

    /// The subprotocol that was agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.session().subprotocol()
    }

    /// The head of the request that opened it: path, query, header fields. `None` for a client's.
    pub fn head(&self) -> Option<&RequestHead> {
        self.session().head()
    }

    /// The transport, for what it knows: addresses, TLS, options of the socket. `None` before the handshake is answered.
    pub fn transport(&self) -> Option<&TransportRef> {
        self.session().transport()
    }

    /// Whether messages may be sent.
    pub fn is_open(&self) -> bool {
        self.session().is_open()
    }

    /// Waits for the next message: Quart's `receive`.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Closed`] once the connection has ended and everything that was received before is delivered;
    /// what the peer did wrong if that is what ended it.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has taken no message.
    // Neither this nor `send` is an `async fn`, which would have room for its arguments twice.
    pub fn receive(&self) -> impl Future<Output = Result<Message, WebSocketError>> {
        poll_fn(|cx| {
            let session = self.session();
            session.accept_if_asked()?;
            session.poll_receive(cx)
        })
    }

    /// Sends a message: Quart's `send`. Waits while the peer does not take what was sent before, or another message is
    /// being sent in pieces; what it returns has gone to the operating system by the end of the turn.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Closed`] once either side has closed, or the connection is lost. Never a hang.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it has sent nothing.
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<(), WebSocketError>> {
        let message = message.into();
        poll_fn(move |cx| {
            let session = self.session();
            session.accept_if_asked()?;
            ready!(session.poll_writable(cx))?;
            Poll::Ready(session.send(&message))
        })
    }

    /// Sends a message without waiting: for code that must not give way, as between two looks at a shared list.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`] where [`send`](WebSocket::send) would wait. Otherwise its.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        self.session().accept_if_asked()?;
        self.session().check_writable()?;
        self.session().send(&message.into())
    }

    /// Waits for the next message, of either kind, and reads it as JSON: Quart's `receive_json`.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Json`] for a message that is not what `T` is read from: a handler that returns it closes with
    /// 1007. Otherwise as [`receive`](WebSocket::receive).
    #[cfg(feature = "json")]
    pub async fn receive_json<T: serde::de::DeserializeOwned>(&self) -> Result<T, WebSocketError> {
        let message = self.receive().await?;
        serde_json::from_slice(message.as_bytes()).map_err(|err| WebSocketError::Json(err.to_string()))
    }

    /// Sends a value as JSON, in a message of text: Quart's `send_json`.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`] for a value that JSON has no form for, as a map whose keys are no strings. Otherwise as
    /// [`send`](WebSocket::send).
    #[cfg(feature = "json")]
    pub async fn send_json<T: serde::Serialize + ?Sized>(&self, value: &T) -> Result<(), WebSocketError> {
        let text = serde_json::to_string(value);
        self.send(text.map_err(|_| WebSocketError::State("the value has no form in JSON"))?).await
    }

    /// Sends a message that was encoded once for many.
    ///
    /// # Errors
    ///
    /// As [`send`](WebSocket::send).
    pub async fn send_prepared(&self, message: &PreparedMessage) -> Result<(), WebSocketError> {
        self.session().accept_if_asked()?;
        self.session().writable().await?;
        self.session().send_prepared(message)
    }

    /// Begins a message that is sent in pieces, as they are made; other messages wait until it is finished.
    ///
    /// # Errors
    ///
    /// As [`send`](WebSocket::send).
    pub async fn start_message(&self, kind: MessageKind) -> Result<MessageWriter, WebSocketError> {
        self.session().accept_if_asked()?;
        self.session().writable().await?;
        Ok(MessageWriter::begin(self.clone(), kind))
    }

    /// Sends a ping, waits for its pong, and gives the time between them.
    ///
    /// # Errors
    ///
    /// As [`receive`](WebSocket::receive). Only [`Config::ping_timeout`](crate::websocket::Config::ping_timeout) of the regular pings
    /// bounds the wait for a peer that has vanished.
    pub async fn ping(&self) -> Result<Duration, WebSocketError> {
        self.session().accept_if_asked()?;
        self.session().ping().await
    }

    /// Closes: sends a close frame and waits for the peer's, for
    /// [`Config::close_timeout`](crate::websocket::Config::close_timeout) at most. Gives how it ended. What is received meanwhile is
    /// delivered as far as the queue holds it. Closed already, it waits for the end.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::State`] for a code that may not be sent, and for a reason of more than 123 bytes.
    pub async fn close(
        &self,
        code: impl Into<CloseCode>,
        reason: impl Into<crate::websocket::Utf8Bytes>,
    ) -> Result<Closed, WebSocketError> {
        self.session().accept_if_asked()?;
        self.session().close(CloseFrame::new(code, reason))?;
        self.session().stop_queueing();
        Ok(self.session().wait_closed().await)
    }

    /// Waits until the connection has ended, and gives how: also while nobody receives. Once the last message is taken, the
    /// close frame of the peer is answered without another [`receive`](WebSocket::receive).
    pub async fn closed(&self) -> Closed {
        self.session().wait_closed().await
    }

    /// Two handles: one that only sends, one that only receives, for two tasks.
    pub fn split(self) -> (WebSocketSender, WebSocketReceiver) {
        (WebSocketSender(self.clone()), WebSocketReceiver(self))
    }
}

impl Clone for WebSocket {
    fn clone(&self) -> Self {
        WebSocket::new(self.session().rc())
    }
}

impl Drop for WebSocket {
    /// The last handle of a client's takes its WebSocket with it, which is closed with 1000.
    fn drop(&mut self) {
        self.session().remove_handle();
    }
}

impl PartialEq for WebSocket {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.session(), other.session())
    }
}

impl Eq for WebSocket {}

impl Hash for WebSocket {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self.session()).hash(state);
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("session", &std::ptr::from_ref(self.session()))
            .field("is_open", &self.is_open())
            .finish()
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, WebSocketError>;

    /// `None` once the connection has ended; an error only if the peer broke the rules.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.session().poll_next(cx)
    }
}

impl Sink<Message> for WebSocket {
    type Error = WebSocketError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
        self.session().accept_if_asked()?;
        self.session().poll_writable(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), WebSocketError> {
        self.session().send(&message)
    }

    /// Ready once the operating system has taken everything but what its buffers do not hold.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
        self.session().flush_now();
        self.session().poll_writable(cx)
    }

    /// Closes with 1000.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
        self.session().close(CloseFrame::new(CloseCode::NORMAL, ""))?;
        self.session().stop_queueing();
        ready!(self.session().poll_closed(cx));
        Poll::Ready(Ok(()))
    }
}

/// The sending half of a [`WebSocket`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebSocketSender(WebSocket);

/// The receiving half of a [`WebSocket`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WebSocketReceiver(WebSocket);

impl WebSocketSender {
    /// [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// Its.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        self.0.send(message).await
    }

    /// The whole.
    pub fn websocket(&self) -> &WebSocket {
        &self.0
    }
}

impl WebSocketReceiver {
    /// [`WebSocket::receive`].
    ///
    /// # Errors
    ///
    /// Its.
    pub async fn receive(&mut self) -> Result<Message, WebSocketError> {
        self.0.receive().await
    }

    /// The whole.
    pub fn websocket(&self) -> &WebSocket {
        &self.0
    }
}

impl Stream for WebSocketReceiver {
    type Item = Result<Message, WebSocketError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl Sink<Message> for WebSocketSender {
    type Error = WebSocketError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
        Pin::new(&mut self.0).poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), WebSocketError> {
        Pin::new(&mut self.0).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
