//! Whoever runs a list of actions.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use foster_compat::{Result, TransportRef};

use crate::action::{Action, Actions};
use crate::actor::Actor;
use crate::any_transport::AnyTransport;
use crate::session::Session;
use crate::stream_action::Streams;

/// The program, a protocol or a pair of streams as the one who acts; a cheap clone.
#[derive(Clone)]
pub(crate) struct Performer {
    session: Rc<Session>,
    who: Who,
}

#[derive(Clone)]
enum Who {
    Program,
    Protocol(Rc<Actor>),
    Streams(Rc<Streams>),
}

impl Performer {
    pub(crate) fn program(session: Rc<Session>) -> Self {
        Performer { session, who: Who::Program }
    }

    pub(crate) fn protocol(session: Rc<Session>, actor: Rc<Actor>) -> Self {
        Performer { session, who: Who::Protocol(actor) }
    }

    pub(crate) fn streams(session: Rc<Session>, streams: Rc<Streams>) -> Self {
        Performer { session, who: Who::Streams(streams) }
    }

    pub(crate) fn session(&self) -> &Rc<Session> {
        &self.session
    }

    pub(crate) fn actor(&self) -> Option<&Rc<Actor>> {
        match &self.who {
            Who::Protocol(actor) => Some(actor),
            _ => None,
        }
    }

    /// The reader and writer, where only those will do.
    pub(crate) fn pair(&self) -> &Streams {
        match &self.who {
            Who::Streams(streams) => streams,
            _ => self.session.refuse("that is for a reader and a writer"),
        }
    }

    /// The transport of the protocol or of the writer; a detached one for the program.
    pub(crate) fn transport(&self) -> AnyTransport {
        match &self.who {
            Who::Program => AnyTransport::default(),
            Who::Protocol(actor) => actor.transport(),
            Who::Streams(streams) => streams.writer.transport().into(),
        }
    }

    /// What a transport gives that must have it.
    pub(crate) fn there<T>(&self, value: Option<T>) -> T {
        value.unwrap_or_else(|| self.session.refuse("the transport of a subprocess has no such method"))
    }

    /// The same where only a stream will do.
    pub(crate) fn stream(&self) -> TransportRef {
        match self.transport() {
            AnyTransport::Stream(transport) => transport,
            _ => self.session.refuse("that is for transports of streams"),
        }
    }

    /// Prints a trace line, with the name of the protocol.
    pub(crate) fn say(&self, line: &str) {
        match &self.who {
            Who::Protocol(actor) => actor.say(line),
            _ => self.session.output().emit(line),
        }
    }

    /// Runs actions one after the other, up to the first error.
    pub(crate) fn run(&self, actions: &[Action]) -> Result<()> {
        actions.iter().try_for_each(|action| action.perform(self))
    }

    /// The actions as something that the loop calls later.
    pub(crate) fn callback(&self, actions: &Actions) -> impl Fn() -> Result<()> + use<> {
        let (performer, actions) = (self.clone(), actions.clone());
        move || performer.run(&actions)
    }

    /// As [`run`](Performer::run), in a task.
    pub(crate) async fn run_waiting(&self, actions: &[Action]) -> Result<()> {
        for action in actions {
            self.act_waiting(action).await?;
        }
        Ok(())
    }

    /// Performs any action, in a task; boxed, because actions hold actions.
    pub(crate) fn act_waiting<'a>(&'a self, action: &'a Action) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
        Box::pin(action.perform_waiting(self))
    }
}
