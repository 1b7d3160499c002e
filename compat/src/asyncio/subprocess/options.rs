//! What `subprocess_exec` and its kin have in common: asyncio's keyword arguments.

use std::ffi::OsStr;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use super::child::{Child, NewChild};
use super::protocol_cell::{IntoSubprocessProtocol, SubprocessProtocolCell};
use super::stdio::{self, Stdio, Streams};
use super::transport_ref::SubprocessTransportRef;
use crate::asyncio::exceptions::RuntimeError;
use crate::asyncio::loop_state::LoopState;
use crate::asyncio::transport::BaseTransport;
use crate::error::Result;
use crate::nursery::{Closed, Nursery, checkpoint};

/// How long a process has between SIGTERM and SIGKILL when its nursery is cancelled, unless told otherwise: as long as
/// trio's `run_process` gives it. Docker gives 10 s.
pub const DEFAULT_KILL_GRACE: Duration = Duration::from_secs(5);

/// A program that is to be started.
pub(super) struct Program {
    pub(super) command: Command,
    pub(super) stdin: Stdio,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
    pub(super) kill_grace: Duration,
}

impl Program {
    /// A program with its standard streams leading where `stdio` says.
    pub(super) fn new(program: &OsStr, stdio: fn() -> Stdio) -> Self {
        Program {
            command: Command::new(program),
            stdin: stdio(),
            stdout: stdio(),
            stderr: stdio(),
            kill_grace: DEFAULT_KILL_GRACE,
        }
    }

    /// A command line for `/bin/sh`.
    pub(super) fn shell(command: &OsStr, stdio: fn() -> Stdio) -> Self {
        let mut program = Program::new(OsStr::new("/bin/sh"), stdio);
        program.command.arg("-c").arg(command);
        program
    }

    /// Starts it; `connection_made` was called when this returns.
    pub(super) async fn start<P: IntoSubprocessProtocol>(
        self,
        nursery: &Nursery,
        factory: impl FnOnce() -> P,
    ) -> Result<(SubprocessTransportRef, P::Handle)> {
        stdio::check(&self.stdin, &self.stdout)?;
        let lp = LoopState::of(nursery.core());
        if nursery.is_closed() {
            return Err(Closed.into());
        }
        if nursery.is_cancelled() || lp.core.is_cancelled() {
            checkpoint().await;
            return Err(RuntimeError::new("the nursery was cancelled: no program was started").into());
        }
        let (protocol, handle) = factory().into_subprocess_protocol();
        let child = self.spawn(&lp, nursery, protocol)?;
        let close_on_drop = CloseOnDrop(Some(child.clone()));
        checkpoint().await;
        close_on_drop.defuse();
        Ok((SubprocessTransportRef::new(child), handle))
    }

    fn spawn(self, lp: &Rc<LoopState>, nursery: &Nursery, protocol: SubprocessProtocolCell) -> Result<Rc<Child>> {
        let Streams { theirs: [stdin, stdout, stderr], stdin: our_stdin, stdout: our_stdout, stderr: our_stderr } =
            Streams::open(self.stdin, self.stdout, self.stderr)?;
        let process = {
            let mut command = self.command;
            command.stdin(stdin).stdout(stdout).stderr(stderr);
            // Its ends of the pipes are closed here with the command, or no pipe would ever end.
            tokio::process::Command::from(command).kill_on_drop(true).spawn()?
        };
        let new = NewChild {
            process,
            protocol,
            stdin: our_stdin,
            stdout: our_stdout,
            stderr: our_stderr,
            kill_grace: self.kill_grace,
        };
        Ok(Child::start(lp, nursery, new)?)
    }
}

/// Kills a process that nobody was given.
struct CloseOnDrop(Option<Rc<Child>>);

impl CloseOnDrop {
    fn defuse(mut self) {
        self.0 = None;
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(child) = &self.0 {
            child.close();
        }
    }
}

macro_rules! program_options {
    () => {
        /// Where standard input comes from.
        pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
            self.program.stdin = stdin.into();
            self
        }

        /// Where standard output leads.
        pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
            self.program.stdout = stdout.into();
            self
        }

        /// Where standard error leads; [`STDOUT`](crate::STDOUT) joins it to standard output.
        pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
            self.program.stderr = stderr.into();
            self
        }

        /// Sets a variable of the program's environment, which otherwise is the one of this process. Popen's `env`
        /// replaces it whole, as [`env_clear`](Self::env_clear) and this do together.
        pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
            self.program.command.env(name, value);
            self
        }

        /// Sets several variables.
        pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self {
            self.program.command.envs(variables);
            self
        }

        /// Takes a variable out of the program's environment.
        pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
            self.program.command.env_remove(name);
            self
        }

        /// Begins with an empty environment.
        pub fn env_clear(mut self) -> Self {
            self.program.command.env_clear();
            self
        }

        /// The directory that the program starts in.
        pub fn cwd(mut self, directory: impl AsRef<Path>) -> Self {
            self.program.command.current_dir(directory);
            self
        }

        /// The user id that the program runs under; the supplementary groups of this process are given up.
        pub fn user(mut self, uid: u32) -> Self {
            self.program.command.uid(uid);
            self
        }

        /// The group id that the program runs under.
        pub fn group(mut self, gid: u32) -> Self {
            self.program.command.gid(gid);
            self
        }

        /// The process group that the program belongs to; 0 for one of its own. Signals go to the program alone all the
        /// same.
        pub fn process_group(mut self, pgid: i32) -> Self {
            self.program.command.process_group(pgid);
            self
        }

        /// How long the program has between SIGTERM and SIGKILL when the nursery is cancelled:
        /// [`DEFAULT_KILL_GRACE`](crate::DEFAULT_KILL_GRACE) unless set. Zero kills it at once. Not in asyncio.
        pub fn kill_grace(mut self, grace: Duration) -> Self {
            self.program.kill_grace = grace;
            self
        }
    };
}
pub(super) use program_options;
