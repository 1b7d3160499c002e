//! What goes out: through the machine into the outbox, and from there with one write a turn.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::{Phase, Session};
use crate::outbox::Outbox;
use crate::websocket::connection::Connection;
use crate::websocket::error::WebSocketError;
use crate::websocket::message::{Message, MessageKind};
use crate::websocket::prepared::PreparedMessage;
use crate::websocket::protocol::batch::{Batch, Follower, Frames};

/// Messages are written once this much is there, though the turn is not over.
pub(in crate::websocket::protocol) const MAX_OUTBOX: usize = 64 * 1024;

/// A message from this size on is handed to the system as it is, without a copy.
pub(in crate::websocket::protocol) const MIN_SHARED: usize = 8 * 1024;

impl Session {
    /// Adds what the machine makes to what goes out.
    pub(super) fn write_with(
        &self,
        make: impl FnOnce(&mut Connection, &mut Vec<u8>) -> Result<(), WebSocketError>,
    ) -> Result<(), WebSocketError> {
        self.check_may_write()?;
        let n_bytes = self.fill(|machine, outbox| make(machine, outbox.bytes()))?;
        self.send_soon(n_bytes);
        Ok(())
    }

    /// Adds to the outbox, whose memory is the hub's while it is empty: behind what a broadcast has sent until now. Gives
    /// how many bytes are in it then.
    fn fill(
        &self,
        fill: impl FnOnce(&mut Connection, &mut Outbox) -> Result<(), WebSocketError>,
    ) -> Result<usize, WebSocketError> {
        let mut outbox = self.outbox.take();
        if let Some(hub) = self.hub.get().filter(|_| !outbox.has_memory()) {
            outbox = hub.take_outbox();
        }
        let frames = self.take_frames();
        if let Some(frames) = &frames {
            outbox.bytes().extend_from_slice(frames.bytes());
        }
        let filled = fill(&mut self.machine.borrow_mut(), &mut outbox);
        let n_bytes = outbox.len();
        self.outbox.set(outbox);
        if frames.is_some() {
            let backlog = self.n_buffered() + n_bytes;
            self.with_follower(|follower| follower.iter().for_each(|follower| follower.raise_backlog(backlog)));
        }
        filled.map(|()| n_bytes)
    }

    fn check_may_write(&self) -> Result<(), WebSocketError> {
        let may_write = !self.is_lost.get() && matches!(self.phase.get(), Phase::Open | Phase::Closing);
        if may_write { Ok(()) } else { Err(self.not_open()) }
    }

    /// Has the outbox written by the end of the turn, or now if it is large.
    fn send_soon(&self, n_bytes: usize) {
        if n_bytes >= MAX_OUTBOX {
            return self.flush_now();
        }
        self.send_in_turn();
    }

    fn send_in_turn(&self) {
        if !self.is_unsent.replace(true) {
            if let Some(hub) = self.hub.get() {
                hub.send_soon(self.rc());
            }
        }
    }

    fn n_in_outbox(&self) -> usize {
        let outbox = self.outbox.take();
        let n_bytes = outbox.len();
        self.outbox.set(outbox);
        n_bytes
    }

    /// Writes the outbox, and behind it what a broadcast has sent.
    pub(in crate::websocket::protocol) fn flush_now(&self) {
        let mut outbox = self.outbox.take();
        // A write fails only after write_eof, behind which nothing is said.
        if let Some(frames) = self.take_frames() {
            if outbox.is_empty() {
                // From where it is kept for all.
                let _ = self.with_transport(|transport| transport.write(frames.bytes()));
                return;
            }
            outbox.bytes().extend_from_slice(frames.bytes());
        }
        if outbox.is_empty() {
            return;
        }
        let _ = self.with_transport(|transport| outbox.flush(transport));
        if let Some(hub) = self.hub.get() {
            hub.keep_outbox(outbox);
        }
    }

