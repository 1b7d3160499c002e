//! What comes in: to the machine, to the inbox, or held until there is room.

use std::task::{Context, Poll, Waker, ready};

use tokio::time::Instant;

use super::{Phase, Session};
use crate::serve::nobody;
use crate::websocket::connection::Event;
use crate::websocket::error::WebSocketError;
use crate::websocket::message::Message;

/// Held bytes of messages behind a full inbox, above which reading stops; asyncio's default for a stream is the same.
const MAX_HELD: usize = 64 * 1024;

/// Bytes that the machine has not seen.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    n_taken: usize,
}

impl Held {
    fn len(&self) -> usize {
        self.bytes.len() - self.n_taken
    }
}

impl Session {
    /// Takes bytes from the transport.
    pub(super) fn take_in(&self, data: &[u8]) {
        self.has_heard.set(true);
        if self.phase.get() == Phase::Over {
            // Only read so that the peer gets to see the end.
            return;
        }
        let n_taken = if self.has_held() { 0 } else { self.process(data) };
        if n_taken < data.len() && self.phase.get() != Phase::Over {
            self.hold(&data[n_taken..]);
        }
    }

    pub(super) fn has_held(&self) -> bool {
        self.with_rest(|rest| rest.held.len() > 0)
    }

    fn hold(&self, data: &[u8]) {
        let n_held = self.rest(|rest| {
            let held = &mut rest.held;
            // Else it would grow as long as it is never empty.
            let n_taken = std::mem::take(&mut held.n_taken);
            held.bytes.drain(..n_taken);
            held.bytes.extend_from_slice(data);
            held.len()
        });
        if n_held > MAX_HELD && !self.is_held.replace(true) {
            self.with_transport(|transport| transport.pause_reading());
            if self.phase.get() == Phase::Open {
                self.plan_look(Instant::now());
            }
        }
    }

    /// Gives bytes to the machine as long as there is room for messages, and says how many it took.
    fn process(&self, data: &[u8]) -> usize {
        let max_queue = self.settings().max_queue;
        let mut rest = data;
        let mut has_message = false;
        while !rest.is_empty() {
            let is_full = self.is_deaf.get() || self.n_messages() >= max_queue;
            if is_full && !self.drops_excess.get() {
                break;
            }
            let event = self.machine.borrow_mut().receive_data(&mut rest);
            match event {
                Ok(Some(Event::Message(_))) if is_full => {}
                Ok(Some(Event::Message(message))) => {
                    self.queue_message(message);
                    has_message = true;
                }
                Ok(Some(Event::Ping(payload))) => self.answer_ping(payload),
                Ok(Some(Event::Pong(payload))) => self.take_pong(&payload),
                Ok(Some(Event::Close(_))) => {
                    self.end_behind_messages(None);
                    break;
                }
                Ok(None) => break,
                Err(err) => {
                    self.end_behind_messages(Some(err));
                    break;
                }
            }
        }
        if has_message {
            self.wake_receivers();
        }
        data.len() - rest.len()
    }

    /// Gives the machine what was held.
    pub(super) fn process_held(&self) {
        if !self.has_held() {
            return;
        }
        let mut held = self.rest(|rest| std::mem::take(&mut rest.held));
        held.n_taken += self.process(&held.bytes[held.n_taken..]);
        if self.phase.get() == Phase::Over {
            return;
        }
        let n_held = held.len();
        if n_held > 0 {
            self.rest(|rest| rest.held = held);
        } else if self.has_read_all.get() {
            return self.end_input();
        }
        if n_held <= MAX_HELD / 2 && self.is_held.replace(false) {
            self.with_transport(|transport| transport.resume_reading());
        }
    }

    /// The next message, or how the connection ended once there is none left.
    pub(in crate::websocket::protocol) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Message, WebSocketError>> {
        let mut message = self.next_message();
        if message.is_none() && self.rest.get().is_some() {
            self.process_held();
            message = self.next_message();
            if message.is_none() {
                self.end_now();
            }
        }
        match message {
            Some(message) => Poll::Ready(Ok(message)),
            None if matches!(self.phase.get(), Phase::Connecting | Phase::Over) => Poll::Ready(Err(self.not_open())),
            None => {
                // Whoever waits for the peer has said what it had to say.
                self.flush_now();
                self.add_receiver(cx.waker());
                Poll::Pending
            }
        }
    }

    pub(in crate::websocket::protocol) fn poll_next(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, WebSocketError>>> {
        if let Err(err) = self.accept_if_asked() {
            return Poll::Ready(Some(Err(err)));
        }
        match ready!(self.poll_receive(cx)) {
            Err(WebSocketError::Closed(_)) => Poll::Ready(None),
            // What the peer did wrong is told once.
            Err(err) if self.with_rest(|rest| rest.failure.take()).is_some() => Poll::Ready(Some(Err(err))),
            received => Poll::Ready(Some(received)),
        }
    }

    /// Nobody receives any more: what waits, and what still comes, is dropped.
    pub(super) fn deafen(&self) {
        self.is_deaf.set(true);
        let inbox = self.inbox.take();
        self.n_queued.set(0);
        drop(inbox);
        self.end_now();
        self.stop_queueing();
    }

    fn add_receiver(&self, waker: &Waker) {
        if waker.will_wake(nobody()) {
            return;
        }
        let receiver = self.receiver.take().filter(|known| known.will_wake(waker) || self.is_awaited.get());
        let receiver = receiver.unwrap_or_else(|| waker.clone());
        if self.is_awaited.replace(true) && !receiver.will_wake(waker) {
            let waker = waker.clone();
            self.rest(|rest| {
                if !rest.receivers.iter().any(|known| known.will_wake(&waker)) {
                    rest.receivers.push(waker);
                }
            });
        }
        self.receiver.set(Some(receiver));
    }
}
