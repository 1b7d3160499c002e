//! How a process ends: reaped, its pipes disconnected, `connection_lost` once, then out of the nursery.

use std::task::Waker;

use tokio::time::Instant;

use super::{Child, KILL, LOST};
use crate::asyncio::subprocess::protocol_cell::Call;
use crate::runtime::{Alarm, Event, Exit, Failure, Supervisor};

impl Child {
    /// Queues `connection_lost` once the process is reaped and all pipes are disconnected.
    pub(super) fn try_finish(&self) {
        let is_over = self.returncode.get().is_some() && self.pipes().all(|pipe| pipe.is_disconnected.get());
        if is_over && !self.is_finished.replace(true) {
            self.push(LOST);
        }
    }

    pub(super) fn on_lost(&self) {
        if self.is_lost.replace(true) {
            return;
        }
        let exc = self.exc.borrow().clone();
        self.call(Call::Lost(exc));
        self.release();
    }

    /// Lets the protocol go, which breaks the cycle between the two, and leaves the nursery once the tasks of the process
    /// have ended. A process that was not reaped is killed, and reaped by tokio.
    fn release(&self) {
        let (process, protocol) = (self.process.take(), self.protocol.take());
        drop(process);
        drop(protocol);
        self.clear_kill_timer();
        if let Some(key) = self.key.take() {
            self.lp.core.deregister(key);
        }
        let waiters = (self.exit_waiters.take(), self.closed_waiters.take());
        waiters.0.into_iter().chain(waiters.1).for_each(Waker::wake);
        self.membership.leave();
    }

    /// The nursery was cancelled, and the pipes with it: asks the process to end, and kills it if it does not.
    pub(super) fn on_cancelled(&self) {
        if self.is_lost.get() || self.is_cancelled.replace(true) {
            return;
        }
        self.membership.mark_cancelled();
        if self.kill_grace.is_zero() {
            return self.send_kill();
        }
        self.send_terminate();
        if let Some(deadline) = Instant::now().checked_add(self.kill_grace) {
            if self.process.borrow().is_some() {
                let event = Event { kind: KILL, generation: 0 };
                let timer = self.lp.core.set_timer(deadline, Alarm::Event { source: self.me(), event });
                self.kill_timer.set(Some(timer));
            }
        }
    }

    pub(super) fn on_kill(&self) {
        self.kill_timer.set(None);
        self.send_kill();
    }

    pub(super) fn clear_kill_timer(&self) {
        if let Some(timer) = self.kill_timer.take() {
            self.lp.core.clear_timer(timer);
        }
    }

    /// Closes the pipes. What is still to be sent is of no use to a process that has exited, and a grandchild that does
    /// not read it shall not hold up the end.
    pub(super) fn close_pipes(&self) {
        for pipe in self.pipes() {
            if self.returncode.get().is_some() {
                pipe.transport.abort();
            } else {
                pipe.transport.close();
            }
        }
    }
}

impl Supervisor for Child {
    fn child_ended(&self, exit: Exit, _is_background: bool) {
        let message = "Fatal error: a task of the process failed.";
        let failure = match exit {
            Exit::Finished | Exit::Cancelled => None,
            Exit::Failed(err) => Some(Failure::Error(err)),
            Exit::Panicked(payload) => Some(Failure::Panic(payload)),
        };
        match failure.map(Failure::into_error) {
            None => {}
            Some(err) if self.is_lost.get() => self.report(message, err),
            Some(err) => self.fatal(err, message),
        }
        self.membership.child_ended(self.is_lost.get());
    }
}
