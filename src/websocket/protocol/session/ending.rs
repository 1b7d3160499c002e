//! How a WebSocket ends: the closing handshake, a failure, a lost connection, and what becomes of the handler.

use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use foster_compat::{cancel_reason, move_on_after, sleep};
use futures::future::select;
use tokio::time::Instant;

use super::{Phase, Session};
use crate::websocket::close::{CloseCode, CloseFrame};
use crate::websocket::connection::{Connection, Role};
use crate::websocket::error::{Closed, WebSocketError};

/// How long a peer that may still send is listened to after the end, so that the close frame is not lost to a reset: as
/// with HTTP.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// What the peer has ended the connection with.
pub(super) struct Ending {
    /// What it did wrong; it has closed if it did nothing wrong.
    failure: Option<WebSocketError>,
    due: Option<Instant>,
}

impl Session {
    /// How it ended, as far as that is known.
    pub(in crate::websocket::protocol) fn closed(&self) -> Closed {
        self.machine.borrow().closed()
    }

    /// Begins the closing handshake; nothing happens the second time.
    pub(in crate::websocket::protocol) fn close(&self, frame: CloseFrame) -> Result<(), WebSocketError> {
        match self.phase.get() {
            Phase::Open if self.is_lost.get() => return Ok(()),
            Phase::Open => {}
            Phase::Connecting => return Err(self.not_open()),
            Phase::Closing | Phase::Over => return Ok(()),
        }
        self.unfollow();
        self.write_with(|machine, out| machine.send_close(Some(&frame), out))?;
        self.phase.set(Phase::Closing);
        self.flush_now();
        self.set_due(Instant::now().checked_add(self.settings().close_timeout));
        self.forget_deferred();
        self.wake_senders();
        // Nothing is left to be said to what the peer has closed.
        self.end_now();
        Ok(())
    }

    /// Drops what comes beyond the inbox, so that the peer's close frame is reached.
    pub(in crate::websocket::protocol) fn stop_queueing(&self) {
        self.drops_excess.set(true);
        self.process_held();
    }

    /// Waits until the closing handshake is done, or will not be.
    pub(in crate::websocket::protocol) async fn wait_closed(&self) -> Closed {
        let mut closer = Closer { session: self, key: None };
        poll_fn(|cx| closer.poll(cx)).await
    }

    /// As [`wait_closed`](Session::wait_closed), for who has no future to keep its place in.
    pub(in crate::websocket::protocol) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Closed> {
        if self.reaches_end() {
            return Poll::Ready(self.closed());
        }
        let waker = cx.waker().clone();
        self.rest(|rest| {
            if !rest.closers.iter().any(|(_, known)| known.will_wake(&waker)) {
                rest.closers.insert(waker);
            }
        });
        Poll::Pending
    }

    /// Whether it has ended. Who asks, to wait for it, has said what it had to say to the last message.
    fn reaches_end(&self) -> bool {
        if self.n_messages() == 0 && !self.has_held() {
            self.end_now();
        }
        self.phase.get() == Phase::Over || self.is_peer_gone.get()
    }

    /// Says that the server stops.
    pub(super) fn say_goodbye(&self) {
        let _ = self.close(CloseFrame::new(CloseCode::GOING_AWAY, ""));
    }

    /// The peer's close frame has come, or it did something wrong. What the handler has to say to the messages before it
    /// still goes out, unless this end has closed, too: whoever sends a close frame reads on until it is answered.
    pub(super) fn end_behind_messages(&self, failure: Option<WebSocketError>) {
        let now = Instant::now();
        let due = now.checked_add(self.settings().close_timeout);
        self.rest(|rest| rest.ending = Some(Ending { failure, due }));
        if self.n_messages() == 0 || self.phase.get() != Phase::Open {
            self.end_now();
        } else {
            self.plan_look(now);
        }
    }

    /// Ends what the peer has ended, if it has.
    pub(super) fn end_now(&self) {
        let ending = self.with_rest(|rest| rest.ending.take());
        match ending.map(|ending| ending.failure) {
            Some(Some(err)) => self.fail(err),
            Some(None) => self.answer_close(),
            None => {}
        }
    }

    /// When the end comes, whatever the handler has to say.
    pub(super) fn end_due(&self) -> Option<Instant> {
        self.with_rest(|rest| rest.ending.as_ref().and_then(|ending| ending.due))
    }

    fn answer_close(&self) {
        let _ = self.write_with(Connection::answer_close);
        self.end(true);
    }

    /// The peer broke the rules.
    fn fail(&self, err: WebSocketError) {
        let _ = self.write_with(|machine, out| {
            machine.fail(&err, out);
            Ok(())
        });
        self.rest(|rest| rest.failure = Some(err));
        self.end(false);
    }

    /// Nothing more is said or read. `is_clean` says that the peer sends nothing more either.
    pub(super) fn end(&self, is_clean: bool) {
        self.unfollow();
        self.flush_now();
        self.phase.set(Phase::Over);
        self.due.set(None);
        self.forget_deferred();
        if !self.is_lost.get() {
            self.end_transport(is_clean);
        }
        self.begin_linger();
        self.wake_everybody();
    }

