//! [`Deadline`]: the one time-out of a connection, whatever it waits for.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use crate::handler::Handler;
use crate::http::{BodyError, StatusCode};
use crate::serve::{Alarm, Alarmed, Alarms, Count, Known};

/// What a connection waits for, each with a time-out of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// For the request behind so many.
    KeepAlive(u32),
    /// For the rest of a head, or the first one.
    Head,
    /// For more of a body.
    Body,
    /// For the client to take what was written. So many bytes it has taken.
    Write(u64),
    /// For the client to notice that it is not listened to any more.
    Linger,
}

/// How long a client that still sends is listened to after its last answer, so that the answer is not lost to a reset:
/// nginx's `lingering_timeout` is 5 s, Apache's 2 s. However much it sends in that time: all of it is thrown away, and
/// neither of the two counts it.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// When the connection's patience ends, and the alarm that stands for it.
///
/// A deadline that moves later is only stored: the connection finds out when it is looked after, and asks again.
#[derive(Default)]
pub(super) struct Deadline {
    wait: Cell<Option<(Wait, Instant)>>,
    alarm: Alarm,
    /// When the head began that is not complete.
    head_since: Cell<Option<Instant>>,
}

impl Deadline {
    pub(super) fn clear(&self, alarms: &Alarms) {
        self.wait.set(None);
        alarms.clear(&self.alarm);
    }
}

impl<H: Handler> Connection<H> {
    /// Finds out what the connection waits for, and until when.
    pub(super) fn rearm(&self) {
        self.rearm_at(Instant::now());
    }

    pub(super) fn rearm_at(&self, now: Instant) {
        if self.is_over.get() {
            return;
        }
        let wait = self.wait();
        if wait != Some(Wait::Head) {
            self.deadline.head_since.set(None);
        }
        let Some(wait) = wait else {
            return self.deadline.wait.set(None);
        };
        let config = &self.site.config;
        let (since, timeout) = match wait {
            Wait::KeepAlive(_) => (now, config.keep_alive_timeout),
            Wait::Head => {
                let since = self.deadline.head_since.get().unwrap_or(now);
                self.deadline.head_since.set(Some(since));
                (since, config.head_timeout)
            }
            Wait::Body => (now, config.body_timeout),
            Wait::Write(_) => (now, config.write_timeout),
            Wait::Linger => (now, LINGER_TIMEOUT),
        };
        let deadline = match (wait, self.deadline.wait.get()) {
            // More in the buffer is no progress of the client, no more than an empty line is a request.
            (Wait::Write(n_taken), Some((Wait::Write(before), old))) if n_taken <= before => old,
            (Wait::KeepAlive(n_requests), Some((Wait::KeepAlive(before), old))) if n_requests == before => old,
            (Wait::Linger, Some((Wait::Linger, old))) => old,
            _ => match since.checked_add(timeout) {
                Some(deadline) => deadline,
                // Beyond what the clock can count is never.
                None => return self.deadline.wait.set(None),
            },
        };
        self.deadline.wait.set(Some((wait, deadline)));
        self.arm(now, wait, deadline);
    }

    fn wait(&self) -> Option<Wait> {
        if self.n_buffered() > 0 {
            return Some(Wait::Write(self.n_taken()));
        }
        if self.is_lingering.get() {
            return Some(Wait::Linger);
        }
        let machine = self.machine.borrow();
        if machine.is_receiving_body() {
            return (!self.holds.is_held() && !machine.expects_continue()).then_some(Wait::Body);
        }
        if self.is_answering.get() {
            return None;
        }
        let is_between = machine.is_idle() && self.n_requests.get() > 0;
        Some(if is_between { Wait::KeepAlive(self.n_requests.get()) } else { Wait::Head })
    }

    fn n_buffered(&self) -> usize {
        self.with_transport(|transport| transport.get_write_buffer_size()).unwrap_or(0)
    }

    /// How much of what was written the client has taken.
    fn n_taken(&self) -> u64 {
        self.n_written.get().saturating_sub(self.n_buffered() as u64)
    }

    fn arm(&self, now: Instant, wait: Wait, deadline: Instant) {
        // Nobody says when the last of an answer was taken: looked up now and then, idleness is found out in time.
        let at = if matches!(wait, Wait::Write(_)) && !self.is_answering.get() {
            now.checked_add(self.site.config.keep_alive_timeout).map_or(deadline, |idle| deadline.min(idle))
        } else {
            deadline
        };
        self.site.roster.alarms.set(&self.deadline.alarm, at, &self.me);
    }

    /// Whether the time for more of the body runs.
    pub(super) fn is_body_due(&self) -> bool {
        matches!(self.deadline.wait.get(), Some((Wait::Body, _)))
    }

    fn time_out(&self, wait: Wait, now: Instant) {
        if !matches!(wait, Wait::KeepAlive(_) | Wait::Linger) {
            self.site.roster.counters.add(Count::TimedOut);
        }
        match wait {
            Wait::KeepAlive(_) | Wait::Linger => self.close(),
            // Nothing came at all: there is nobody to be told.
            Wait::Head if self.machine.borrow().is_idle() => self.close(),
            Wait::Head => self.refuse(StatusCode::REQUEST_TIMEOUT, Known::Nothing, now),
            Wait::Body => {
                let body = self.body.take();
                self.machine.borrow_mut().abandon_request();
                self.has_unread.set(true);
                match body {
                    Some(body) if self.is_answering.get() => body.end(Err(BodyError::TimedOut)),
                    _ => self.settle(now),
                }
            }
            Wait::Write(_) => {
                self.with_transport(|transport| transport.abort());
            }
        }
    }
}

impl<H: Handler> Alarmed for Connection<H> {
    fn alarm(&self) -> &Alarm {
        &self.deadline.alarm
    }

    fn look_after(&self, now: Instant) {
        let Some((wait, deadline)) = self.deadline.wait.get().filter(|_| !self.is_over.get()) else { return };
        if let Wait::Write(before) = wait {
            if self.n_taken() > before || self.n_buffered() == 0 {
                return self.rearm_at(now);
            }
        }
        if now < deadline {
            return self.arm(now, wait, deadline);
        }
        self.deadline.wait.set(None);
        self.time_out(wait, now);
    }
}
