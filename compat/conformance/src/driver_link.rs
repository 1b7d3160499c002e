//! The two directions between runner and driver: lines that it prints, lines that it is sent.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ChildStdin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockAddr;

use crate::deadline::Deadline;
use crate::trace::Trace;

/// What the driver has printed so far, and its input. The runner, the peer and the reading thread share it.
///
/// The two locks are never held together.
pub(crate) struct DriverLink {
    heard: Mutex<Heard>,
    changed: Condvar,
    /// None from the end of input on.
    input: Mutex<Option<ChildStdin>>,
}

/// What the driver has printed: trace lines, and what its control lines said.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) trace: Trace,
    /// By the name of the server; the empty name for kinds with one address.
    pub(crate) addresses: HashMap<String, Address>,
    pub(crate) is_ready: bool,
    pub(crate) is_done: bool,
    pub(crate) has_ended: bool,
}

impl DriverLink {
    pub(crate) fn new(input: Option<ChildStdin>) -> DriverLink {
        DriverLink { heard: Mutex::default(), changed: Condvar::new(), input: Mutex::new(input) }
    }

    /// Reads what the driver prints until it ends.
    pub(crate) fn listen(&self, output: impl Read) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        // An error ends the reading as the end of the output does: the driver is gone.
        while output.read_until(b'\n', &mut line).is_ok_and(|n_bytes| n_bytes > 0) {
            let text = String::from_utf8_lossy(&line);
            self.heard().hear(text.trim_end_matches(['\r', '\n']));
            self.changed.notify_all();
            line.clear();
        }
        self.heard().has_ended = true;
        self.changed.notify_all();
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the test holds. Returns whether it does: false after the timeout and after the snapshot.
    pub(crate) fn wait_until(&self, timeout: Duration, mut test: impl FnMut(&Heard) -> bool) -> bool {
        let deadline = Deadline::after(timeout);
        let mut heard = self.heard();
        loop {
            if test(&heard) {
                return true;
            }
            if deadline.has_passed() || heard.trace.is_frozen() {
                return false;
            }
            heard = self.wait(heard, deadline.left());
        }
    }

    /// Waits until something is heard, at most for the time given.
    pub(crate) fn wait_for_change(&self, timeout: Duration) {
        drop(self.wait(self.heard(), timeout));
    }

    /// Takes the snapshot of the trace and wakes all that wait for more lines.
    pub(crate) fn freeze(&self) -> Vec<String> {
        let lines = self.heard().trace.freeze();
        self.changed.notify_all();
        lines
    }

    /// Sends a line; without effect after the end of input, or if the driver does not read any more.
    pub(crate) fn send(&self, line: &str) {
        let result = match &mut *self.input() {
            Some(input) => writeln!(input, "{line}").and_then(|()| input.flush()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        // A driver that is gone shows up as the end of its output.
        drop(result);
    }

    pub(crate) fn end_input(&self) {
        self.input().take();
    }

    fn input(&self) -> MutexGuard<'_, Option<ChildStdin>> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, heard: MutexGuard<'a, Heard>, timeout: Duration) -> MutexGuard<'a, Heard> {
        let woken = self.changed.wait_timeout(heard, timeout);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Heard {
    fn hear(&mut self, line: &str) {
        match line.split(' ').next() {
            Some("READY") => self.is_ready = true,
            Some("DONE") => self.is_done = true,
            _ => match Address::from_control_line(line) {
                Some((name, address)) => {
                    self.addresses.insert(name, address);
                    self.is_ready = true;
                }
                // An ADDR line that cannot be read stays in the trace, where it is a difference.
                None => self.trace.add(line),
            },
        }
    }
}

/// Where a driver listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Inet(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    pub(crate) fn to_socket_address(&self) -> io::Result<SockAddr> {
        match self {
            Address::Inet(address) => Ok((*address).into()),
            Address::Unix(path) => SockAddr::unix(path),
        }
    }

    /// The name and the address of `ADDR [NAME] HOST PORT` or `ADDR [NAME] unix PATH`.
    fn from_control_line(line: &str) -> Option<(String, Address)> {
        let words: Vec<&str> = line.strip_prefix("ADDR ")?.split(' ').collect();
        let (name, host, port) = match words.as_slice() {
            [name, host, port] => (*name, *host, *port),
            [host, port] => ("", *host, *port),
            _ => return None,
        };
        let address = if host == "unix" {
            Address::Unix(port.into())
        } else {
            Address::Inet((host.parse::<IpAddr>().ok()?, port.parse().ok()?).into())
        };
        Some((name.to_owned(), address))
    }
}

/// From the start of the driver to its ADDR or READY line; generous, because interpreters start slowly.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(output: &str) -> DriverLink {
        let link = DriverLink::new(None);
        link.listen(output.as_bytes());
        link
    }

    #[test]
    fn control_lines_are_not_part_of_the_trace() {
        let link = heard("ADDR 127.0.0.1 80\nmade\r\nREADY\nADDR s ::1 81\nADDR u unix /tmp/s\nlost None\nDONE\n");
        assert_eq!(link.freeze(), ["made", "lost None"]);
        let heard = link.heard();
        assert!(heard.is_ready && heard.is_done && heard.has_ended);
        assert_eq!(heard.addresses[""], Address::Inet(([127, 0, 0, 1], 80).into()));
        assert_eq!(heard.addresses["s"], Address::Inet(([0, 0, 0, 0, 0, 0, 0, 1], 81).into()));
        assert_eq!(heard.addresses["u"], Address::Unix("/tmp/s".into()));
    }

    #[test]
    fn an_address_that_cannot_be_read_stays_in_the_trace() {
        let link = heard("ADDR nowhere\nADDR 127.0.0.1 100000\n");
        assert_eq!(link.freeze(), ["ADDR nowhere", "ADDR 127.0.0.1 100000"]);
        assert!(!link.heard().is_ready);
    }

    #[test]
    fn a_last_line_without_a_line_feed_counts() {
        assert_eq!(heard("made\nlost").freeze(), ["made", "lost"]);
    }

    #[test]
    fn waiting_ends_with_the_snapshot() {
        let link = heard("made\n");
        link.freeze();
        assert!(!link.wait_until(Duration::from_secs(600), |heard| heard.trace.count("data") > 0));
    }
}
