//! The idle time-out: one timer, put off by traffic.

use std::time::Duration;

use tokio::time::Instant;

use super::{IDLE, StreamTransport};
use crate::asyncio::exceptions::TimeoutError;
use crate::asyncio::stream_io::StreamIo;
use crate::runtime::{Alarm, Event, TimerKey};

#[derive(Clone, Copy)]
pub(super) struct Idle {
    timeout: Duration,
    /// When the connection has been idle for too long, as things stand.
    deadline: Instant,
    pub(super) timer: TimerKey,
}

impl<S: StreamIo> StreamTransport<S> {
    pub(super) fn on_idle(&self) {
        let idle = self.rest.borrow_mut().as_mut().and_then(|rest| rest.idle.take());
        // Since the timer was due, it may have been switched off or traffic may have come.
        let Some(idle) = idle else { return };
        if idle.deadline > Instant::now() {
            return self.arm_idle(idle.timeout, idle.deadline);
        }
        self.force_close(Some(TimeoutError::new("the connection was idle for too long").into()));
    }

    /// Bytes were read or sent.
    #[inline]
    pub(super) fn stay_awake(&self) {
        if self.has_idle_timeout.get() {
            self.put_off_idle();
        }
    }

    pub(super) fn put_off_idle(&self) {
        let moved = match self.rest.borrow_mut().as_mut().and_then(|rest| rest.idle.as_mut()) {
            Some(idle) => {
                idle.deadline = Instant::now().checked_add(idle.timeout).unwrap_or(idle.deadline);
                *idle
            }
            None => return,
        };
        self.lp.core.reset_timer(moved.timer, moved.deadline);
    }

    pub(super) fn arm_idle(&self, timeout: Duration, deadline: Instant) {
        self.has_idle_timeout.set(true);
        let event = Event { kind: IDLE, generation: 0 };
        let timer = self.lp.core.set_timer(deadline, Alarm::Event { source: self.me(), event });
        self.rest(|rest| rest.idle = Some(Idle { timeout, deadline, timer }));
    }
}
