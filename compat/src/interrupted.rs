//! [`Interrupted`]: the error that a signal leaves behind.

use std::fmt;

/// A signal ended [`run`](crate::run) before its future completed: what Python raises as `KeyboardInterrupt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted {
    signal: i32,
}

impl Interrupted {
    pub(crate) fn new(signal: i32) -> Self {
        Interrupted { signal }
    }

    /// The number of the signal: 2 for SIGINT (Ctrl-C), 15 for SIGTERM.
    pub fn signal(&self) -> i32 {
        self.signal
    }

    /// Ends the process with 128 plus the signal if `main` has returned this error.
    ///
    /// `main() -> Result<(), E>` prints `E` with `Debug` and exits with 1, and leaves an error no other place to ask
    /// for the status that a shell expects of an interrupted program. That print is the only one that happens outside
    /// `main`, below the frame in which the standard library runs it; the backtrace tells. Where symbols were
    /// stripped it does not, the status is 1, and [`Error::exit_code`](crate::Error::exit_code) is the way.
    pub(crate) fn exit_if_main_returned(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if std::thread::current().name() != Some("main") {
            return Ok(());
        }
        let backtrace = std::backtrace::Backtrace::force_capture().to_string();
        if backtrace.contains("lang_start") && !backtrace.contains("__rust_begin_short_backtrace") {
            writeln!(f, "{self}")?;
            std::process::exit(128 + self.signal);
        }
        Ok(())
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signal {
            2 => f.write_str("interrupted by SIGINT"),
            15 => f.write_str("interrupted by SIGTERM"),
            signal => write!(f, "interrupted by signal {signal}"),
        }
    }
}

impl std::error::Error for Interrupted {}
