//! A file that the system sends: after what was written, and with the writing side to itself.

use std::fs::File;
use std::io;
use std::task::{Context, Poll, Waker};

use super::{StreamTransport, add_waiter, would_block};
use crate::asyncio::exceptions::{RuntimeError, SendfileNotAvailableError, connection_lost, sendfile_is_in_progress};
use crate::asyncio::stream_io::StreamIo;
use crate::error::{Error, Result};
use crate::runtime::Failure;

impl<S: StreamIo> StreamTransport<S> {
    pub(super) fn switch_sending_file(&self, is_on: bool) -> Result<()> {
        if is_on {
            if self.has_eof.get() {
                return Err(RuntimeError::new("Cannot call sendfile() after write_eof()").into());
            }
            self.refuse_while_sending_file()?;
        }
        self.is_sending_file.set(is_on);
        Ok(())
    }

    pub(super) fn refuse_while_sending_file(&self) -> Result<()> {
        if self.is_sending_file.get() { Err(sendfile_is_in_progress()) } else { Ok(()) }
    }

    /// Nothing is left to be sent before the file.
    pub(super) fn let_file_go_on(&self) {
        if self.is_sending_file.get() {
            let waiters = self.rest.borrow_mut().as_mut().map(|rest| std::mem::take(&mut rest.drain_waiters));
            waiters.into_iter().flatten().for_each(Waker::wake);
        }
    }

    pub(super) fn poll_file(
        &self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        count: usize,
    ) -> Poll<Result<usize>> {
        if self.is_closing.get() {
            return Poll::Ready(Err(self.exc().unwrap_or_else(connection_lost)));
        }
        // The end of the flush wakes it, and so does the end of the connection.
        self.rest(|rest| add_waiter(&mut rest.drain_waiters, cx.waker()));
        if !self.out.borrow().is_empty() {
            return Poll::Pending;
        }
        let outcome = self.io.borrow().as_ref().map(|io| io.try_sendfile(file, offset, count));
        match outcome {
            None => Poll::Ready(Err(connection_lost())),
            Some(Ok(n)) => {
                self.stay_awake();
                Poll::Ready(Ok(n))
            }
            Some(Err(err)) if would_block(&err) => {
                // With nothing to write, and writes refused, the transport itself does not wait for the socket.
                let is_ready = self.io.borrow().as_ref().is_some_and(|io| io.poll_write_ready(cx).is_ready());
                if is_ready {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Some(Err(err)) if err.kind() == io::ErrorKind::Unsupported => {
                Poll::Ready(Err(SendfileNotAvailableError::new("sendfile syscall is not supported").into()))
            }
            Some(Err(err)) => {
                let is_about_the_socket = is_about_the_socket(&err);
                let err = Error::from(err);
                if is_about_the_socket {
                    self.fatal(Failure::Error(err.clone()), "Fatal write error on socket transport");
                }
                Poll::Ready(Err(err))
            }
        }
    }
}

/// `sendfile(2)` gives errors of either side; these cannot be the file's.
fn is_about_the_socket(err: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, TimedOut};
    matches!(err.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | TimedOut)
}
