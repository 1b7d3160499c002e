//! The writing side: at once what the socket takes, the rest when it is ready.

use std::fs::File;
use std::io::IoSlice;
use std::task::{Context, Poll};

use super::{LOST, StreamTransport, WRITE, add_waiter, would_block};
use crate::asyncio::acceptor::water_marks;
use crate::asyncio::exceptions::{RuntimeError, connection_lost};
use crate::asyncio::loop_state::Later;
use crate::asyncio::lost_writes::{SEND_FAILED, count_lost_write};
use crate::asyncio::out_buffer::{MAX_PIECES, Outgoing};
use crate::asyncio::stream_io::{Half, StreamIo};
use crate::asyncio::transport::{Piece, WriteTransport};
use crate::error::{Error, Result};
use crate::runtime::Failure;

impl<S: StreamIo> StreamTransport<S> {
    /// Sends what waits, as asyncio's `_write_ready`.
    pub(super) fn on_write(&self) {
        if self.n_lost.get() > 0 {
            return;
        }
        if !self.send_queued() {
            return;
        }
        self.maybe_resume();
        if self.out.borrow().is_empty() {
            self.writer.switch(false);
            self.let_file_go_on();
            if self.is_closing.get() {
                if self.n_lost.get() == 0 {
                    self.n_lost.set(1);
                    self.call_lost_or_queue();
                }
            } else if self.has_eof.get() {
                self.shutdown_write();
            }
        } else {
            self.watch_write();
        }
    }

    /// Tries to send the queue once; `false` if there was no progress.
    pub(super) fn send_queued(&self) -> bool {
        let outcome = {
            let (io, out) = (self.io.borrow(), self.out.borrow());
            let Some(io) = &*io else { return false };
            out.with_slices(|pieces| io.try_write_vectored(pieces))
        };
        match outcome {
            Ok(n) => {
                self.out.borrow_mut().advance(n);
                self.stay_awake();
                true
            }
            Err(err) if would_block(&err) => {
                self.watch_write();
                false
            }
            Err(err) => {
                self.fatal(Failure::Error(err.into()), write_error::<S>());
                false
            }
        }
    }

    /// At the end of a flush `connection_lost` is called directly, as in asyncio, unless the protocol is being called.
    pub(super) fn call_lost_or_queue(&self) {
        if self.lp.is_calling() { self.push(LOST) } else { self.on_lost() }
    }

    pub(super) fn flush_batch(&self) {
        self.is_flush_due.set(false);
        if !self.out.borrow().is_empty() && !self.writer.is_on.get() {
            // Still a part of the callback: a close in it calls connection_lost in the next turn.
            let _depth = self.lp.go_deeper();
            self.on_write();
        }
    }

    /// Keeps a write for the end of the running callback; `false` if it has to go out now.
    pub(super) fn batch(&self, pieces: &[impl Outgoing]) -> bool {
        if !self.lp.is_calling() {
            return false;
        }
        for piece in pieces {
            piece.queue(0, &mut self.out.borrow_mut());
        }
        if !self.writer.is_on.get() {
            if self.out.borrow().len() > self.marks.get().1 {
                // A batch keeps no more than a write would; what the socket takes does not pause the protocol.
                self.on_write();
            } else if !self.is_flush_due.replace(true) {
                self.lp.defer(self.me(), Later::Own);
            }
        }
        self.maybe_pause();
        true
    }

