//! The process under test.

use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::deadline::Deadline;
use crate::driver_command::DriverCommand;
use crate::driver_link::DriverLink;

/// A running driver; dropping it kills it if it still runs.
pub(crate) struct DriverProcess {
    child: Child,
    link: Arc<DriverLink>,
}

impl DriverProcess {
    /// Starts the driver in a process group of its own and sends it the start message.
    pub(crate) fn start(driver: &DriverCommand, start_message: &Value) -> io::Result<DriverProcess> {
        let mut command = driver.command();
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let link = Arc::new(DriverLink::new(child.stdin.take()));
        link.send(&start_message.to_string());
        if let Some(output) = child.stdout.take() {
            let link = Arc::clone(&link);
            // The thread ends with the output. It is not joined: a child of the driver may hold the output open.
            thread::spawn(move || link.listen(output));
        }
        Ok(DriverProcess { child, link })
    }

    pub(crate) fn link(&self) -> &Arc<DriverLink> {
        &self.link
    }

    /// Ends the input and waits for the end of the process. Returns a complaint if it does not end as it should.
    pub(crate) fn finish(&mut self) -> Option<String> {
        self.link.end_input();
        match self.wait(EXIT_TIMEOUT) {
            Some(status) if status.success() => None,
            Some(status) => Some(format!("driver: {status}")),
            None => {
                self.kill();
                let seconds = EXIT_TIMEOUT.as_secs();
                Some(format!("driver: did not end within {seconds} s of the end of its input"))
            }
        }
    }

    /// The status of a process that ends within the timeout.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Deadline::after(timeout);
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if deadline.has_passed() {
                return None;
            }
            thread::sleep(EXIT_POLL);
        }
    }

    fn kill(&mut self) {
        // The group holds the driver's own children too. It is killed before the driver is waited for, so its id is
        // still the driver's.
        #[cfg(unix)]
        {
            let kill = format!("kill -s KILL -- -{}", self.child.id());
            let mut shell = Command::new("sh");
            shell.args(["-c", &kill]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // Without a shell at least the driver itself is killed below.
            drop(shell.status());
        }
        // An error means that it has ended by itself.
        drop(self.child.kill());
        self.wait(KILL_TIMEOUT);
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill();
        }
    }
}

/// From the end of input to the end of the driver.
const EXIT_TIMEOUT: Duration = Duration::from_secs(3);
/// A killed process ends at once; this only keeps the runner from waiting for a stuck kernel.
const KILL_TIMEOUT: Duration = Duration::from_secs(2);
/// The standard library cannot wait with a timeout.
const EXIT_POLL: Duration = Duration::from_millis(2);
