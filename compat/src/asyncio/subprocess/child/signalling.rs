//! Signals to the process.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{Child, process_lookup_error};
use crate::error::Result;

impl Child {
    /// Sends a signal to the process. Nobody but [`Child`] reaps it, so its id cannot have become another's.
    ///
    /// # Errors
    ///
    /// Those of [`send_signal`](crate::SubprocessTransport::send_signal).
    pub(super) fn signal(&self, signal: i32) -> Result<()> {
        if self.is_lost.get() {
            return Err(process_lookup_error());
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let is_running = self.process.borrow().is_some();
        let Some(pid) = pid.filter(|_| is_running) else { return Ok(()) };
        let sent = match Signal::from_named_raw(signal) {
            Some(signal) => kill_process(pid, signal),
            None if signal == 0 => test_kill_process(pid),
            None => Err(Errno::INVAL),
        };
        match sent {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(err) => Err(io::Error::from(err).into()),
        }
    }

    // These fail only for a process that has changed its user, which nothing here can end.

    pub(super) fn send_terminate(&self) {
        let _ = self.signal(Signal::TERM.as_raw());
    }

    pub(super) fn send_kill(&self) {
        let _ = self.signal(Signal::KILL.as_raw());
    }
}
