//! The protocol objects of subprocesses: doors to an [`Actor`].

use std::rc::Rc;

use foster_compat::{Error, IntoSubprocessProtocol, Result, Shared, SharedSubprocessProtocol, SubprocessProtocol};
use foster_compat::{SubprocessProtocolCell, SubprocessTransportRef};

use crate::actor::Actor;

/// A subprocess protocol, of the kind that the command line asks for.
pub(crate) struct ProcessObject(pub(crate) Rc<Actor>);

impl IntoSubprocessProtocol for ProcessObject {
    type Handle = Rc<Actor>;

    fn into_subprocess_protocol(self) -> (SubprocessProtocolCell, Rc<Actor>) {
        let actor = self.0.clone();
        let cell = match self.0.is_shared() {
            true => Shared(SharedObject(self.0)).into_subprocess_protocol().0,
            false => ExclusiveObject(self.0).into_subprocess_protocol().0,
        };
        (cell, actor)
    }
}

/// A protocol whose callbacks take `&mut self`.
struct ExclusiveObject(Rc<Actor>);

impl SubprocessProtocol for ExclusiveObject {
    fn connection_made(&mut self, transport: SubprocessTransportRef) -> Result<()> {
        self.0.made(transport)
    }

    fn pipe_data_received(&mut self, fd: i32, data: &[u8]) -> Result<()> {
        self.0.pipe_data_received(fd, data)
    }

    fn pipe_connection_lost(&mut self, fd: i32, exc: Option<Error>) -> Result<()> {
        self.0.pipe_lost(fd, exc.as_ref())
    }

    fn process_exited(&mut self) -> Result<()> {
        self.0.process_exited()
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.0.pause()
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.0.resume()
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.0.lost(exc)
    }
}

/// A protocol whose callbacks take `&self`.
struct SharedObject(Rc<Actor>);

impl SharedSubprocessProtocol for SharedObject {
    fn connection_made(&self, transport: SubprocessTransportRef) -> Result<()> {
        self.0.made(transport)
    }

    fn pipe_data_received(&self, fd: i32, data: &[u8]) -> Result<()> {
        self.0.pipe_data_received(fd, data)
    }

    fn pipe_connection_lost(&self, fd: i32, exc: Option<Error>) -> Result<()> {
        self.0.pipe_lost(fd, exc.as_ref())
    }

    fn process_exited(&self) -> Result<()> {
        self.0.process_exited()
    }

    fn pause_writing(&self) -> Result<()> {
        self.0.pause()
    }

    fn resume_writing(&self) -> Result<()> {
        self.0.resume()
    }

    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        self.0.lost(exc)
    }
}