    fn end_transport(&self, is_clean: bool) {
        let Some(transport) = self.transport.get() else { return };
        if self.is_held.replace(false) {
            transport.resume_reading();
        }
        let is_there = !self.is_peer_gone.get();
        let timeout = if is_clean { self.settings().close_timeout } else { LINGER_TIMEOUT };
        self.set_due(Instant::now().checked_add(timeout));
        // The server closes first (RFC 6455, 7.1.1), unless what it has not read would reset the connection.
        let waits = if is_clean {
            is_there && self.role == Role::Client
        } else {
            is_there && transport.can_write_eof() && transport.write_eof().is_ok()
        };
        if !waits {
            transport.close();
        }
    }

    /// The peer has ended its stream; gives whether the transport stays open for what is held.
    pub(super) fn peer_ended(&self) -> bool {
        self.unfollow();
        self.is_peer_gone.set(true);
        self.has_read_all.set(true);
        if self.phase.get() == Phase::Over {
            return false;
        }
        let has_held = self.has_held();
        if has_held {
            self.begin_linger();
            self.wake_all_but_receivers();
        } else {
            self.end_input();
        }
        has_held
    }

    /// The machine has seen everything that the peer has sent. One that has closed before may still read the answer.
    pub(super) fn end_input(&self) {
        self.end_now();
        if self.phase.get() != Phase::Over {
            self.end(true);
        }
    }

    /// The transport is lost.
    pub(super) fn lose(&self) {
        self.is_peer_gone.set(true);
        self.has_read_all.set(true);
        self.is_lost.set(true);
        self.forget_deferred();
        drop(self.with_rest(|rest| rest.owed_pong.take()));
        drop(self.outbox.take());
        drop(self.follower.take());
        if self.with_transport(|transport| transport.in_scope(|| cancel_reason().is_some())) == Some(true) {
            self.cut_handler();
        }
        self.end_now();
        if self.phase.get() != Phase::Over && !self.has_held() {
            self.phase.set(Phase::Over);
        }
        self.due.set(None);
        self.clear_alarm();
        self.begin_linger();
        self.wake_everybody();
        self.leave_if_done();
    }

    /// From now on the handler has only so long.
    pub(super) fn begin_linger(&self) {
        if self.scope.is_none() || self.is_handler_over.get() || self.is_lingering.replace(true) {
            return;
        }
        let Some(hub) = self.hub.get() else { return };
        let shutdown = self.roster();
        let linger = Linger { session: self.me.clone() };
        let close_timeout = self.settings().close_timeout;
        // A child of the server and not of the connection, so that it hears of the server's cancellation, which the
        // handler's shield hides.
        let started = hub.loop_().nursery().try_start_soon(async move {
            let stopped = async {
                match shutdown {
                    Some(roster) => {
                        roster.shutdown.wait().await;
                        sleep(roster.graceful_timeout).await;
                    }
                    None => std::future::pending().await,
                }
            };
            let over = std::pin::pin!(linger.handler_over());
            move_on_after(close_timeout, select(over, std::pin::pin!(stopped))).await;
        });
        if started.is_err() {
            self.cut_handler();
        }
    }

    /// The handler does not come to its end by itself.
    fn cut_handler(&self) {
        if let Some(scope) = self.scope.as_ref().filter(|_| !self.is_handler_over.get()) {
            scope.set_shield(false);
            scope.cancel_with("the WebSocket is closed");
        }
    }

    pub(in crate::websocket::protocol) fn is_handler_over(&self) -> bool {
        self.is_handler_over.get()
    }

    /// The handler has ended, or was cancelled.
    pub(in crate::websocket::protocol) fn handler_ended(&self, frame: CloseFrame) {
        self.is_handler_over.set(true);
        let linger = self.with_rest(|rest| rest.linger.take());
        if let Some(linger) = linger {
            linger.wake();
        }
        drop(self.take_rejection());
        self.abandon(frame);
        if !self.is_awaited.get() {
            drop(self.receiver.take());
        }
        self.leave_if_done();
    }

    /// Nobody is left who could send or receive.
    pub(super) fn abandon(&self, frame: CloseFrame) {
        let _ = self.close(frame);
        self.deafen();
    }

    fn leave_if_done(&self) {
        if self.is_lost.get() && (self.is_handler_over.get() || self.scope.is_none()) {
            drop(self.seat.take());
        }
    }
}

/// A task that waits for the end, and its place among those.
struct Closer<'a> {
    session: &'a Session,
    key: Option<usize>,
}

impl Closer<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Closed> {
        if self.session.reaches_end() {
            return Poll::Ready(self.session.closed());
        }
        let waker = cx.waker().clone();
        let old = self.session.rest(|rest| match self.key {
            Some(key) => rest.closers.get_mut(key).map(|place| std::mem::replace(place, waker)),
            None => {
                self.key = Some(rest.closers.insert(waker));
                None
            }
        });
        drop(old);
        Poll::Pending
    }
}

impl Drop for Closer<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            // Woken, all have left, and nobody has come since.
            let waker = self.session.with_rest(|rest| rest.closers.try_remove(key));
            drop(waker);
        }
    }
}

/// Cuts the handler of a session once its time is over, or once this is dropped.
struct Linger {
    session: Weak<Session>,
}

impl Linger {
    async fn handler_over(&self) {
        poll_fn(|cx| {
            let Some(session) = self.session.upgrade() else { return Poll::Ready(()) };
            if session.is_handler_over.get() {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            let old = session.rest(|rest| rest.linger.replace(waker));
            drop(old);
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Linger {
    fn drop(&mut self) {
        let session: Option<Rc<Session>> = self.session.upgrade();
        if let Some(session) = session {
            session.cut_handler();
        }
    }
}
