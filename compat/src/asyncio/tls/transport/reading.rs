//! The reading side: what the peer sends, decrypted and handed over at once.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Buf;

use super::{State, TlsTransport};
use crate::asyncio::acceptor::checked_marks;
use crate::asyncio::exceptions::RuntimeError;
use crate::asyncio::protocol::BufferedProtocol;
use crate::asyncio::protocol_cell::{Kind, ProtocolCell};
use crate::asyncio::tls::plain_buffer;
use crate::asyncio::transport::ReadTransport;
use crate::asyncio::waiters::add_waiter;
use crate::error::Result;
use crate::runtime::Failure;

/// asyncio's `FLOW_CONTROL_HIGH_WATER_SSL_READ`: the transport below is read no further while so much waits for the
/// protocol.
const HIGH: usize = 256 * 1024;

impl TlsTransport {
    /// Decrypts what has come and hands it over; in the handshake, goes on with that.
    pub(super) fn receive(&self, data: &[u8]) {
        let mut fresh = plain_buffer::take();
        let outcome = self.session.borrow_mut().receive(data, &mut fresh);
        if self.state.get() == State::Handshake {
            self.process_outgoing();
            let is_done = match &outcome {
                // What came behind the handshake may be broken all the same.
                Err(_) => false,
                Ok(()) => !self.session.borrow().is_handshaking(),
            };
            if !is_done || !self.on_handshake_complete() {
                plain_buffer::put(fresh);
                if let Err(err) = outcome {
                    self.on_handshake_failed(err);
                }
                return;
            }
        }
        let fresh = self.hand_over(fresh);
        plain_buffer::put(fresh);
        if let Err(err) = outcome {
            // The alert that says why goes first.
            self.process_outgoing();
            if self.state.get() != State::Unwrapped {
                self.fatal(Failure::Error(err), "Fatal error on SSL protocol");
            }
            return;
        }
        self.finish_read();
    }

    /// Hands over what waits, as asyncio's `_do_read`.
    pub(super) fn do_read(&self) {
        if !self.is_open() {
            return;
        }
        if !self.flags.is_reading_paused.get() {
            if !self.plain.borrow().is_empty() || self.incoming.borrow().is_empty() {
                let fresh = self.hand_over(Vec::new());
                drop(fresh);
            }
            // The callback may have paused or closed, and a small buffer may not have taken everything.
            if self.is_open() && !self.flags.is_reading_paused.get() && self.plain.borrow().is_empty() {
                let waiting = self.incoming.take();
                if !waiting.is_empty() {
                    return self.receive(&waiting);
                }
            }
        }
        self.finish_read();
    }

    /// The peer's stream may end with close_notify or without. The protocol hears of it once it has everything, and
    /// while it can still write.
    pub(super) fn finish_read(&self) {
        if self.is_open() && !self.flags.is_reading_paused.get() {
            let has_ended = self.session.borrow().has_peer_closed() || self.flags.has_eof.get();
            if has_ended && self.n_pending() == 0 {
                self.call_eof_received();
                self.start_shutdown();
            }
            self.process_outgoing();
        }
        self.control_reading_below();
    }

    /// Gives the protocol the plain bytes, unless it has paused reading; gives the emptied buffer back.
    fn hand_over(&self, mut fresh: Vec<u8>) -> Vec<u8> {
        if self.flags.is_poisoned.get() || !self.is_open() {
            fresh.clear();
            return fresh;
        }
        let protocol = self.protocol.borrow().clone();
        let Some(ProtocolCell(kind, _)) = protocol else { return fresh };
        if self.flags.is_reading_paused.get() {
            self.plain.borrow_mut().extend_from_slice(&fresh);
            fresh.clear();
            return fresh;
        }
        if let Kind::Buffered(buffered) = kind {
            self.plain.borrow_mut().extend_from_slice(&fresh);
            fresh.clear();
            self.fill_buffer(&buffered);
            return fresh;
        }
        let kept = self.plain.take();
        if !kept.is_empty() {
            fresh.splice(..0, kept.iter().copied());
        }
        let data = &fresh[..];
        if !data.is_empty() {
            let received = match &kind {
                Kind::Exclusive(p) => {
                    self.lp.call_poisoning(&self.flags.is_poisoned, || p.borrow_mut().data_received(data))
                }
                Kind::Shared(p) => self.lp.call_poisoning(&self.flags.is_poisoned, || p.data_received(data)),
                Kind::Layer(layer) => {
                    layer.clone().data_received(data);
                    Ok(())
                }
                Kind::Buffered(_) => Ok(()),
            };
            if let Err(failure) = received {
                self.fatal(failure, "Fatal error on SSL protocol");
            }
        }
        fresh.clear();
        fresh
    }

