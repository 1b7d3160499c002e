//! Actions on the readers and writers of raw sockets.

use foster_compat::Result;

use crate::action::Actions;
use crate::performer::Performer;
use crate::transport_action::python_bool;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum WatchAction {
    AddReader { socket: String, actions: Actions },
    AddWriter { socket: String, actions: Actions },
    RemoveReader(String),
    RemoveWriter(String),
}

impl WatchAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "add_reader" => WatchAction::AddReader { socket: words.text(0)?, actions: words.actions(1)? },
            "add_writer" => WatchAction::AddWriter { socket: words.text(0)?, actions: words.actions(1)? },
            "remove_reader" => WatchAction::RemoveReader(words.text(0)?),
            "remove_writer" => WatchAction::RemoveWriter(words.text(0)?),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        let session = by.session();
        let lp = session.lp();
        let say_removed = |was_there: bool| by.say(&format!("removed={}", python_bool(was_there)));
        match self {
            WatchAction::AddReader { socket, actions } => {
                lp.add_reader(&*session.socket(socket), by.callback(actions))?;
            }
            WatchAction::AddWriter { socket, actions } => {
                lp.add_writer(&*session.socket(socket), by.callback(actions))?;
            }
            WatchAction::RemoveReader(socket) => say_removed(lp.remove_reader(&*session.socket(socket))),
            WatchAction::RemoveWriter(socket) => say_removed(lp.remove_writer(&*session.socket(socket))),
        }
        Ok(())
    }
}
