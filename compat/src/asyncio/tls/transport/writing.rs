//! The writing side: encrypted at once, and sent while the transport below has room.

use std::task::{Context, Poll, Waker};

use super::{State, TlsTransport};
use crate::asyncio::acceptor::checked_marks;
use crate::asyncio::exceptions::{NotImplementedError, connection_lost, sendfile_is_in_progress};
use crate::asyncio::loop_state::Later;
use crate::asyncio::lost_writes::count_lost_write;
use crate::asyncio::tls::parameters::HIGH;
use crate::asyncio::transport::WriteTransport;
use crate::asyncio::transport_ref::TransportRef;
use crate::asyncio::waiters::add_waiter;
use crate::error::{Error, Result};
use crate::runtime::Failure;

impl TlsTransport {
    /// Sends what was encrypted, or keeps it while the transport below has no room.
    pub(super) fn process_outgoing(&self) {
        // Entered again from a write to the transport below; the outer call goes on.
        let Ok(mut session) = self.session.try_borrow_mut() else { return };
        match self.below() {
            Some(below) if !self.flags.is_writing_below_paused.get() => {
                let mut kept = self.outgoing.take();
                while !kept.is_empty() {
                    let n = kept.with_slices(|slices| {
                        let pieces: Vec<&[u8]> = slices.iter().map(|slice| &**slice).collect();
                        send(&below, &pieces);
                        pieces.iter().map(|piece| piece.len()).sum()
                    });
                    kept.advance(n);
                }
                session.send_output(&mut |pieces| send(&below, pieces));
            }
            _ => session.send_output(&mut |pieces| {
                let mut outgoing = self.outgoing.borrow_mut();
                pieces.iter().for_each(|piece| outgoing.push(piece));
            }),
        }
        drop(session);
        self.control_writing();
    }

    fn control_writing(&self) {
        let size = self.outgoing.borrow().len();
        let (low, high) = self.marks.get();
        // Marks of 0 would pause a protocol of which nothing waits, and nothing would resume it.
        if size >= high.max(1) && !self.flags.is_writing_paused.get() {
            self.flags.is_writing_paused.set(true);
            self.call_flow(Later::PauseWriting);
        } else if size <= low
            && !self.flags.is_writing_below_paused.get()
            && self.flags.is_writing_paused.replace(false)
        {
            let waiters = self.rest.borrow_mut().as_mut().map(|rest| std::mem::take(&mut rest.drain_waiters));
            self.call_flow(Later::ResumeWriting);
            waiters.into_iter().flatten().for_each(Waker::wake);
        }
    }

    fn refuse_while_sending_file(&self) -> Result<()> {
        if self.flags.is_sending_file.get() { Err(sendfile_is_in_progress()) } else { Ok(()) }
    }

    /// Counts a write to a closed connection; `false` if it is open.
    fn count_lost_write(&self) -> bool {
        if matches!(self.state.get(), State::Wrapped | State::Handshake) {
            return false;
        }
        count_lost_write(&self.n_lost_writes, "SSL connection is closed");
        true
    }
}

/// A transport refuses a write only after `write_eof`, which nothing calls on one below TLS.
fn send(below: &TransportRef, pieces: &[&[u8]]) {
    let _ = match pieces {
        [piece] => below.write(piece),
        pieces => below.writelines(pieces),
    };
}

impl WriteTransport for TlsTransport {
    fn write(&self, data: &[u8]) -> Result<()> {
        self.writelines(&[data])
    }

    fn writelines(&self, pieces: &[&[u8]]) -> Result<()> {
        self.refuse_while_sending_file()?;
        if pieces.iter().all(|piece| piece.is_empty()) || self.count_lost_write() {
            return Ok(());
        }
        for piece in pieces {
            let encrypted = self.session.borrow_mut().encrypt(piece);
            if let Err(err) = encrypted {
                self.fatal(Failure::Error(err), "Fatal error on SSL protocol");
                return Ok(());
            }
        }
        self.process_outgoing();
        Ok(())
    }

    fn write_eof(&self) -> Result<()> {
        Err(NotImplementedError::new("TLS cannot close the writing side alone: close() does both").into())
    }

    fn can_write_eof(&self) -> bool {
        false
    }

    fn abort(&self) {
        self.abort_below(None);
    }

    fn abort_with(&self, exc: Error) {
        self.abort_below(Some(exc));
    }

    fn get_write_buffer_size(&self) -> usize {
        self.outgoing.borrow().len()
    }

    fn get_write_buffer_limits(&self) -> (usize, usize) {
        self.marks.get()
    }

    fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()> {
        self.marks.set(checked_marks(high, low, HIGH)?);
        self.control_writing();
        Ok(())
    }

    fn is_writing_paused(&self) -> bool {
        self.flags.is_writing_paused.get()
    }

    fn set_write_batching(&self, is_on: bool) {
        if let Some(below) = self.below() {
            below.set_write_batching(is_on);
        }
    }

    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.flags.is_over.get() {
            return Poll::Ready(Err(connection_lost()));
        }
        if !self.flags.is_writing_paused.get() {
            return Poll::Ready(Ok(()));
        }
        self.rest(|rest| add_waiter(&mut rest.drain_waiters, cx.waker()));
        Poll::Pending
    }

    fn set_sending_file(&self, is_on: bool) -> Result<()> {
        if is_on {
            self.refuse_while_sending_file()?;
        }
        self.flags.is_sending_file.set(is_on);
        Ok(())
    }
}
