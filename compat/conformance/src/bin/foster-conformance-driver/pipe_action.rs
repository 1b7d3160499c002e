//! Actions on plain pipes, and their connections.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use foster_compat::{Result, connect_read_pipe, connect_write_pipe};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::actor::Actor;
use crate::factory::Factory;
use crate::performer::Performer;
use crate::protocol_object::ProtocolObject;
use crate::session::Session;
use crate::thing::Thing;
use crate::words::Words;

/// A plain pipe. An end is gone once it is closed or belongs to a transport.
#[derive(Debug)]
pub(crate) struct Pipe {
    reader: RefCell<Option<OwnedFd>>,
    writer: RefCell<Option<OwnedFd>>,
}

impl Pipe {
    fn open() -> Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Pipe { reader: RefCell::new(Some(reader)), writer: RefCell::new(Some(writer)) })
    }

    fn end(&self, is_writer: bool) -> &RefCell<Option<OwnedFd>> {
        if is_writer { &self.writer } else { &self.reader }
    }

    /// A file of its own on an end that stays where it is.
    fn file(&self, session: &Session, is_writer: bool) -> Result<File> {
        match &*self.end(is_writer).borrow() {
            Some(end) => Ok(File::from(end.try_clone()?)),
            None => session.refuse("that end of the pipe is gone"),
        }
    }

    fn take(&self, session: &Session, is_writer: bool) -> OwnedFd {
        let end = self.end(is_writer).take();
        end.unwrap_or_else(|| session.refuse("that end of the pipe is gone"))
    }
}

/// An action that never waits.
#[derive(Debug)]
pub(crate) enum PipeAction {
    Open(String),
    Write { name: String, text: String },
    Close { name: String, is_writer: bool },
}

impl PipeAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "pipe" => PipeAction::Open(words.text(0)?),
            "os_write" => PipeAction::Write { name: words.text(0)?, text: words.text(1)? },
            "os_close_r" => PipeAction::Close { name: words.text(0)?, is_writer: false },
            "os_close_w" => PipeAction::Close { name: words.text(0)?, is_writer: true },
            _ => return Ok(None),
        }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        let session = by.session();
        match self {
            PipeAction::Open(name) => session.keep(Some(name), Thing::Pipe(Rc::new(Pipe::open()?))),
            PipeAction::Write { name, text } => {
                session.pipe(name).file(session, true)?.write_all(text.as_bytes())?;
            }
            PipeAction::Close { name, is_writer } => drop(session.pipe(name).take(session, *is_writer)),
        }
        Ok(())
    }
}

/// Gives one end of a pipe to a transport.
pub(crate) async fn connect_pipe(
    session: &Rc<Session>,
    pipe: &str,
    is_writer: bool,
    protocol: &str,
) -> Result<Rc<Actor>> {
    let nursery = session.lp().nursery();
    let end = session.pipe(pipe).take(session, is_writer);
    let actor = Factory::named(session, protocol).make()?;
    let factory = || ProtocolObject(actor);
    let (_, actor) = match is_writer {
        true => connect_write_pipe(nursery, factory, end).await?,
        false => connect_read_pipe(nursery, factory, end).await?,
    };
    Ok(actor)
}

/// Reads a pipe to its end in a thread, and gives the number of bytes.
pub(crate) async fn read_to_end(session: &Rc<Session>, pipe: &str) -> Result<usize> {
    let mut file = session.pipe(pipe).file(session, false)?;
    let read = move || -> std::io::Result<usize> { file.read_to_end(&mut Vec::new()) };
    Ok(session.lp().run_in_executor(read).await?)
}