    /// Its turn of the hub has come.
    pub(in crate::websocket::protocol) fn flush_in_turn(&self) {
        self.is_unsent.set(false);
        self.flush_now();
    }

    /// Waits until a message may be sent: the peer takes what was sent before, and no other message is in the middle.
    pub(in crate::websocket::protocol) async fn writable(&self) -> Result<(), WebSocketError> {
        poll_fn(|cx| self.poll_writable(cx)).await
    }

    pub(in crate::websocket::protocol) fn poll_writable(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), WebSocketError>> {
        ready!(self.poll_drained(cx))?;
        if !self.is_streaming.get() {
            return Poll::Ready(Ok(()));
        }
        self.add_sender(cx.waker());
        Poll::Pending
    }

    fn add_sender(&self, waker: &Waker) {
        let waker = waker.clone();
        self.rest(|rest| {
            if !rest.senders.iter().any(|known| known.will_wake(&waker)) {
                rest.senders.push(waker);
            }
        });
    }

    /// Whether a message may be sent at once.
    pub(in crate::websocket::protocol) fn check_writable(&self) -> Result<(), WebSocketError> {
        self.check_open()?;
        let is_paused = self.with_transport(|transport| transport.is_writing_paused()) == Some(true);
        if is_paused || self.is_streaming.get() {
            return Err(WebSocketError::State("the peer does not take what was sent before"));
        }
        Ok(())
    }

    /// Waits until the peer takes what was sent before.
    pub(in crate::websocket::protocol) async fn drained(&self) -> Result<(), WebSocketError> {
        poll_fn(|cx| self.poll_drained(cx)).await
    }

    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<Result<(), WebSocketError>> {
        self.check_open()?;
        let Some(transport) = self.transport.get() else { return Poll::Ready(Err(self.not_open())) };
        if !transport.is_writing_paused() {
            return Poll::Ready(Ok(()));
        }
        self.flush_now();
        // Not the transport's own wait, which does not hear of close frames.
        self.add_sender(cx.waker());
        Poll::Pending
    }

    /// Sends a message, whatever the peer takes.
    pub(in crate::websocket::protocol) fn send(&self, message: &Message) -> Result<(), WebSocketError> {
        if message.len() >= MIN_SHARED {
            return self.send_shared(message);
        }
        self.write_with(|machine, out| machine.send_message(message, out))
    }

    fn send_shared(&self, message: &Message) -> Result<(), WebSocketError> {
        self.fill_shared(|machine, outbox| {
            if machine.send_head(message, outbox.bytes())? {
                outbox.push(&mut message.clone().into_bytes());
                return Ok(());
            }
            machine.send_message(message, outbox.bytes())
        })
    }

    /// As [`write_with`](Session::write_with), for what is shared with who made it.
    fn fill_shared(
        &self,
        fill: impl FnOnce(&mut Connection, &mut Outbox) -> Result<(), WebSocketError>,
    ) -> Result<(), WebSocketError> {
        self.check_may_write()?;
        self.fill(fill)?;
        // The sooner the better: the copy that a socket that is full costs is made then, and no other.
        self.flush_now();
        Ok(())
    }

    /// Sends a message that was made for many: behind the one that is being sent in pieces, if there is one.
    pub(in crate::websocket::protocol) fn send_prepared(
        &self,
        message: &PreparedMessage,
    ) -> Result<(), WebSocketError> {
        self.check_open()?;
        if self.is_streaming.get() {
            self.rest(|rest| {
                rest.n_deferred += message.frame().len();
                rest.deferred.push(message.clone());
            });
            return Ok(());
        }
        if message.frame().len() < MIN_SHARED {
            return self.write_with(|machine, out| machine.send_prepared(message, out));
        }
        self.fill_shared(|machine, outbox| {
            let Some(mut frame) = machine.share_prepared(message)? else {
                return machine.send_prepared(message, outbox.bytes());
            };
            outbox.push(&mut frame);
            Ok(())
        })
    }

