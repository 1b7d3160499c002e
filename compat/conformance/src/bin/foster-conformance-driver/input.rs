//! What the runner sends: the start message, `GO NAME`, and the end.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::AsFd;
use std::thread;

use foster_compat::LoopHandle;

use crate::output::Output;
use crate::session::Session;

/// The standard input, line by line.
#[derive(Debug)]
pub(crate) struct Input {
    /// One byte at a time: the process may be replaced after the first line, and what was read ahead would be lost.
    lines: BufReader<File>,
}

impl Input {
    pub(crate) fn of_process() -> io::Result<Self> {
        let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Input { lines: BufReader::with_capacity(1, file) })
    }

    /// The next line without its end; `None` at the end of the input.
    pub(crate) fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let n = self.lines.read_line(&mut line)?;
        Ok((n > 0).then(|| line.trim_end().to_owned()))
    }

    /// Reads on in a thread; at the end nothing is printed any more and the session is stopped.
    pub(crate) fn listen(mut self, loop_handle: LoopHandle, output: Output) {
        thread::spawn(move || {
            while let Ok(Some(line)) = self.line() {
                if let Some(name) = line.strip_prefix("GO ") {
                    let name = name.trim().to_owned();
                    // A loop that has ended needs no signal, here and below.
                    let _ = loop_handle.call_soon_threadsafe(move || Session::current().release(&name));
                }
            }
            output.stop();
            let _ = loop_handle.call_soon_threadsafe(|| Session::current().stop());
        });
    }
}