    /// Sends now what the socket takes; `None` if the connection has failed.
    pub(super) fn send_now<'a>(&self, data: &'a [u8]) -> Option<&'a [u8]> {
        let outcome = self.io.borrow().as_ref().map(|io| io.try_write(data))?;
        match outcome {
            Ok(n) => {
                self.stay_awake();
                Some(&data[n..])
            }
            Err(err) if would_block(&err) => Some(data),
            Err(err) => {
                self.fatal(Failure::Error(err.into()), write_error::<S>());
                None
            }
        }
    }

    fn write_pieces<P: Outgoing>(&self, pieces: &[P]) -> Result<()> {
        if S::HALF != Half::Both && self.refuses_write(pieces.iter().all(|piece| piece.bytes().is_empty()))? {
            return Ok(());
        }
        if self.has_eof.get() {
            return Err(RuntimeError::new("Cannot call writelines() after write_eof()").into());
        }
        self.refuse_while_sending_file()?;
        if pieces.is_empty() || self.count_lost_write() || (self.is_batching.get() && self.batch(pieces)) {
            return Ok(());
        }
        if self.out.borrow().is_empty() {
            if !self.send_pieces_now(pieces) || self.out.borrow().is_empty() {
                return Ok(());
            }
            self.watch_write();
        } else {
            for piece in pieces {
                piece.queue(0, &mut self.out.borrow_mut());
            }
            self.on_write();
        }
        self.maybe_pause();
        Ok(())
    }

    /// Sends now what the socket takes of the pieces, and queues the rest; `false` if the connection has failed.
    fn send_pieces_now(&self, pieces: &[impl Outgoing]) -> bool {
        let mut slices = [IoSlice::new(&[]); MAX_PIECES];
        let mut n_slices = 0;
        for piece in pieces.iter().map(Outgoing::bytes).filter(|piece| !piece.is_empty()).take(MAX_PIECES) {
            slices[n_slices] = IoSlice::new(piece);
            n_slices += 1;
        }
        if n_slices == 0 {
            return true;
        }
        let outcome = self.io.borrow().as_ref().map(|io| io.try_write_vectored(&slices[..n_slices]));
        let mut n_sent = match outcome {
            None => return false,
            Some(Ok(n)) => {
                self.stay_awake();
                n
            }
            Some(Err(err)) if would_block(&err) => 0,
            Some(Err(err)) => {
                self.fatal(Failure::Error(err.into()), write_error::<S>());
                return false;
            }
        };
        let mut out = self.out.borrow_mut();
        for piece in pieces {
            let n_sent_of_it = n_sent.min(piece.bytes().len());
            n_sent -= n_sent_of_it;
            if n_sent_of_it < piece.bytes().len() {
                piece.queue(n_sent_of_it, &mut out);
            }
        }
        true
    }

    /// Counts a write to a lost connection; `false` if the connection is not lost.
    pub(super) fn count_lost_write(&self) -> bool {
        if self.n_lost.get() == 0 {
            return false;
        }
        count_lost_write(&self.n_lost, SEND_FAILED);
        true
    }

    pub(super) fn watch_write(&self) {
        if !self.writer.is_on.get() {
            self.writer.switch(true);
        }
        if self.poll_ready(WRITE) {
            self.lp.core.recheck(self.me(), WRITE);
        }
    }

    pub(super) fn shutdown_write(&self) {
        if let Some(io) = &*self.io.borrow() {
            // It fails only if the peer is gone, which the next read or write finds out.
            let _ = io.shutdown_write();
        }
    }
}

impl<S: StreamIo> WriteTransport for StreamTransport<S> {
    fn write(&self, data: &[u8]) -> Result<()> {
        if S::HALF != Half::Both && self.refuses_write(data.is_empty())? {
            return Ok(());
        }
        if self.has_eof.get() {
            return Err(RuntimeError::new("Cannot call write() after write_eof()").into());
        }
        self.refuse_while_sending_file()?;
        if data.is_empty() || self.count_lost_write() || (self.is_batching.get() && self.batch(&[data])) {
            return Ok(());
        }
        let mut data = data;
        if self.out.borrow().is_empty() {
            match self.send_now(data) {
                None | Some([]) => return Ok(()),
                Some(left) => data = left,
            }
            self.out.borrow_mut().push(data);
            self.watch_write();
        } else {
            self.out.borrow_mut().push(data);
        }
        self.maybe_pause();
        Ok(())
    }

    fn writelines(&self, pieces: &[&[u8]]) -> Result<()> {
        self.write_pieces(pieces)
    }

    fn writelines_shared(&self, pieces: &[Piece<'_>]) -> Result<()> {
        self.write_pieces(pieces)
    }

    fn write_eof(&self) -> Result<()> {
        if S::HALF != Half::Both {
            return self.write_eof_one_way();
        }
        self.refuse_while_sending_file()?;
        if !self.is_closing.get() && !self.has_eof.replace(true) && self.out.borrow().is_empty() {
            self.shutdown_write();
        }
        Ok(())
    }

    fn can_write_eof(&self) -> bool {
        S::HALF != Half::Read
    }

    fn abort(&self) {
        self.force_close(None);
    }

    fn abort_with(&self, exc: Error) {
        self.force_close(Some(exc));
    }

    fn get_write_buffer_size(&self) -> usize {
        self.out.borrow().len()
    }

    fn get_write_buffer_limits(&self) -> (usize, usize) {
        self.marks.get()
    }

    fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()> {
        self.marks.set(water_marks(high, low)?);
        self.maybe_pause();
        Ok(())
    }

    fn is_writing_paused(&self) -> bool {
        self.is_writing_paused.get()
    }

    fn set_write_batching(&self, is_on: bool) {
        self.is_batching.set(is_on);
    }

    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.is_lost.get() {
            return Poll::Ready(Err(connection_lost()));
        }
        if !self.is_writing_paused.get() {
            return Poll::Ready(Ok(()));
        }
        self.rest(|rest| add_waiter(&mut rest.drain_waiters, cx.waker()));
        Poll::Pending
    }

    fn set_sending_file(&self, is_on: bool) -> Result<()> {
        self.switch_sending_file(is_on)
    }

    fn poll_sendfile(&self, cx: &mut Context<'_>, file: &File, offset: u64, count: usize) -> Poll<Result<usize>> {
        self.poll_file(cx, file, offset, count)
    }
}

fn write_error<S: StreamIo>() -> &'static str {
    match S::HALF {
        Half::Both => "Fatal write error on socket transport",
        Half::Read | Half::Write => "Fatal write error on pipe transport",
    }
}
