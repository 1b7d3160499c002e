//! Actions on the process, its thread and its files.

use std::fs::File;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use foster_compat::Result;

use crate::descriptors::{SpareDescriptors, open_descriptors};
use crate::performer::Performer;
use crate::signal::Signal;
use crate::transport_action::python_bool;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum SystemAction {
    Block(Duration),
    RaiseSignal(Signal),
    ExhaustDescriptors,
    ReleaseDescriptors,
    MarkDescriptors,
    LogDescriptors,
    Exists(String),
    Touch(String),
    StaleSocket(String),
}

impl SystemAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "block" => SystemAction::Block(words.milliseconds(0)?),
            "raise_signal" => SystemAction::RaiseSignal(words.signal(0)?),
            "exhaust_fds" => SystemAction::ExhaustDescriptors,
            "release_fds" => SystemAction::ReleaseDescriptors,
            "fds_mark" => SystemAction::MarkDescriptors,
            "fds_delta" => SystemAction::LogDescriptors,
            "exists" => SystemAction::Exists(words.text(0)?),
            "touch" => SystemAction::Touch(words.text(0)?),
            "stale_socket" => SystemAction::StaleSocket(words.text(0)?),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        let session = by.session();
        match self {
            SystemAction::Block(duration) => thread::sleep(*duration),
            SystemAction::RaiseSignal(signal) => signal_hook::low_level::raise(signal.0)?,
            SystemAction::ExhaustDescriptors => session.hold_descriptors(SpareDescriptors::take_all()),
            SystemAction::ReleaseDescriptors => session.hold_descriptors(SpareDescriptors::default()),
            SystemAction::MarkDescriptors => session.mark_descriptors(open_descriptors()?),
            SystemAction::LogDescriptors => {
                let delta = open_descriptors()? - session.descriptors_at_mark();
                by.say(&format!("fds delta={delta}"));
            }
            SystemAction::Exists(file) => {
                by.say(&format!("{file} exists={}", python_bool(session.message().params.file(file).exists())));
            }
            SystemAction::Touch(file) => drop(File::create(session.message().params.file(file))?),
            // Dropping the listener leaves its file.
            SystemAction::StaleSocket(file) => drop(UnixListener::bind(session.message().params.file(file))?),
        }
        Ok(())
    }
}
