//! What a scenario gives a name.

use std::os::unix::net::UnixStream;
use std::rc::Rc;

use foster_compat::asyncio::{Future, Task};
use foster_compat::{Handle, Server, TimerHandle};

use crate::actor::Actor;
use crate::pipe_action::Pipe;
use crate::session::Session;
use crate::stream_action::Streams;

/// Something under a name; a cheap clone.
#[derive(Clone)]
pub(crate) enum Thing {
    Handle(Handle),
    Timer(TimerHandle),
    Task(Task<()>),
    Future(Future<()>),
    Server(Server),
    Actor(Rc<Actor>),
    /// One end of a socket pair.
    Socket(Rc<UnixStream>),
    Pipe(Rc<Pipe>),
    Streams(Rc<Streams>),
}

impl Thing {
    pub(crate) fn cancel(&self, session: &Session) {
        match self {
            Thing::Handle(handle) => handle.cancel(),
            Thing::Timer(timer) => timer.cancel(),
            // False only says that it was done already.
            Thing::Task(task) => drop(task.cancel()),
            Thing::Future(future) => drop(future.cancel()),
            _ => session.refuse("cancel is for handles, tasks and futures"),
        }
    }

    pub(crate) fn cancelled(&self, session: &Session) -> bool {
        match self {
            Thing::Handle(handle) => handle.cancelled(),
            Thing::Timer(timer) => timer.cancelled(),
            Thing::Task(task) => task.cancelled(),
            Thing::Future(future) => future.cancelled(),
            _ => session.refuse("cancelled is for handles, tasks and futures"),
        }
    }

    pub(crate) fn done(&self, session: &Session) -> bool {
        match self {
            Thing::Task(task) => task.done(),
            Thing::Future(future) => future.done(),
            _ => session.refuse("done is for tasks and futures"),
        }
    }
}