    /// Sends a message whose frame is pushed to `batch` next, when all members have been asked: by following, if it can.
    /// `n_unsent` is what it has unsent, and `nth_pass` says how often all were asked before.
    pub(in crate::websocket::protocol) fn send_in_batch(
        &self,
        message: &PreparedMessage,
        batch: &Rc<Batch>,
        n_unsent: usize,
        nth_pass: u32,
    ) -> Result<(), WebSocketError> {
        let is_first = self.with_follower(|follower| {
            let known = follower.as_mut().filter(|known| known.follows(batch));
            known.map(|known| known.is_asked_first(nth_pass))
        });
        match is_first {
            Some(true) => Ok(()),
            // Once as another member, for which it follows no more.
            Some(false) => {
                self.unfollow();
                self.send_prepared(message)?;
                self.send_prepared(message)
            }
            None if self.can_follow() => {
                self.unfollow();
                self.follower.set(Some(batch.follow(n_unsent, nth_pass)));
                Ok(())
            }
            None => self.send_prepared(message),
        }
    }

    fn can_follow(&self) -> bool {
        self.is_open() && !self.is_streaming.get() && self.machine.borrow().sends_frames_as_they_are()
    }

    /// Is sent nothing more with others until it follows anew.
    pub(in crate::websocket::protocol) fn unfollow(&self) {
        if self.n_followed() > 0 {
            let _ = self.fill(|_, _| Ok(()));
            self.send_in_turn();
        }
        drop(self.follower.take());
    }

    /// Takes what it has to send with others, if it follows any.
    fn take_frames(&self) -> Option<Frames> {
        let mut follower = self.follower.take()?;
        let frames = follower.take();
        self.follower.set(Some(follower));
        Some(frames)
    }

    fn with_follower<R>(&self, look: impl FnOnce(&mut Option<Follower>) -> R) -> R {
        let mut follower = self.follower.take();
        let seen = look(&mut follower);
        self.follower.set(follower);
        seen
    }

    /// Bytes that the peer has not taken.
    pub(in crate::websocket::protocol) fn n_unsent(&self) -> usize {
        let n_deferred = self.with_rest(|rest| rest.n_deferred);
        self.n_buffered() + self.n_in_outbox() + self.n_followed() + n_deferred
    }

    /// Bytes that are written, and that the system has not taken.
    pub(in crate::websocket::protocol) fn n_buffered(&self) -> usize {
        self.with_transport(|transport| transport.get_write_buffer_size()).unwrap_or(0)
    }

    /// Bytes that it has to send with others.
    fn n_followed(&self) -> usize {
        self.with_follower(|follower| follower.as_ref().map_or(0, Follower::len))
    }

    fn take_deferred(&self) -> Vec<PreparedMessage> {
        self.with_rest(|rest| {
            rest.n_deferred = 0;
            std::mem::take(&mut rest.deferred)
        })
    }

    /// The message in pieces will not be complete, and nothing be sent behind it.
    pub(super) fn forget_deferred(&self) {
        drop(self.take_deferred());
    }

    /// Keeps other messages back until [`end_streaming`](Session::end_streaming).
    pub(in crate::websocket::protocol) fn begin_streaming(&self) {
        self.unfollow();
        self.is_streaming.set(true);
    }

    pub(in crate::websocket::protocol) fn end_streaming(&self) {
        self.is_streaming.set(false);
        for message in &self.take_deferred() {
            // It fails if the peer has gone, which is nothing to who has sent the message in pieces.
            let _ = self.send_prepared(message);
        }
        self.wake_senders();
    }

    /// Sends a piece of a message.
    pub(in crate::websocket::protocol) fn send_fragment(
        &self,
        kind: MessageKind,
        piece: &[u8],
        is_last: bool,
    ) -> Result<(), WebSocketError> {
        self.write_with(|machine, out| machine.send_fragment(kind, piece, is_last, out))
    }
}
