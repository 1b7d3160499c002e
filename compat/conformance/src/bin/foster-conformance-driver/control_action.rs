//! Actions that say whether and how others are run.

use foster_compat::Result;

use crate::action::{Action, Actions};
use crate::exception::{self, Exception};
use crate::performer::Performer;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum ControlAction {
    Mark(String),
    Raise(Exception),
    Once { key: String, actions: Actions },
    Try { action: Box<Action>, shows_message: bool },
    With { name: String, actions: Actions },
}

impl ControlAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "mark" => ControlAction::Mark(words.text(0)?),
            "raise" => ControlAction::Raise(words.exception(0)?),
            "once" => ControlAction::Once { key: words.text(0)?, actions: words.actions(1)? },
            "try" => ControlAction::Try { action: words.action(0)?, shows_message: true },
            "try_type" => ControlAction::Try { action: words.action(0)?, shows_message: false },
            "with" => ControlAction::With { name: words.text(0)?, actions: words.actions(1)? },
            _ => return Ok(None),
        }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        match self {
            ControlAction::Mark(text) => by.say(&format!("mark {text}")),
            ControlAction::Raise(exception) => return Err(exception.to_error()),
            ControlAction::Once { key, actions } => {
                if by.actor().is_none_or(|actor| actor.is_first(key)) {
                    return by.run(actions);
                }
            }
            ControlAction::Try { action, shows_message } => say_failure(by, action.perform(by), *shows_message),
            ControlAction::With { name, actions } => return by.session().performer_named(name).run(actions),
        }
        Ok(())
    }

    /// As [`perform`](ControlAction::perform), where the actions in it may wait.
    pub(crate) async fn perform_waiting(&self, by: &Performer) -> Result<()> {
        match self {
            ControlAction::Try { action, shows_message } => {
                say_failure(by, by.act_waiting(action).await, *shows_message);
                Ok(())
            }
            ControlAction::With { name, actions } => by.session().performer_named(name).run_waiting(actions).await,
            _ => self.perform(by),
        }
    }
}

fn say_failure(by: &Performer, result: Result<()>, shows_message: bool) {
    match result {
        Ok(()) => {}
        Err(err) if shows_message => by.say(&exception::raised(&err)),
        Err(err) => by.say(&format!("raised {}", exception::name(Some(&err)))),
    }
}
