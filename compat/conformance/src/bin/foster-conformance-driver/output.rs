//! What the driver prints.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The standard output, and the trace lines that went there; a cheap clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    trace: Vec<String>,
    has_stopped: bool,
}

impl Output {
    /// Prints a trace line.
    pub(crate) fn emit(&self, line: impl Into<String>) {
        let line = line.into();
        let mut state = self.lock();
        if !state.has_stopped {
            print(&line);
            state.trace.push(line);
        }
    }

    /// Prints a control line, which is not part of the trace.
    pub(crate) fn control(&self, line: &str) {
        let state = self.lock();
        if !state.has_stopped {
            print(line);
        }
    }

    /// How many trace lines start so.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        self.lock().trace.iter().filter(|line| line.starts_with(prefix)).count()
    }

    /// Prints nothing from now on.
    pub(crate) fn stop(&self) {
        self.lock().has_stopped = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runner's end may be closed, which its end of the input tells too.
fn print(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
