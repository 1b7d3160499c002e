//! Signals by name.

use signal_hook::consts::{SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGUSR2};

/// A signal that a scenario names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signal(pub(crate) i32);

impl Signal {
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Some(Signal(match name {
            "SIGHUP" => SIGHUP,
            "SIGINT" => SIGINT,
            "SIGKILL" => SIGKILL,
            "SIGTERM" => SIGTERM,
            "SIGUSR1" => SIGUSR1,
            "SIGUSR2" => SIGUSR2,
            _ => return None,
        }))
    }
}