    /// Fills the protocol's own buffer once; more than fits comes in the next turn. What the two callbacks put off comes
    /// after both: a close in `get_buffer` fills no buffer before `buffer_updated` has seen this one.
    fn fill_buffer(&self, buffered: &Rc<RefCell<dyn BufferedProtocol>>) {
        let n_pending = self.n_pending();
        let filled = self.lp.call_poisoning(&self.flags.is_poisoned, || {
            let mut protocol = buffered.borrow_mut();
            let buffer = protocol.get_buffer(Some(n_pending))?;
            if buffer.is_empty() {
                return Err(RuntimeError::new("get_buffer() returned an empty buffer").into());
            }
            let n_copied = if self.is_open() { buffer.len().min(self.plain.borrow().len()) } else { 0 };
            if n_copied == 0 {
                return Ok(());
            }
            self.plain.borrow_mut().copy_to_slice(&mut buffer[..n_copied]);
            if n_copied == buffer.len() {
                self.call_soon(|tls| tls.do_read());
            }
            protocol.buffer_updated(n_copied)
        });
        if let Err(failure) = filled {
            self.fatal(failure, "Fatal error on SSL protocol");
        }
    }

    /// Whether bytes that come have to wait for those before them.
    pub(super) fn has_to_wait(&self) -> bool {
        self.flags.is_reading_paused.get() || !self.plain.borrow().is_empty() || !self.incoming.borrow().is_empty()
    }

    /// Reads the transport below only while the protocol keeps up.
    pub(super) fn control_reading_below(&self) {
        let Some(below) = self.below() else { return };
        let n_pending = self.n_pending();
        let (low, high) = self.read_marks();
        if n_pending >= high && !self.flags.is_reading_below_paused.replace(true) {
            below.pause_reading();
        } else if n_pending <= low && self.flags.is_reading_below_paused.replace(false) {
            below.resume_reading();
        }
    }

    fn read_marks(&self) -> (usize, usize) {
        self.rest.borrow().as_ref().and_then(|rest| rest.read_marks).unwrap_or((HIGH / 4, HIGH))
    }

    fn n_pending(&self) -> usize {
        self.incoming.borrow().len() + self.plain.borrow().len()
    }
}

impl ReadTransport for TlsTransport {
    fn is_reading(&self) -> bool {
        !self.flags.is_closed.get() && !self.flags.is_reading_paused.get()
    }

    fn pause_reading(&self) {
        self.flags.is_reading_paused.set(true);
    }

    fn resume_reading(&self) {
        if self.flags.is_reading_paused.replace(false) {
            let waiters = self.rest.borrow_mut().as_mut().map(|rest| std::mem::take(&mut rest.resume_waiters));
            waiters.into_iter().flatten().for_each(Waker::wake);
            self.call_soon(|tls| match tls.state.get() {
                State::Wrapped => tls.do_read(),
                State::Flushing => tls.do_flush(),
                State::Shutdown => tls.do_shutdown(),
                State::Unwrapped | State::Handshake => {}
            });
        }
    }

    fn poll_resumed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.flags.is_reading_paused.get() || self.flags.is_over.get() {
            return Poll::Ready(());
        }
        self.rest(|rest| add_waiter(&mut rest.resume_waiters, cx.waker()));
        Poll::Pending
    }

    fn set_idle_timeout(&self, timeout: Option<Duration>) {
        if let Some(below) = self.below() {
            below.set_idle_timeout(timeout);
        }
    }

    fn set_read_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()> {
        let marks = checked_marks(high, low, HIGH)?;
        self.rest(|rest| rest.read_marks = Some(marks));
        self.control_reading_below();
        Ok(())
    }

    fn get_read_buffer_size(&self) -> usize {
        self.n_pending()
    }
}
