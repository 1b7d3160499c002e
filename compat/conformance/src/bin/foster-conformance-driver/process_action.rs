//! Actions on subprocesses.

use std::rc::Rc;

use foster_compat::{DEVNULL, PIPE, Result, STDOUT, Stdio, SubprocessTransportRef, subprocess_exec, subprocess_shell};
use serde_json::Value;

use crate::actor::Actor;
use crate::any_transport::AnyTransport;
use crate::factory::Factory;
use crate::options::Options;
use crate::performer::Performer;
use crate::process_object::ProcessObject;
use crate::session::Session;
use crate::signal::Signal;
use crate::transport_action::python_bool;
use crate::words::Words;

/// An action that never waits.
#[derive(Debug)]
pub(crate) enum ProcessAction {
    WriteToPipe { fd: i32, text: String },
    ClosePipe(i32),
    LogPipe(i32),
    Kill,
    Terminate,
    SendSignal(Signal),
}

impl ProcessAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        let fd = || i32::try_from(words.number(0)?).map_err(|_| words.wrong(0, "a descriptor"));
        Ok(Some(match words.name {
            "pipe_write" => ProcessAction::WriteToPipe { fd: fd()?, text: words.text(1)? },
            "pipe_close" => ProcessAction::ClosePipe(fd()?),
            "log_pipe" => ProcessAction::LogPipe(fd()?),
            "kill" => ProcessAction::Kill,
            "terminate" => ProcessAction::Terminate,
            "send_signal" => ProcessAction::SendSignal(words.signal(0)?),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        let process = process_of(by);
        let pipe = |fd: i32| match process.get_pipe_transport(fd) {
            Some(transport) => transport,
            None => by.session().refuse(&format!("the subprocess has no pipe {fd}")),
        };
        match self {
            ProcessAction::WriteToPipe { fd, text } => pipe(*fd).write(text.as_bytes()),
            ProcessAction::ClosePipe(fd) => {
                pipe(*fd).close();
                Ok(())
            }
            ProcessAction::LogPipe(fd) => {
                let is_there = process.get_pipe_transport(*fd).is_some();
                by.say(&format!("pipe {fd} present={}", python_bool(is_there)));
                Ok(())
            }
            ProcessAction::Kill => process.kill(),
            ProcessAction::Terminate => process.terminate(),
            ProcessAction::SendSignal(signal) => process.send_signal(signal.0),
        }
    }
}

/// The transport of a subprocess, where only that will do.
pub(crate) fn process_of(by: &Performer) -> SubprocessTransportRef {
    match by.transport() {
        AnyTransport::Process(transport) => transport,
        _ => by.session().refuse("that is for subprocess transports"),
    }
}

/// The options of `subprocess`.
#[derive(Debug)]
pub(crate) struct ProcessOptions {
    protocol: String,
    program: Program,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
}

#[derive(Debug)]
enum Program {
    Shell(String),
    Exec { program: String, args: Vec<String> },
}

/// Where a standard stream leads.
#[derive(Clone, Copy, Debug)]
enum Stream {
    Pipe,
    Null,
    Inherit,
    Stdout,
}

impl ProcessOptions {
    pub(crate) fn parse(options: &Value) -> Result<Self, String> {
        let known = ["protocol", "args", "shell", "stdin", "stdout", "stderr"];
        let options = Options::parse("subprocess", options, &known)?;
        let program = match (options.optional_text("shell")?, options.value("args")) {
            (Some(shell), None) => Program::Shell(shell),
            (None, Some(Value::Array(words))) => {
                let mut words = words.iter().filter_map(Value::as_str).map(str::to_owned);
                let program = words.next().ok_or("the args of a subprocess are empty")?;
                Program::Exec { program, args: words.collect() }
            }
            _ => return Err("a subprocess needs either args or shell".to_owned()),
        };
        let stream = |key: &str| match options.optional_text(key)?.as_deref() {
            None | Some("pipe") => Ok(Stream::Pipe),
            Some("null") => Ok(Stream::Null),
            Some("inherit") => Ok(Stream::Inherit),
            Some("stdout") => Ok(Stream::Stdout),
            Some(other) => Err(format!("unknown standard stream {other}")),
        };
        Ok(ProcessOptions {
            protocol: options.text("protocol")?,
            program,
            stdin: stream("stdin")?,
            stdout: stream("stdout")?,
            stderr: stream("stderr")?,
        })
    }

    pub(crate) async fn start(&self, session: &Rc<Session>) -> Result<Rc<Actor>> {
        let nursery = session.lp().nursery();
        let actor = Factory::named(session, &self.protocol).make()?;
        let factory = || ProcessObject(actor);
        let [stdin, stdout, stderr] = [self.stdin, self.stdout, self.stderr].map(Stream::to_stdio);
        let (_, actor) = match &self.program {
            Program::Shell(command) => {
                let process = subprocess_shell(nursery, factory, command);
                process.stdin(stdin).stdout(stdout).stderr(stderr).await?
            }
            Program::Exec { program, args } => {
                let process = subprocess_exec(nursery, factory, program).args(args);
                process.stdin(stdin).stdout(stdout).stderr(stderr).await?
            }
        };
        Ok(actor)
    }
}

impl Stream {
    fn to_stdio(self) -> Stdio {
        match self {
            Stream::Pipe => PIPE,
            Stream::Null => DEVNULL,
            Stream::Inherit => Stdio::Inherit,
            Stream::Stdout => STDOUT,
        }
    }
}
