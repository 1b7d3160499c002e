//! The reading side: one read for each event, and the end of the stream.

use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::{READ, StreamTransport, add_waiter, would_block};
use crate::asyncio::exceptions::RuntimeError;
use crate::asyncio::protocol_cell::{Call, Kind};
use crate::asyncio::stream_io::{Half, StreamIo};
use crate::asyncio::transport::{BaseTransport, ReadTransport};
use crate::runtime::Failure;

impl<S: StreamIo> StreamTransport<S> {
    pub(super) fn on_read(&self) {
        if self.n_lost.get() > 0 {
            return;
        }
        if S::HALF == Half::Write {
            return self.on_reader_gone();
        }
        let protocol = self.protocol.borrow().as_ref().map(|protocol| protocol.0.clone());
        let Some(protocol) = protocol else { return };
        match &protocol {
            // tokio takes a new socket, and one that was read with a full buffer, for ready; a protocol that is asked
            // for a buffer would see that guess.
            Kind::Buffered(_) if !self.has_input() => {}
            Kind::Buffered(buffered) => {
                let mut outcome = None;
                let got = self.call_user(|| {
                    let mut protocol = buffered.borrow_mut();
                    let buffer = protocol.get_buffer(None)?;
                    if buffer.is_empty() {
                        return Err(RuntimeError::new("get_buffer() returned an empty buffer").into());
                    }
                    outcome = self.io.borrow().as_ref().map(|io| io.try_read(buffer));
                    Ok(())
                });
                if let Err(failure) = got {
                    return self.fatal(failure, "Fatal error: protocol.get_buffer() call failed.");
                }
                if let Some(n) = self.settle_read(outcome) {
                    if let Err(failure) = self.call_user(|| buffered.borrow_mut().buffer_updated(n)) {
                        self.on_data_failure(failure, "Fatal error: protocol.buffer_updated() call failed.");
                    }
                }
            }
            Kind::Exclusive(_) | Kind::Shared(_) | Kind::Layer(_) => {
                let mut buffer = self.lp.take_read_buffer();
                let outcome = self.io.borrow().as_ref().map(|io| io.try_read(&mut buffer));
                if let Some(n) = self.settle_read(outcome) {
                    let data = &buffer[..n];
                    let received = match &protocol {
                        Kind::Exclusive(protocol) => self.call_user(|| protocol.borrow_mut().data_received(data)),
                        Kind::Shared(protocol) => self.call_user(|| protocol.data_received(data)),
                        Kind::Layer(layer) => {
                            layer.clone().data_received(data);
                            Ok(())
                        }
                        Kind::Buffered(_) => Ok(()),
                    };
                    if let Err(failure) = received {
                        self.on_data_failure(failure, "Fatal error: protocol.data_received() call failed.");
                    }
                }
                self.lp.put_read_buffer(buffer);
            }
        }
        self.watch_read();
    }

    /// Gives the number of bytes that were read; the end of the stream and errors are dealt with.
    pub(super) fn settle_read(&self, outcome: Option<io::Result<usize>>) -> Option<usize> {
        match outcome? {
            Ok(0) => {
                self.on_eof();
                None
            }
            Ok(n) => {
                self.stay_awake();
                Some(n)
            }
            Err(err) if would_block(&err) => None,
            Err(err) => {
                self.on_read_error(err);
                None
            }
        }
    }

    fn on_data_failure(&self, failure: Failure, message: &'static str) {
        match S::HALF {
            Half::Both => self.fatal(failure, message),
            Half::Read | Half::Write => self.report_callback_failure(failure, "Exception in callback data_received"),
        }
    }

    fn on_read_error(&self, err: io::Error) {
        match S::HALF {
            Half::Both => self.fatal(Failure::Error(err.into()), "Fatal read error on socket transport"),
            Half::Read | Half::Write => self.on_pipe_error(err),
        }
    }

    pub(super) fn on_eof(&self) {
        if S::HALF == Half::Read {
            return self.on_writer_gone();
        }
        match self.call(Call::Eof) {
            Ok(true) => self.reader.switch(false),
            Ok(false) => self.close(),
            Err(failure) => self.fatal(failure, "Fatal error: protocol.eof_received() call failed."),
        }
    }

    pub(super) fn add_reader(&self) {
        if self.is_reading() || (S::HALF == Half::Write && !self.is_closing.get()) {
            self.reader.switch(true);
            self.watch_read();
        }
    }

    /// Asks to be told when there is something to read, or looks again in the next turn if there is already.
    pub(super) fn watch_read(&self) {
        if self.reader.is_on.get() && self.poll_ready(READ) {
            self.lp.core.recheck(self.me(), READ);
        }
    }

    pub(super) fn has_input(&self) -> bool {
        self.io.borrow().as_ref().is_some_and(StreamIo::has_input)
    }
}

impl<S: StreamIo> ReadTransport for StreamTransport<S> {
    fn is_reading(&self) -> bool {
        S::HALF != Half::Write && !self.is_closing.get() && !self.is_reading_paused.get()
    }

    fn pause_reading(&self) {
        if self.is_reading() {
            self.is_reading_paused.set(true);
            self.reader.switch(false);
        }
    }

    fn resume_reading(&self) {
        if !self.is_closing.get() && self.is_reading_paused.replace(false) {
            self.add_reader();
            let waiters = self.rest.borrow_mut().as_mut().map(|rest| std::mem::take(&mut rest.resume_waiters));
            waiters.into_iter().flatten().for_each(Waker::wake);
        }
    }

    fn poll_resumed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_closing.get() || !self.is_reading_paused.get() {
            return Poll::Ready(());
        }
        self.rest(|rest| add_waiter(&mut rest.resume_waiters, cx.waker()));
        Poll::Pending
    }

    fn set_idle_timeout(&self, timeout: Option<Duration>) {
        if self.is_lost.get() {
            return;
        }
        self.has_idle_timeout.set(false);
        let old = self.rest(|rest| rest.idle.take());
        if let Some(old) = old {
            self.lp.core.clear_timer(old.timer);
        }
        let Some((timeout, deadline)) = timeout.and_then(|t| Some((t, Instant::now().checked_add(t)?))) else { return };
        self.arm_idle(timeout, deadline);
    }
}
