//! What a scenario lets a protocol or a program do.

use std::rc::Rc;

use foster_compat::Result;
use serde_json::Value;

use crate::control_action::ControlAction;
use crate::loop_action::LoopAction;
use crate::performer::Performer;
use crate::server_action::ServerAction;
use crate::socket_action::SocketAction;
use crate::system_action::SystemAction;
use crate::transport_action::TransportAction;
use crate::waiting_action::WaitingAction;
use crate::words::Words;
use crate::write_action::WriteAction;

/// A list of actions, which everything that may run it shares.
pub(crate) type Actions = Rc<[Action]>;

/// Declares the families of actions; each has a module with `parse` and `perform`.
macro_rules! families {
    ($($family:ident($action:ty)),+ $(,)?) => {
        /// One action: section 6 of `SCENARIOS.md`.
        #[derive(Debug)]
        pub(crate) enum Action {
            $($family($action),)+
            Waiting(WaitingAction),
        }

        impl Action {
            /// Understands an action, or says that the driver does not know it.
            pub(crate) fn parse(value: &Value) -> Result<Self, String> {
                let words = Words::new(value)?;
                $(if let Some(action) = <$action>::parse(words)? {
                    return Ok(Action::$family(action));
                })+
                match WaitingAction::parse(words)? {
                    Some(action) => Ok(Action::Waiting(action)),
                    None => Err(format!("unknown action {}", words.name)),
                }
            }

            /// Performs an action that never waits; others have no place here.
            pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
                match self {
                    $(Action::$family(action) => action.perform(by),)+
                    Action::Waiting(action) => by.session().refuse(&format!("misplaced action {action:?}")),
                }
            }
        }
    };
}

families! {
    Control(ControlAction),
    Transport(TransportAction),
    Write(WriteAction),
    Loop(LoopAction),
    Server(ServerAction),
    System(SystemAction),
    Socket(SocketAction),
}

pub(crate) fn parse_actions(value: &Value) -> Result<Actions, String> {
    let list = value.as_array().ok_or_else(|| format!("not a list of actions: {value}"))?;
    list.iter().map(Action::parse).collect()
}
