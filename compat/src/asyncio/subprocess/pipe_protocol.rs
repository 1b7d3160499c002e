//! The protocol of one pipe of a process, which hands everything on.

use std::rc::Rc;

use super::child::Child;
use crate::asyncio::loop_state::Later;
use crate::asyncio::protocol::SharedProtocol;
use crate::error::{Error, Result};

/// Reads or writes for descriptor `fd` of a process.
pub(super) struct PipeProtocol {
    pub(super) child: Rc<Child>,
    pub(super) fd: i32,
}

impl SharedProtocol for PipeProtocol {
    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.child.on_pipe_data(self.fd, data);
        Ok(())
    }

    fn pause_writing(&self) -> Result<()> {
        self.child.call_flow(Later::PauseWriting);
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        self.child.call_flow(Later::ResumeWriting);
        Ok(())
    }

    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        self.child.on_pipe_lost(self.fd, exc);
        Ok(())
    }
}
