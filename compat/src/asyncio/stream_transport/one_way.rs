//! What a pipe does otherwise than a socket.

use std::io;

use super::{EOF, LOST, StreamTransport};
use crate::asyncio::exceptions::NotImplementedError;
use crate::asyncio::lost_writes::SILENT_LOST_WRITES;
use crate::asyncio::protocol_cell::Call;
use crate::asyncio::stream_io::{Half, StreamIo};
use crate::asyncio::transport::BaseTransport;
use crate::error::Result;
use crate::runtime::{Failure, log_warning};

impl<S: StreamIo> StreamTransport<S> {
    /// The end of a pipe that is read: closing at once, and both callbacks queued.
    pub(super) fn on_writer_gone(&self) {
        self.is_closing.set(true);
        self.reader.switch(false);
        self.n_lost.set(1);
        self.push(EOF);
        self.push(LOST);
    }

    /// `eof_received`, whose answer says nothing: a pipe has no other half to keep open.
    pub(super) fn on_pipe_end(&self) {
        if self.is_lost.get() || self.is_poisoned.get() {
            return;
        }
        if let Err(failure) = self.call(Call::Eof) {
            self.report("Exception in callback eof_received", failure);
        }
    }

    /// A pipe that is written to has become readable: nobody reads from it any more.
    pub(super) fn on_reader_gone(&self) {
        if !self.has_input() {
            return self.watch_read();
        }
        let is_flushed = self.out.borrow().is_empty();
        self.force_close((!is_flushed).then(|| io::Error::from(io::ErrorKind::BrokenPipe).into()));
    }

    /// asyncio reports every error of reading a pipe but EIO, with which a pseudo-terminal says that its other side
    /// was closed.
    pub(super) fn on_pipe_error(&self, err: io::Error) {
        let is_hangup = is_eio(&err);
        let err = crate::error::Error::from(err);
        if !is_hangup {
            self.report("Fatal read error on pipe transport", Failure::Error(err.clone()));
        }
        self.force_close(Some(err));
    }

    /// Whether a write is over before it began: one to a pipe that is closing is dropped, also while what was written
    /// before is still being sent.
    pub(super) fn refuses_write(&self, is_empty: bool) -> Result<bool> {
        if S::HALF == Half::Read {
            return Err(NotImplementedError::new("a pipe that is read cannot be written to").into());
        }
        if is_empty || !self.is_closing.get() {
            return Ok(is_empty);
        }
        let n = self.rest(|rest| {
            rest.n_dropped_writes = rest.n_dropped_writes.saturating_add(1);
            rest.n_dropped_writes
        });
        if n > SILENT_LOST_WRITES {
            log_warning("pipe closed by peer or os.write(pipe, data) raised exception.");
        }
        Ok(true)
    }

    /// The end of what is written to a pipe is the end of the pipe.
    pub(super) fn write_eof_one_way(&self) -> Result<()> {
        if S::HALF == Half::Read {
            return Err(NotImplementedError::new("a pipe that is read cannot be written to").into());
        }
        self.close();
        Ok(())
    }
}

#[cfg(unix)]
fn is_eio(err: &io::Error) -> bool {
    err.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

#[cfg(not(unix))]
fn is_eio(_err: &io::Error) -> bool {
    false
}
