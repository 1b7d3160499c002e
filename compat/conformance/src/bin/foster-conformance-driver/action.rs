//! What a scenario lets a protocol or a program do.

use std::rc::Rc;

use foster_compat::Result;
use serde_json::Value;

use crate::control_action::ControlAction;
use crate::datagram_action::DatagramAction;
use crate::loop_action::LoopAction;
use crate::opening_action::OpeningAction;
use crate::performer::Performer;
use crate::pipe_action::PipeAction;
use crate::process_action::ProcessAction;
use crate::server_action::ServerAction;
use crate::socket_action::SocketAction;
use crate::stream_action::{ReaderAction, StreamAction};
use crate::system_action::SystemAction;
use crate::transport_action::TransportAction;
use crate::waiting_action::WaitingAction;
use crate::watch_action::WatchAction;
use crate::words::Words;
use crate::write_action::WriteAction;

/// A list of actions, which everything that may run it shares.
pub(crate) type Actions = Rc<[Action]>;

/// Declares the families of actions. Each has a module with `parse` and `perform`, which of the second group may wait.
macro_rules! families {
    (
        instant { $($instant:ident($instant_action:ty)),+ $(,)? }
        waiting { $($waiting:ident($waiting_action:ty)),+ $(,)? }
    ) => {
        /// One action: section 6 of `SCENARIOS.md`.
        #[derive(Debug)]
        pub(crate) enum Action {
            Control(ControlAction),
            $($instant($instant_action),)+
            $($waiting($waiting_action),)+
        }

        impl Action {
            /// Understands an action, or says that the driver does not know it.
            pub(crate) fn parse(value: &Value) -> Result<Self, String> {
                let words = Words::new(value)?;
                if let Some(action) = ControlAction::parse(words)? {
                    return Ok(Action::Control(action));
                }
                $(if let Some(action) = <$instant_action>::parse(words)? {
                    return Ok(Action::$instant(action));
                })+
                $(if let Some(action) = <$waiting_action>::parse(words)? {
                    return Ok(Action::$waiting(action));
                })+
                Err(format!("unknown action {}", words.name))
            }

            /// Performs an action that never waits; others have no place here.
            pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
                match self {
                    Action::Control(action) => action.perform(by),
                    $(Action::$instant(action) => action.perform(by),)+
                    $(Action::$waiting(action) => by.session().refuse(&format!("misplaced action {action:?}")),)+
                }
            }

            /// Performs any action, in a task.
            pub(crate) async fn perform_waiting(&self, by: &Performer) -> Result<()> {
                match self {
                    Action::Control(action) => action.perform_waiting(by).await,
                    $(Action::$waiting(action) => action.perform(by).await,)+
                    _ => self.perform(by),
                }
            }
        }
    };
}

families! {
    instant {
        Transport(TransportAction),
        Write(WriteAction),
        Datagram(DatagramAction),
        Process(ProcessAction),
        Loop(LoopAction),
        Server(ServerAction),
        System(SystemAction),
        Socket(SocketAction),
        Watch(WatchAction),
        Pipe(PipeAction),
        Reader(ReaderAction),
    }
    waiting {
        Waiting(WaitingAction),
        Opening(OpeningAction),
        Stream(StreamAction),
    }
}

pub(crate) fn parse_actions(value: &Value) -> Result<Actions, String> {
    let list = value.as_array().ok_or_else(|| format!("not a list of actions: {value}"))?;
    list.iter().map(Action::parse).collect()
}
