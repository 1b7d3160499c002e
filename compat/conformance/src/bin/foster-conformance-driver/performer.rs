//! Whoever runs a list of actions.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use foster_compat::{Result, TransportRef};

use crate::action::{Action, Actions};
use crate::actor::Actor;
use crate::session::Session;

/// A protocol, or the program, as the one who acts; a cheap clone.
#[derive(Clone)]
pub(crate) struct Performer {
    session: Rc<Session>,
    actor: Option<Rc<Actor>>,
}

impl Performer {
    pub(crate) fn new(session: Rc<Session>, actor: Option<Rc<Actor>>) -> Self {
        Performer { session, actor }
    }

    pub(crate) fn session(&self) -> &Rc<Session> {
        &self.session
    }

    pub(crate) fn actor(&self) -> Option<&Rc<Actor>> {
        self.actor.as_ref()
    }

    /// The transport of the protocol; a detached one for the program.
    pub(crate) fn stream(&self) -> TransportRef {
        self.actor.as_ref().map(|actor| actor.transport()).unwrap_or_default()
    }

    /// Prints a trace line, with the name of the protocol.
    pub(crate) fn say(&self, line: &str) {
        match &self.actor {
            Some(actor) => actor.say(line),
            None => self.session.output().emit(line),
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

    /// Performs any action, in a task.
    pub(crate) fn act_waiting<'a>(&'a self, action: &'a Action) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
        Box::pin(async move {
            match action {
                Action::Waiting(action) => action.perform(self).await,
                Action::Control(action) => action.perform_waiting(self).await,
                _ => action.perform(self),
            }
        })
    }
}
