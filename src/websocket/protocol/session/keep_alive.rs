//! Pings and pongs, and whether the peer is still there.

use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Phase, Ping, Session};
use crate::websocket::close::{CloseCode, CloseFrame};
use crate::websocket::error::WebSocketError;

/// How often a peer that is not read from is looked at: whether it is still there.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn begin_pinging(&self, now: Instant) {
        self.pinged_at.set(Some(now));
        self.plan_look(now);
    }

    fn next_ping(&self) -> Option<Instant> {
        self.pinged_at.get()?.checked_add(self.settings().ping_interval?)
    }

    /// By when something must have been heard.
    fn answer_due(&self) -> Option<Instant> {
        let pinged_at = self.pinged_at.get().filter(|_| self.awaits_answer.get())?;
        pinged_at.checked_add(self.settings().ping_timeout?)
    }

    /// The regular look at an open session.
    pub(super) fn keep_alive(&self, now: Instant) {
        if let Some(due) = self.end_due() {
            return if now >= due { self.end_now() } else { self.plan_look(now) };
        }
        if self.is_held.get() {
            self.look_for_peer();
            // Its pongs are not read either.
            self.has_heard.set(true);
        }
        if let Some(due) = self.answer_due() {
            if self.has_heard.get() {
                self.awaits_answer.set(false);
            } else if now >= due {
                return self.give_up();
            }
        }
        if self.next_ping().is_some_and(|next| now >= next) && self.answer_due().is_none() {
            self.has_heard.set(false);
            self.pinged_at.set(Some(now));
            self.awaits_answer.set(true);
            let _ = self.write_with(|machine, out| machine.send_ping(&[], out));
            self.flush_now();
        }
        if self.phase.get() == Phase::Open {
            self.plan_look(now);
        }
    }

    /// A transport that is not read from does not say that the peer has gone.
    fn look_for_peer(&self) {
        let socket = self.with_transport(|transport| transport.socket()).flatten();
        let has_left = socket.is_some_and(|socket| socket.has_peer_left().unwrap_or(false));
        if has_left && !self.is_peer_gone.get() {
            self.unfollow();
            self.is_peer_gone.set(true);
            self.begin_linger();
            self.wake_all_but_receivers();
        }
    }

    /// Asks for the next look.
    pub(super) fn plan_look(&self, now: Instant) {
        let look = self.is_held.get().then(|| now + LOOK_INTERVAL);
        let dues = [self.next_ping(), self.answer_due(), look].into_iter().flatten();
        self.set_due(dues.filter(|due| *due > now).chain(self.end_due()).min());
    }

    /// The peer has not answered a ping.
    fn give_up(&self) {
        let frame = CloseFrame::new(CloseCode::INTERNAL_ERROR, "keepalive ping timeout");
        let _ = self.write_with(|machine, out| machine.send_close(Some(&frame), out));
        self.end(false);
    }

    pub(super) fn answer_ping(&self, payload: Bytes) {
        if self.with_transport(|transport| transport.is_writing_paused()) == Some(true) {
            self.rest(|rest| rest.owed_pong = Some(payload));
            return;
        }
        let _ = self.write_with(|machine, out| machine.send_pong(&payload, out));
    }

    /// Sends the pong that is owed, if the peer takes something again.
    pub(super) fn pay_pong(&self) {
        let owed = self.with_rest(|rest| rest.owed_pong.take());
        if let Some(payload) = owed {
            let _ = self.write_with(|machine, out| machine.send_pong(&payload, out));
        }
    }

    pub(super) fn take_pong(&self, payload: &[u8]) {
        let Ok(payload) = <[u8; 8]>::try_from(payload).map(u64::from_be_bytes) else { return };
        let woken: Vec<Waker> = self.with_rest(|rest| {
            if !rest.pings.iter().any(|ping| ping.payload == payload) {
                return Vec::new();
            }
            // A pong answers the pings before its own, too: only the last need be answered (RFC 6455, 5.5.3).
            let answered = rest.pings.iter_mut().filter(|ping| ping.payload <= payload);
            answered
                .filter_map(|ping| {
                    ping.is_answered = true;
                    ping.waker.take()
                })
                .collect()
        });
        woken.into_iter().for_each(Waker::wake);
    }

    /// Sends a ping and waits for its pong.
    pub(in crate::websocket::protocol) async fn ping(&self) -> Result<Duration, WebSocketError> {
        self.drained().await?;
        let sent_at = Instant::now();
        let payload = self.rest(|rest| {
            rest.n_pings += 1;
            rest.n_pings
        });
        self.write_with(|machine, out| machine.send_ping(&payload.to_be_bytes(), out))?;
        self.rest(|rest| rest.pings.push(Ping { payload, is_answered: false, waker: None }));
        let _forget = Forget { session: self, payload };
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            let old = self.rest(|rest| {
                let ping = rest.pings.iter_mut().find(|ping| ping.payload == payload && !ping.is_answered);
                ping.map(|ping| ping.waker.replace(waker))
            });
            let Some(old) = old else { return Poll::Ready(Ok(sent_at.elapsed())) };
            drop(old);
            if matches!(self.phase.get(), Phase::Open | Phase::Closing) && !self.is_peer_gone.get() {
                self.flush_now();
                Poll::Pending
            } else {
                Poll::Ready(Err(self.not_open()))
            }
        })
        .await
    }
}

/// Forgets a ping that is not waited for any more.
struct Forget<'a> {
    session: &'a Session,
    payload: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let ping = self.session.with_rest(|rest| {
            let nth = rest.pings.iter().position(|ping| ping.payload == self.payload);
            nth.map(|nth| rest.pings.remove(nth))
        });
        drop(ping);
    }
}
