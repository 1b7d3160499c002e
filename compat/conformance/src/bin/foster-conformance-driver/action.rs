//! What a scenario lets a protocol or a program do.

use std::rc::Rc;

use serde_json::Value;

use crate::control_action::ControlAction;
use crate::loop_action::LoopAction;
use crate::server_action::ServerAction;
use crate::socket_action::SocketAction;
use crate::system_action::SystemAction;
use crate::transport_action::TransportAction;
use crate::waiting_action::WaitingAction;
use crate::words::Words;

/// A list of actions, which everything that may run it shares.
pub(crate) type Actions = Rc<[Action]>;

/// One action: section 6 of `SCENARIOS.md`.
#[derive(Debug)]
pub(crate) enum Action {
    Control(ControlAction),
    Transport(TransportAction),
    Loop(LoopAction),
    Server(ServerAction),
    System(SystemAction),
    Socket(SocketAction),
    Waiting(WaitingAction),
}

impl Action {
    /// Understands an action, or says that the driver does not know it.
    pub(crate) fn parse(value: &Value) -> Result<Self, String> {
        let words = Words::new(value)?;
        if let Some(action) = ControlAction::parse(words)? {
            return Ok(Action::Control(action));
        }
        if let Some(action) = TransportAction::parse(words)? {
            return Ok(Action::Transport(action));
        }
        if let Some(action) = LoopAction::parse(words)? {
            return Ok(Action::Loop(action));
        }
        if let Some(action) = ServerAction::parse(words)? {
            return Ok(Action::Server(action));
        }
        if let Some(action) = SystemAction::parse(words)? {
            return Ok(Action::System(action));
        }
        if let Some(action) = SocketAction::parse(words)? {
            return Ok(Action::Socket(action));
        }
        if let Some(action) = WaitingAction::parse(words)? {
            return Ok(Action::Waiting(action));
        }
        Err(format!("unknown action {}", words.name))
    }
}

pub(crate) fn parse_actions(value: &Value) -> Result<Actions, String> {
    let list = value.as_array().ok_or_else(|| format!("not a list of actions: {value}"))?;
    list.iter().map(Action::parse).collect()
}
