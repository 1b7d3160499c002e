//! The protocol behind a [`Process`](super::process::Process).

use std::cell::{Cell, RefCell};

use super::protocol::SharedSubprocessProtocol;
use super::transport_ref::SubprocessTransportRef;
use crate::asyncio::streams::{StreamReader, WeakReader};
use crate::error::{Error, Result};

/// Feeds the readers of standard output and error: asyncio's `SubprocessStreamProtocol`.
///
/// It does not keep them alive: an output that nobody can read any more is closed when something comes.
pub(super) struct SubprocessStreamProtocol {
    stdout: WeakReader,
    stderr: WeakReader,
    transport: RefCell<SubprocessTransportRef>,
    /// Of the pipes that are read, those that are not at their end.
    n_open: Cell<u32>,
    has_exited: Cell<bool>,
}

impl SubprocessStreamProtocol {
    pub(super) fn new(stdout: &StreamReader, stderr: &StreamReader) -> Self {
        SubprocessStreamProtocol {
            stdout: stdout.downgrade(),
            stderr: stderr.downgrade(),
            transport: RefCell::default(),
            n_open: Cell::new(0),
            has_exited: Cell::new(false),
        }
    }

    fn reader(&self, fd: i32) -> Option<StreamReader> {
        match fd {
            1 => self.stdout.upgrade(),
            2 => self.stderr.upgrade(),
            _ => None,
        }
    }

    /// Once the process has exited and its output is at an end, its input is of no use.
    fn maybe_close_transport(&self) {
        if self.has_exited.get() && self.n_open.get() == 0 {
            let transport = self.transport.take();
            transport.close();
        }
    }
}

impl SharedSubprocessProtocol for SubprocessStreamProtocol {
    fn connection_made(&self, transport: SubprocessTransportRef) -> Result<()> {
        self.transport.replace(transport.clone());
        for fd in [1, 2] {
            if let Some(pipe) = transport.get_pipe_transport(fd) {
                self.n_open.set(self.n_open.get() + 1);
                self.reader(fd).map_or(Ok(()), |reader| reader.set_transport(pipe))?;
            }
        }
        Ok(())
    }

    fn pipe_data_received(&self, fd: i32, data: &[u8]) -> Result<()> {
        if let Some(reader) = self.reader(fd) {
            return reader.feed_data(data);
        }
        let pipe = self.transport.borrow().get_pipe_transport(fd);
        if let Some(pipe) = pipe {
            pipe.close();
        }
        Ok(())
    }

    fn pipe_connection_lost(&self, fd: i32, exc: Option<Error>) -> Result<()> {
        if fd == 0 {
            return Ok(());
        }
        match (self.reader(fd), exc) {
            (Some(reader), None) => reader.feed_eof(),
            (Some(reader), Some(exc)) => reader.set_exception(exc),
            (None, _) => {}
        }
        self.n_open.set(self.n_open.get() - 1);
        self.maybe_close_transport();
        Ok(())
    }

    fn process_exited(&self) -> Result<()> {
        self.has_exited.set(true);
        self.maybe_close_transport();
        Ok(())
    }
}
