//! File descriptors: a process that has few of them, and using them up.

use std::fs::File;
use std::io;
use std::process::Command;

use crate::arguments::Arguments;

/// Whether the scenario uses up its descriptors, for which the process must not have too many.
pub(crate) fn must_be_few(start_message: &str) -> bool {
    start_message.contains("\"exhaust_fds\"")
}

/// Replaces this process by the same program with a soft limit of 64 descriptors; gives the error if it cannot.
///
/// A shell does it because the standard library has no way to set a limit without unsafe code.
pub(crate) fn start_again_with_few(arguments: &Arguments, start_message: &str) -> io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(err) => return err,
    };
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -S -n 64; exec \"$0\" \"$@\""]).arg(program);
    shell.args(arguments.with_start_message(start_message));
    std::os::unix::process::CommandExt::exec(&mut shell)
}

/// Every descriptor that the process may still have, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct SpareDescriptors {
    _files: Vec<File>,
}

impl SpareDescriptors {
    pub(crate) fn take_all() -> Self {
        SpareDescriptors { _files: std::iter::from_fn(|| File::open("/dev/null").ok()).collect() }
    }
}

/// How many descriptors the process has.
pub(crate) fn open_descriptors() -> io::Result<isize> {
    let n_open = std::fs::read_dir("/proc/self/fd")?.count();
    Ok(isize::try_from(n_open).unwrap_or(isize::MAX))
}
