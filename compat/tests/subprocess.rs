//! Subprocesses with a protocol: the order of the callbacks, signals, and that every process is reaped on every path.

#![cfg(unix)]

mod log;
mod stage;

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::Read;
use std::pin::Pin;
use std::process::Command;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use foster_compat::{
    Closed, DEVNULL, Error, ExtraInfo, Loop, Nursery, PIPE, Result, RuntimeError, STDOUT, Shared,
    SharedSubprocessProtocol, Stdio, SubprocessProtocol, SubprocessTransportRef, ValueError, move_on_after,
    open_nursery, run_here, sleep, sleep_forever, subprocess_exec, subprocess_shell,
};
use stage::{Reports, bounded, real, turns, until};

const MS: Duration = Duration::from_millis(1);
const NEVER: Duration = Duration::from_secs(3600);
const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;
const ESRCH: i32 = 3;
const EINVAL: i32 = 22;

// ---- a protocol that writes everything down

type OnEvent = Box<dyn FnMut(&Recorder, &str) -> Result<()>>;

/// Writes down its callbacks; data is added up, and shown when its pipe is lost.
#[derive(Default)]
struct Recorder {
    lines: Rc<RefCell<Vec<String>>>,
    n_bytes: RefCell<[usize; 3]>,
    transport: RefCell<SubprocessTransportRef>,
    on_event: RefCell<Option<OnEvent>>,
}

impl Recorder {
    fn new() -> (Self, Lines) {
        let recorder = Recorder::default();
        let lines = Lines(recorder.lines.clone());
        (recorder, lines)
    }

    /// Calls `react` after each line.
    fn reacting(self, react: impl FnMut(&Recorder, &str) -> Result<()> + 'static) -> Self {
        self.on_event.replace(Some(Box::new(react)));
        self
    }

    fn transport(&self) -> SubprocessTransportRef {
        self.transport.borrow().clone()
    }

    fn say(&self, line: String) -> Result<()> {
        self.lines.borrow_mut().push(line.clone());
        // Taken out, because it may bring about another event.
        let react = self.on_event.take();
        let Some(mut react) = react else { return Ok(()) };
        let result = react(self, &line);
        self.on_event.replace(Some(react));
        result
    }
}

impl SharedSubprocessProtocol for Recorder {
    fn connection_made(&self, transport: SubprocessTransportRef) -> Result<()> {
        self.transport.replace(transport);
        self.say("made".to_owned())
    }

    fn pipe_data_received(&self, fd: i32, data: &[u8]) -> Result<()> {
        assert!(!data.is_empty() && data.len() <= 256 * 1024);
        self.n_bytes.borrow_mut()[fd as usize] += data.len();
        self.say(format!("pipe_data {fd} {:?}", String::from_utf8_lossy(&data[..data.len().min(20)])))
    }

    fn pipe_connection_lost(&self, fd: i32, exc: Option<Error>) -> Result<()> {
        self.say(format!("pipe_lost {fd} {}", shown(exc)))
    }

    fn process_exited(&self) -> Result<()> {
        let returncode = self.transport().get_returncode().expect("the code is there when the process has exited");
        self.say(format!("process_exited rc={returncode}"))
    }

    fn pause_writing(&self) -> Result<()> {
        self.say("pause_writing".to_owned())
    }

    fn resume_writing(&self) -> Result<()> {
        self.say("resume_writing".to_owned())
    }

    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        self.say(format!("lost {}", shown(exc)))
    }
}

/// The same with `&mut self`.
struct Exclusive(Recorder);

impl SubprocessProtocol for Exclusive {
    fn connection_made(&mut self, transport: SubprocessTransportRef) -> Result<()> {
        self.0.connection_made(transport)
    }

    fn pipe_data_received(&mut self, fd: i32, data: &[u8]) -> Result<()> {
        self.0.pipe_data_received(fd, data)
    }

    fn pipe_connection_lost(&mut self, fd: i32, exc: Option<Error>) -> Result<()> {
        self.0.pipe_connection_lost(fd, exc)
    }

    fn process_exited(&mut self) -> Result<()> {
        self.0.process_exited()
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.0.pause_writing()
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.0.resume_writing()
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.0.connection_lost(exc)
    }
}

fn shown(exc: Option<Error>) -> String {
    match exc {
        None => "None".to_owned(),
        Some(exc) => match exc.downcast_ref::<std::io::Error>() {
            Some(io) => format!("{:?}", io.kind()),
            None => exc.to_string(),
        },
    }
}

/// What a recorder has written down.
#[derive(Clone)]
struct Lines(Rc<RefCell<Vec<String>>>);

impl Lines {
    fn mark(&self, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }

    fn has(&self, prefix: &str) -> bool {
        self.place(prefix).is_some()
    }

    fn place(&self, prefix: &str) -> Option<usize> {
        self.0.borrow().iter().position(|line| line.starts_with(prefix))
    }

    /// All lines; those of data as one for each descriptor, at the place of the first.
    fn all(&self) -> Vec<String> {
        let mut lines = self.0.borrow().clone();
        for fd in [1, 2] {
            let prefix = format!("pipe_data {fd}");
            let mut is_first = true;
            lines.retain_mut(|line| {
                if !line.starts_with(&prefix) {
                    return true;
                }
                line.truncate(prefix.len());
                std::mem::take(&mut is_first)
            });
        }
        lines
    }

    /// The lines are these, in an order that asyncio promises.
    #[track_caller]
    fn assert(&self, expected: &[&str]) {
        let lines = self.all();
        let (mut sorted, mut expected) = (lines.clone(), expected.to_vec());
        sorted.sort();
        expected.sort_unstable();
        assert_eq!(sorted, expected, "in {lines:?}");
        for (first, second) in [
            ("made", "subprocess"),
            ("made", "pipe_"),
            ("made", "process_exited"),
            ("pipe_lost 0", "lost"),
            ("pipe_lost 1", "lost"),
            ("pipe_lost 2", "lost"),
            ("process_exited", "lost"),
            ("pipe_data 1", "pipe_lost 1"),
            ("pipe_data 2", "pipe_lost 2"),
        ] {
            if let (Some(first_at), Some(second_at)) = (self.place(first), self.place(second)) {
                assert!(first_at < second_at, "{first} comes before {second} in {lines:?}");
            }
        }
    }
}

/// Plays a shell script with a protocol of each kind, and checks the lines.
fn plays(script: &'static str, options: fn(Sh) -> Sh, expected: &[&str]) {
    for is_shared in [true, false] {
        real(async |nursery| {
            let (recorder, lines) = Recorder::new();
            let transport = start(&nursery, is_shared, recorder, script, options).await?;
            lines.mark("subprocess returned");
            assert!(transport.closed().await.is_none());
            lines.assert(&[expected, &["subprocess returned"]].concat());
            assert_eq!(nursery.n_children(), 0);
            assert_reaped(transport.get_pid());
            Ok(())
        });
    }
}

/// The options of a test's shell.
struct Sh {
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
}

async fn start(
    nursery: &Nursery,
    is_shared: bool,
    recorder: Recorder,
    script: &str,
    options: fn(Sh) -> Sh,
) -> Result<SubprocessTransportRef> {
    let Sh { stdin, stdout, stderr } = options(Sh { stdin: DEVNULL, stdout: PIPE, stderr: PIPE });
    Ok(if is_shared {
        let factory = || Shared(recorder);
        subprocess_shell(nursery, factory, script).stdin(stdin).stdout(stdout).stderr(stderr).await?.0
    } else {
        let factory = || Exclusive(recorder);
        subprocess_shell(nursery, factory, script).stdin(stdin).stdout(stdout).stderr(stderr).await?.0
    })
}

/// No process of that id is left, not even a dead one.
#[track_caller]
fn assert_reaped(pid: u32) {
    assert!(!is_there(pid), "process {pid} is still there");
}

fn is_there(pid: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("a process id");
    rustix::process::test_kill_process(pid).is_ok()
}

// ---- the order of callbacks

#[test]
fn an_exit_without_output() {
    plays("exit 7", |sh| sh, &["made", "process_exited rc=7", "pipe_lost 1 None", "pipe_lost 2 None", "lost None"]);
}

#[test]
fn a_process_without_pipes_is_lost_when_it_exits() {
    plays("exit 0", |sh| Sh { stdout: DEVNULL, stderr: DEVNULL, ..sh }, &["made", "process_exited rc=0", "lost None"]);
}

#[test]
fn a_signal_that_kills_is_a_negative_return_code() {
    plays(
        "kill -TERM $$",
        |sh| Sh { stdout: DEVNULL, stderr: DEVNULL, ..sh },
        &["made", "process_exited rc=-15", "lost None"],
    );
}

#[test]
fn close_kills_the_process_and_closes_its_pipes() {
    for is_shared in [true, false] {
        real(async |nursery| {
            let (recorder, lines) = Recorder::new();
            let transport =
                start(&nursery, is_shared, recorder, "exec sleep 3600", |sh| Sh { stdin: PIPE, ..sh }).await?;
            lines.mark("subprocess returned");
            assert!(!transport.is_closing());
            transport.close();
            transport.close();
            assert!(transport.is_closing());
            assert_eq!(lines.all(), ["made", "subprocess returned"]);
            assert!(transport.closed().await.is_none());
            lines.assert(&[
                "made",
                "subprocess returned",
                "pipe_lost 0 None",
                "pipe_lost 1 None",
                "pipe_lost 2 None",
                "process_exited rc=-9",
                "lost None",
            ]);
            assert_eq!(transport.get_returncode(), Some(-SIGKILL));
            assert_reaped(transport.get_pid());
            Ok(())
        });
    }
}

#[test]
fn a_grandchild_that_holds_stdout_delays_only_connection_lost() {
    real(async |nursery| {
        let (recorder, lines) = Recorder::new();
        let transport = start(&nursery, true, recorder, "exec 3<&0; read hold <&3 & echo $!; exit 3", |sh| Sh {
            stdin: Stdio::from(hold()),
            stderr: DEVNULL,
            ..sh
        })
        .await?;
        assert_eq!(transport.exited().await, 3);
        until(|| lines.has("process_exited") && lines.has("pipe_data 1")).await;
        assert_eq!(transport.get_returncode(), Some(3));
        turns(20).await;
        assert!(!lines.has("pipe_lost") && !lines.has("lost"));
        // The grandchild ends when its stdin does.
        release();
        assert!(transport.closed().await.is_none());
        lines.assert(&["made", "process_exited rc=3", "pipe_data 1", "pipe_lost 1 None", "lost None"]);
        assert!(lines.place("process_exited") < lines.place("pipe_lost 1"));
        Ok(())
    });
}

thread_local!(static HELD: RefCell<Option<std::os::fd::OwnedFd>> = const { RefCell::new(None) });

/// The reading end of a pipe that nothing is written to until `release`.
fn hold() -> std::os::fd::OwnedFd {
    let (reading, writing) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("there are pipes");
    HELD.set(Some(writing));
    reading
}

fn release() {
    HELD.take();
}

#[test]
fn stderr_joined_to_stdout_has_no_pipe_of_its_own() {
    for is_shared in [true, false] {
        real(async |nursery| {
            let (recorder, lines) = Recorder::new();
            let script = "echo out; echo err >&2";
            let transport = start(&nursery, is_shared, recorder, script, |sh| Sh { stderr: STDOUT, ..sh }).await?;
            for (fd, is_present) in [(0, false), (1, true), (2, false), (3, false), (9, false), (-1, false)] {
                assert_eq!(transport.get_pipe_transport(fd).is_some(), is_present, "descriptor {fd}");
            }
            transport.closed().await;
            lines.assert(&["made", "pipe_data 1", "pipe_lost 1 None", "process_exited rc=0", "lost None"]);
            Ok(())
        });
    }
}

#[test]
fn stderr_joins_whatever_stdout_is() {
    real(async |nursery| {
        for stdout in [DEVNULL, Stdio::Inherit] {
            let script = "[ /dev/fd/1 -ef /dev/fd/2 ]";
            let (transport, _) = subprocess_shell(&nursery, || Exclusive(Recorder::default()), script)
                .stdout(stdout)
                .stderr(STDOUT)
                .await?;
            assert_eq!(transport.exited().await, 0);
            transport.close();
        }
        let path = std::env::temp_dir().join(format!("foster-subprocess-{}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        let (transport, _) = subprocess_shell(&nursery, || Exclusive(Recorder::default()), "echo out; echo err >&2")
            .stdout(file)
            .stderr(STDOUT)
            .await?;
        assert!(transport.get_pipe_transport(1).is_none());
        assert_eq!(transport.exited().await, 0);
        assert_eq!(std::fs::read(&path)?, b"out\nerr\n");
        std::fs::remove_file(&path)?;
        transport.close();
        Ok(())
    });
}

#[test]
fn a_process_that_closes_its_stdin_ends_that_pipe_alone() {
    real(async |nursery| {
        let (recorder, lines) = Recorder::new();
        let transport = start(&nursery, true, recorder, "exec 0<&-; read hold <&2", |_| Sh {
            stdin: PIPE,
            stdout: DEVNULL,
            stderr: Stdio::from(hold()),
        })
        .await?;
        until(|| lines.has("pipe_lost 0 None")).await;
        let stdin = transport.get_pipe_transport(0).expect("it is there, closed");
        stdin.write(b"xxxxxxxxxx")?;
        assert!(stdin.is_closing());
        turns(10).await;
        assert!(!lines.has("process_exited"));
        release();
        transport.closed().await;
        lines.assert(&["made", "pipe_lost 0 None", "process_exited rc=1", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_process_that_closes_all_its_pipes_and_lives_is_waited_for() {
    real(async |nursery| {
        let (recorder, lines) = Recorder::new();
        let transport =
            start(&nursery, true, recorder, "exec 0<&- 1>&- 2>&-; exec sleep 3600", |sh| Sh { stdin: PIPE, ..sh })
                .await?;
        until(|| ["pipe_lost 0", "pipe_lost 1", "pipe_lost 2"].iter().all(|line| lines.has(line))).await;
        turns(10).await;
        assert!(!lines.has("process_exited") && !lines.has("lost"));
        transport.terminate()?;
        transport.closed().await;
        lines.assert(&[
            "made",
            "pipe_lost 0 None",
            "pipe_lost 1 None",
            "pipe_lost 2 None",
            "process_exited rc=-15",
            "lost None",
        ]);
        Ok(())
    });
}

#[test]
fn no_such_program_is_an_error_after_the_factory_and_before_everything_else() {
    real(async |nursery| {
        let (recorder, lines) = Recorder::new();
        let is_made = Rc::new(Cell::new(false));
        let made = is_made.clone();
        let factory = move || {
            made.set(true);
            Exclusive(recorder)
        };
        let err = subprocess_exec(&nursery, factory, "/no/such/program").await.map(drop).unwrap_err();
        assert_eq!(err.downcast_ref::<std::io::Error>().map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound));
        assert!(is_made.get());
        turns(5).await;
        assert!(lines.all().is_empty());
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}

#[test]
fn a_mebibyte_of_output_arrives_whole() {
    for is_shared in [true, false] {
        real(async |nursery| {
            let total = Rc::new(Cell::new(0));
            let (recorder, lines) = Recorder::new();
            let counted = total.clone();
            let recorder = recorder.reacting(move |recorder, line| {
                if line.starts_with("pipe_lost 1") {
                    counted.set(recorder.n_bytes.borrow()[1]);
                }
                Ok(())
            });
            let script = "head -c 1048576 /dev/zero";
            let transport = start(&nursery, is_shared, recorder, script, |sh| Sh { stderr: DEVNULL, ..sh }).await?;
            transport.closed().await;
            lines.assert(&["made", "pipe_data 1", "process_exited rc=0", "pipe_lost 1 None", "lost None"]);
            assert_eq!(total.get(), 1_048_576);
            Ok(())
        });
    }
}

#[test]
fn nothing_is_read_before_the_call_has_returned_and_connection_made_may_write() {
    real(async |nursery| {
        let (recorder, lines) = Recorder::new();
        let recorder = recorder.reacting(|recorder, line| {
            if line == "made" {
                let stdin = recorder.transport().get_pipe_transport(0).expect("stdin is a pipe");
                stdin.write(b"echoed")?;
                assert_eq!(stdin.get_write_buffer_size(), 0, "it goes out at once");
                stdin.write_eof()?;
            }
            Ok(())
        });
        let transport = start(&nursery, true, recorder, "cat; cat >&2", |sh| Sh { stdin: PIPE, ..sh }).await?;
        assert_eq!(lines.all(), ["made"]);
        transport.closed().await;
        assert!(lines.has("pipe_data 1 \"echoed\""));
        lines.assert(&[
            "made",
            "pipe_data 1",
            "pipe_lost 0 None",
            "pipe_lost 1 None",
            "pipe_lost 2 None",
            "process_exited rc=0",
            "lost None",
        ]);
        Ok(())
    });
}

#[test]
fn a_full_stdin_pauses_the_protocol_and_a_reader_resumes_it() {
    for is_shared in [true, false] {
        real(async |nursery| {
            let (recorder, lines) = Recorder::new();
            let marks = lines.clone();
            let recorder = recorder.reacting(move |recorder, line| {
                if line == "made" {
                    let stdin = recorder.transport().get_pipe_transport(0).expect("stdin is a pipe");
                    stdin.write(&[b'x'; 1024 * 1024])?;
                    marks.mark("written");
                    stdin.close();
                }
                Ok(())
            });
            let transport =
                start(&nursery, is_shared, recorder, "wc -c", |sh| Sh { stdin: PIPE, stderr: DEVNULL, ..sh }).await?;
            let expected: &[_] =
                if is_shared { &["made", "pause_writing", "written"] } else { &["made", "written", "pause_writing"] };
            assert_eq!(lines.all(), expected);
            transport.closed().await;
            assert!(lines.has("pipe_data 1 \"1048576\\n\""));
            lines.assert(&[
                "made",
                "pause_writing",
                "written",
                "resume_writing",
                "pipe_lost 0 None",
                "pipe_data 1",
                "pipe_lost 1 None",
                "process_exited rc=0",
                "lost None",
            ]);
            Ok(())
        });
    }
}

#[test]
fn a_process_that_writes_for_ever_is_stopped_by_pause_reading_and_ended_by_close() {
    real(async |nursery| {
        let (recorder, lines) = Recorder::new();
        let n_bytes = Rc::new(Cell::new(0));
        let counted = n_bytes.clone();
        let recorder = recorder.reacting(move |recorder, _| {
            counted.set(recorder.n_bytes.borrow()[1]);
            Ok(())
        });
        let transport = start(&nursery, true, recorder, "exec yes", |sh| Sh { stderr: DEVNULL, ..sh }).await?;
        let stdout = transport.get_pipe_transport(1).expect("stdout is a pipe");
        until(|| n_bytes.get() > 0).await;
        stdout.pause_reading();
        let n_read = n_bytes.get();
        sleep(20 * MS).await;
        assert_eq!(n_bytes.get(), n_read, "nothing is read, and the pipe is full");
        assert!(!lines.has("process_exited"));
        transport.close();
        transport.closed().await;
        assert!(lines.has("process_exited rc=-9"));
        assert_reaped(transport.get_pid());
        Ok(())
    });
}

// ---- signals

#[test]
fn signals_reach_the_process_then_are_ignored_and_then_find_none() {
    real(async |nursery| {
        let (recorder, lines) = Recorder::new();
        let recorder = recorder.reacting(|recorder, line| {
            if line.starts_with("process_exited") {
                let transport = recorder.transport();
                transport.terminate()?;
                transport.kill()?;
                transport.send_signal(0)?;
            }
            Ok(())
        });
        let script = "trap 'echo usr1' USR1; echo ready; while :; do read line; done";
        let transport = start(&nursery, true, recorder, script, |sh| Sh { stdin: PIPE, stderr: DEVNULL, ..sh }).await?;
        until(|| lines.has("pipe_data 1 \"ready")).await;
        transport.send_signal(0)?;
        for number in [-1, 999, i32::MAX, i32::MIN] {
            let err = transport.send_signal(number).expect_err("no such signal");
            assert_eq!(raw_os_error(&err), Some(EINVAL));
        }
        transport.send_signal(rustix::process::Signal::USR1.as_raw())?;
        until(|| lines.has("pipe_data 1 \"usr1")).await;
        transport.terminate()?;
        transport.closed().await;
        assert_eq!(transport.get_returncode(), Some(-SIGTERM));
        for outcome in [transport.terminate(), transport.kill(), transport.send_signal(0)] {
            assert_eq!(raw_os_error(&outcome.expect_err("the process is gone")), Some(ESRCH));
        }
        transport.close();
        Ok(())
    });
}

fn raw_os_error(err: &Error) -> Option<i32> {
    err.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error)
}

// ---- failing callbacks

#[test]
fn errors_of_callbacks_are_reported_and_the_process_lives_on() {
    for is_shared in [true, false] {
        real(async |nursery| {
            let reports = Reports::of(&nursery);
            let (recorder, lines) = Recorder::new();
            let recorder =
                recorder.reacting(|_, line| Err(Error::msg(line.split(' ').next().unwrap_or_default().to_owned())));
            let transport = start(&nursery, is_shared, recorder, "echo out", |sh| Sh { stderr: DEVNULL, ..sh }).await?;
            transport.closed().await;
            lines.assert(&["made", "pipe_data 1", "pipe_lost 1 None", "process_exited rc=0", "lost None"]);
            let mut reports = reports.take();
            reports.sort();
            assert_eq!(
                reports,
                [
                    "Exception in callback connection_lost: lost",
                    "Exception in callback connection_made: made",
                    "Exception in callback pipe_connection_lost: pipe_lost",
                    "Exception in callback pipe_data_received: pipe_data",
                    "Exception in callback process_exited: process_exited",
                ]
            );
            Ok(())
        });
    }
}

#[test]
fn a_panic_kills_the_process_and_only_connection_lost_follows() {
    for is_shared in [true, false] {
        real(async |nursery| {
            let reports = Reports::of(&nursery);
            let (recorder, lines) = Recorder::new();
            let recorder = recorder.reacting(|_, line| match line.starts_with("pipe_data") {
                true => panic!("no more"),
                false => Ok(()),
            });
            let transport =
                start(&nursery, is_shared, recorder, "echo out; exec sleep 3600", |sh| Sh { stderr: PIPE, ..sh })
                    .await?;
            let exc = transport.closed().await.expect("the panic is what ended it");
            assert_eq!(exc.to_string(), "panicked: no more");
            assert_eq!(lines.all(), ["made", "pipe_data 1", "lost panicked: no more"]);
            assert_eq!(reports.take(), ["Exception in callback pipe_data_received: panicked: no more"]);
            assert_eq!(transport.get_returncode(), Some(-SIGKILL));
            Ok(())
        });
    }
}

#[test]
fn a_task_of_the_process_ends_with_it_and_its_error_ends_the_process() {
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let (recorder, _) = Recorder::new();
        let transport = start(&nursery, true, recorder, "exit 0", |sh| sh).await?;
        let log = log::Log::default();
        let dropped = log.at_drop("dropped");
        transport.start_soon(async move {
            let _dropped = dropped;
            sleep_forever().await;
        });
        transport.closed().await;
        until(|| nursery.n_children() == 0).await;
        assert_eq!(log.said(), "dropped");

        let (recorder, lines) = Recorder::new();
        let transport = start(&nursery, true, recorder, "exec sleep 3600", |sh| sh).await?;
        transport.start_soon(async { Err(Error::msg("boom")) as Result<()> });
        assert_eq!(transport.closed().await.map(|exc| exc.to_string()).as_deref(), Some("boom"));
        assert!(lines.has("lost boom"));
        assert_eq!(reports.take(), ["Fatal error: a task of the process failed.: boom"]);
        Ok(())
    });
}

// ---- arguments

#[test]
fn the_program_gets_its_arguments_environment_and_directory() {
    real(async |nursery| {
        let output = Rc::new(RefCell::new(Vec::new()));
        let (sink, path) = (Sink(output.clone()), std::env::temp_dir().canonicalize()?);
        let (transport, _) = subprocess_exec(&nursery, || sink, "sh")
            .args(["-c", r#"printf '%s|' "$@" "$A" "$B" "$C" "$HOME" "$PWD""#, "sh"])
            .arg("an argument")
            .args([OsStr::new("and another")])
            .env("HOME", "elsewhere")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("A", "1")
            .envs([("B", "2"), ("C", "3")])
            .env_remove("B")
            .cwd(&path)
            .process_group(0)
            .stdin(DEVNULL)
            .stderr(DEVNULL)
            .await?;
        transport.closed().await;
        let expected = format!("an argument|and another|1||3||{}|", path.display());
        assert_eq!(String::from_utf8_lossy(&output.borrow()), expected);
        Ok(())
    });
}

/// Keeps all output.
struct Sink(Rc<RefCell<Vec<u8>>>);

impl SubprocessProtocol for Sink {
    fn pipe_data_received(&mut self, _fd: i32, data: &[u8]) -> Result<()> {
        self.0.borrow_mut().extend_from_slice(data);
        Ok(())
    }
}

#[test]
fn a_descriptor_can_be_given_for_each_stream() {
    real(async |nursery| {
        let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        let ((stdin, input), (output, stdout)) = (pipe()?, pipe()?);
        rustix::io::write(&input, b"given")?;
        drop(input);
        let (transport, _) = subprocess_exec(&nursery, || Sink(Rc::default()), "cat")
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::Inherit)
            .await?;
        transport.closed().await;
        let mut data = String::new();
        File::from(output).read_to_string(&mut data)?;
        assert_eq!(data, "given");
        Ok(())
    });
}

#[test]
fn what_makes_no_sense_is_refused_before_the_factory() {
    real(async |nursery| {
        let factory = || -> Exclusive { unreachable!("nothing is made") };
        for refused in [
            subprocess_exec(&nursery, factory, "true").stdout(STDOUT).await,
            subprocess_exec(&nursery, factory, "true").stdin(STDOUT).await,
            subprocess_shell(&nursery, factory, "true").stdin(STDOUT).await,
        ] {
            let err = refused.map(drop).unwrap_err();
            assert!(err.is::<ValueError>());
            assert_eq!(err.to_string(), "STDOUT can only be used for stderr");
        }
        let closed = RefCell::new(None);
        open_nursery(async |inner| {
            closed.replace(Some(inner));
            Ok(())
        })
        .await?;
        let closed = closed.take().expect("it was open");
        let err = subprocess_exec(&closed, factory, "true").await.map(drop).unwrap_err();
        assert!(err.is::<Closed>());
        // A NUL byte cannot be handed on.
        let err = subprocess_exec(&nursery, || Sink(Rc::default()), "true").arg("a\0b").await.map(drop).unwrap_err();
        assert!(err.is_os_error());
        let err = subprocess_exec(&nursery, || Sink(Rc::default()), "").await.map(drop).unwrap_err();
        assert!(err.is_os_error());
        Ok(())
    });
}

#[test]
fn the_loop_has_both_verbs_and_the_transport_knows_itself() {
    real(async |nursery| {
        let loop_ = Loop::new(&nursery);
        let (recorder, lines) = Recorder::new();
        let (transport, protocol) = loop_.subprocess_exec(|| Shared(recorder), "sh").args(["-c", "exit 4"]).await?;
        let Some(ExtraInfo::Other(popen)) = transport.get_extra_info("subprocess") else { panic!("no subprocess") };
        assert_eq!(popen.downcast_ref::<SubprocessTransportRef>(), Some(&transport));
        assert!(transport.get_extra_info("peername").is_none());
        assert_eq!(transport, protocol.transport());
        assert_ne!(transport, SubprocessTransportRef::default());
        let (recorder, more) = Recorder::new();
        recorder.transport.replace(transport.clone());
        let successor = transport.set_protocol(Shared(recorder));
        let debug = format!("{transport:?}");
        assert!(debug.starts_with(&format!("process {} (running) at ", transport.get_pid())), "{debug}");
        transport.closed().await;
        assert_eq!(lines.all(), ["made"]);
        let expected = ["pipe_lost 0 None", "pipe_lost 1 None", "pipe_lost 2 None", "process_exited rc=4", "lost None"];
        more.assert(&expected);
        assert!(transport.get_protocol().is_none());
        successor.transport.replace(SubprocessTransportRef::default());
        let (other, _) = loop_.subprocess_shell(|| Exclusive(Recorder::default()), "exit 5").await?;
        assert_eq!(other.exited().await, 5);
        Ok(())
    });
}

#[test]
fn a_detached_transport_is_closing_and_finds_no_process() {
    real(async |_nursery| {
        let transport = SubprocessTransportRef::default();
        assert!(transport.is_closing());
        assert_eq!((transport.get_pid(), transport.get_returncode()), (0, None));
        assert!(transport.get_pipe_transport(0).is_none());
        assert_eq!(raw_os_error(&transport.kill().expect_err("there is none")), Some(ESRCH));
        assert!(transport.closed().await.is_none());
        Ok(())
    });
}

// ---- cancellation

#[test]
fn a_cancelled_nursery_ends_after_its_process_was_asked_reaped_and_lost() {
    for is_shared in [true, false] {
        let (recorder, lines) = Recorder::new();
        let pid = Cell::new(0);
        bounded(false, async {
            open_nursery(async |nursery| {
                let transport =
                    start(&nursery, is_shared, recorder, "exec sleep 3600", |sh| Sh { stdin: PIPE, ..sh }).await?;
                pid.set(transport.get_pid());
                nursery.cancel();
                assert!(!transport.is_closing());
                Ok(())
            })
            .await?;
            assert_reaped(pid.get());
            Ok(())
        })
        .expect("the test ends in time");
        lines.assert(&[
            "made",
            "pipe_lost 0 None",
            "pipe_lost 1 None",
            "pipe_lost 2 None",
            "process_exited rc=-15",
            "lost None",
        ]);
    }
}

#[test]
fn a_process_that_ignores_sigterm_is_killed_after_the_grace() {
    for grace in [Duration::ZERO, 30 * MS] {
        let (recorder, lines) = Recorder::new();
        bounded(false, async {
            let started = tokio::time::Instant::now();
            open_nursery(async |nursery| {
                let inner = lines.clone();
                let (transport, _) =
                    subprocess_shell(&nursery, || Exclusive(recorder), "trap '' TERM; echo ready; while :; do :; done")
                        .kill_grace(grace)
                        .await?;
                until(|| inner.has("pipe_data 1")).await;
                nursery.cancel();
                turns(1).await;
                assert!(transport.is_closing());
                Ok(())
            })
            .await?;
            assert!(started.elapsed() >= grace);
            Ok(())
        })
        .expect("the test ends in time");
        assert!(lines.has("process_exited rc=-9"), "{:?}", lines.all());
        assert_eq!(lines.all().last().map(String::as_str), Some("lost None"));
    }
}

#[test]
fn a_process_may_use_the_grace_to_clean_up() {
    let (recorder, lines) = Recorder::new();
    bounded(false, async {
        open_nursery(async |nursery| {
            let inner = lines.clone();
            let script = "trap 'kill -KILL $!; exit 42' TERM; sleep 3600 & echo ready; wait";
            subprocess_shell(&nursery, || Exclusive(recorder), script).kill_grace(NEVER).await?;
            until(|| inner.has("pipe_data 1")).await;
            nursery.cancel();
            Ok(())
        })
        .await?;
        Ok(())
    })
    .expect("the test ends in time");
    assert!(lines.has("process_exited rc=42"), "{:?}", lines.all());
}

#[test]
fn a_stopped_process_is_killed_after_the_grace_too() {
    let (recorder, lines) = Recorder::new();
    bounded(false, async {
        open_nursery(async |nursery| {
            let (transport, _) =
                subprocess_exec(&nursery, || Exclusive(recorder), "sleep").arg("3600").kill_grace(30 * MS).await?;
            transport.send_signal(rustix::process::Signal::STOP.as_raw())?;
            until(|| is_stopped(transport.get_pid())).await;
            nursery.cancel();
            Ok(())
        })
        .await?;
        Ok(())
    })
    .expect("the test ends in time");
    assert!(lines.has("process_exited rc=-9"), "{:?}", lines.all());
}

fn is_stopped(pid: u32) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_raw(pid as i32).expect("a process id");
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), options).is_ok_and(|status| status.is_some())
}

#[test]
fn close_after_the_cancellation_cuts_the_grace() {
    let (recorder, lines) = Recorder::new();
    bounded(false, async {
        open_nursery(async |nursery| {
            let recorder = recorder.reacting(|recorder, line| {
                if line.starts_with("pipe_lost 2") {
                    recorder.transport().close();
                }
                Ok(())
            });
            let inner = lines.clone();
            let script = "trap '' TERM; echo ready; while :; do :; done";
            subprocess_shell(&nursery, || Exclusive(recorder), script).kill_grace(NEVER).await?;
            until(|| inner.has("pipe_data 1")).await;
            nursery.cancel();
            Ok(())
        })
        .await?;
        Ok(())
    })
    .expect("the test ends in time");
    assert!(lines.has("process_exited rc=-9"), "{:?}", lines.all());
}

#[test]
fn a_grandchild_that_holds_the_pipes_does_not_hold_up_a_cancellation_nor_a_close() {
    for is_closed in [false, true] {
        let (recorder, lines) = Recorder::new();
        bounded(false, async {
            open_nursery(async |nursery| {
                // It holds stdin without reading it, stdout and stderr.
                let script = "exec 3<&0; sleep 3600 <&3 & echo $!; exit 0";
                let transport = start(&nursery, true, recorder, script, |sh| Sh { stdin: PIPE, ..sh }).await?;
                until(|| lines.has("pipe_data 1")).await;
                let stdin = transport.get_pipe_transport(0).expect("stdin is a pipe");
                stdin.write(&[0; 1024 * 1024])?;
                assert_eq!(transport.exited().await, 0);
                turns(10).await;
                assert!(!lines.has("lost"));
                let grandchild =
                    lines.0.borrow().iter().find_map(|line| {
                        line.strip_prefix("pipe_data 1 \"")?.strip_suffix("\\n\"")?.parse::<i32>().ok()
                    });
                if is_closed {
                    transport.close();
                } else {
                    nursery.cancel();
                }
                let scope = foster_compat::shield(transport.closed());
                assert!(scope.await.is_none());
                let pid = grandchild.and_then(rustix::process::Pid::from_raw).expect("it said its id");
                rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
                Ok(())
            })
            .await?;
            Ok(())
        })
        .expect("the test ends in time");
        assert_eq!(lines.all().last().map(String::as_str), Some("lost None"));
    }
}

#[test]
fn a_call_that_is_dropped_kills_its_process_and_no_callback_comes() {
    let (recorder, lines) = Recorder::new();
    real(async |nursery| {
        let mut starting =
            Box::pin(subprocess_exec(&nursery, || Exclusive(recorder), "sleep").arg("3600").into_future());
        assert!(is_pending(&mut starting).await, "it waits for connection_made");
        assert_eq!(nursery.n_children(), 4);
        drop(starting);
        until(|| nursery.n_children() == 0).await;
        Ok(())
    });
    assert!(lines.all().is_empty());
}

#[test]
fn in_a_cancelled_nursery_no_program_is_started() {
    let factory = || -> Exclusive { unreachable!("nothing is made") };
    bounded(false, async {
        // From inside it gives way, from outside it is refused.
        let is_past = Cell::new(false);
        open_nursery(async |nursery| {
            nursery.cancel();
            let _ = subprocess_exec(&nursery, factory, "true").await;
            is_past.set(true);
            Ok(())
        })
        .await?;
        assert!(!is_past.get());
        open_nursery(async |outer| {
            open_nursery(async |inner| {
                inner.cancel();
                let inner = inner.clone();
                outer.start_soon(async move {
                    let err = subprocess_exec(&inner, factory, "true").await.map(drop).unwrap_err();
                    assert!(err.is::<RuntimeError>() || err.is::<Closed>(), "{err}");
                });
                foster_compat::shield(turns(5)).await;
                Ok(())
            })
            .await?;
            Ok(())
        })
        .await?;
        Ok(())
    })
    .expect("the test ends in time");
}

#[test]
fn a_scope_around_the_wait_leaves_the_process_alone() {
    real(async |nursery| {
        let (recorder, lines) = Recorder::new();
        let transport = start(&nursery, true, recorder, "exec sleep 3600", |sh| sh).await?;
        assert!(move_on_after(10 * MS, transport.closed()).await.is_none());
        assert!(!lines.has("lost"));
        transport.kill()?;
        transport.closed().await;
        Ok(())
    });
}

// ---- a loop or a nursery that foreign code drops

#[test]
fn a_loop_that_is_dropped_calls_connection_lost_and_leaves_no_process() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for is_shared in [true, false] {
        let (recorder, lines) = Recorder::new();
        let pid = Rc::new(Cell::new(0));
        runtime.block_on(async {
            let told = pid.clone();
            let running = run_here(async {
                open_nursery(async |nursery| {
                    let transport =
                        start(&nursery, is_shared, recorder, "exec sleep 3600", |sh| Sh { stdin: PIPE, ..sh }).await?;
                    told.set(transport.get_pid());
                    sleep_forever().await;
                    Ok(())
                })
                .await
            });
            let mut running = Box::pin(running);
            while pid.get() == 0 {
                tokio::select! {
                    _ = &mut running => panic!("it runs for ever"),
                    () = tokio::time::sleep(MS) => {}
                }
            }
            drop(running);
            // Killed already; tokio reaps it when it hears of it.
            while is_there(pid.get()) {
                tokio::time::sleep(MS).await;
            }
        });
        lines.0.borrow_mut().retain(|line| !line.starts_with("process_exited"));
        lines.assert(&["made", "pipe_lost 0 None", "pipe_lost 1 None", "pipe_lost 2 None", "lost None"]);
    }
}

#[test]
fn a_nursery_that_is_dropped_outright_kills_its_process_at_once() {
    for n_polls in 1..6 {
        let (recorder, lines) = Recorder::new();
        real(async |outer| {
            let pid = Rc::new(Cell::new(0));
            let told = pid.clone();
            let mut inner = Box::pin(open_nursery(async |nursery: Nursery| {
                let transport =
                    start(&nursery, true, recorder, "exec sleep 3600", |sh| Sh { stdin: PIPE, ..sh }).await?;
                told.set(transport.get_pid());
                sleep_forever().await;
                Ok(())
            }));
            for _ in 0..n_polls {
                assert!(is_pending(&mut inner).await);
                turns(1).await;
            }
            drop(inner);
            until(|| outer.n_children() == 0).await;
            Ok(())
        });
        // The loop has waited for it.
        let all = lines.all();
        match lines.has("made") {
            true => lines.assert(&[
                "made",
                "pipe_lost 0 None",
                "pipe_lost 1 None",
                "pipe_lost 2 None",
                "process_exited rc=-9",
                "lost None",
            ]),
            false => assert!(all.is_empty(), "{all:?}"),
        }
    }
}

/// Polls a future once and says whether it waits.
async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
}

// ---- descriptors and zombies

#[test]
fn a_hundred_processes_leave_neither_a_descriptor_nor_a_child() {
    if !in_process_of_its_own("a_hundred_processes_leave_neither_a_descriptor_nor_a_child") {
        return;
    }
    real(async |nursery| {
        let (warm_up, _) = subprocess_shell(&nursery, || Sink(Rc::default()), "exit 0").await?;
        warm_up.closed().await;
        let n_before = count_descriptors();
        for round in 0..10 {
            let mut transports = Vec::new();
            for n in 0..10 {
                let (recorder, _) = Recorder::new();
                let script = match (round + n) % 5 {
                    0 => "exit 1",
                    1 => "echo out; echo err >&2",
                    2 => "exec sleep 3600",
                    3 => "kill -KILL $$",
                    _ => "exec 1>&- 2>&-; read line",
                };
                let (transport, _) = subprocess_shell(&nursery, || Shared(recorder), script).await?;
                transports.push(transport);
                let refused = subprocess_exec(&nursery, || Sink(Rc::default()), "/no/such/program").await;
                assert!(refused.is_err());
            }
            for transport in &transports {
                transport.close();
            }
            for transport in transports {
                transport.closed().await;
            }
            until(|| nursery.n_children() == 0).await;
            assert_eq!(count_descriptors(), n_before);
        }
        let status = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
        assert_eq!(status.err(), Some(rustix::io::Errno::CHILD), "no child is left");
        Ok(())
    });
}

#[test]
fn many_processes_that_exit_at_once_are_all_heard_of() {
    real(async |nursery| {
        let n_lost = Rc::new(Cell::new(0));
        for _ in 0..40 {
            let counted = n_lost.clone();
            let (recorder, _) = Recorder::new();
            let recorder = recorder.reacting(move |_, line| {
                counted.set(counted.get() + usize::from(line == "lost None"));
                Ok(())
            });
            subprocess_exec(&nursery, || Shared(recorder), "true").await?;
        }
        until(|| n_lost.get() == 40).await;
        Ok(())
    });
}

#[test]
fn out_of_descriptors_no_program_is_started_and_nothing_leaks() {
    if !in_process_of_its_own("out_of_descriptors_no_program_is_started_and_nothing_leaks") {
        return;
    }
    real(async |nursery| {
        let (warm_up, _) = subprocess_shell(&nursery, || Sink(Rc::default()), "exit 0").await?;
        warm_up.closed().await;
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        rustix::process::setrlimit(
            rustix::process::Resource::Nofile,
            rustix::process::Rlimit { current: Some(count_descriptors() as u64 + 12), ..limit },
        )?;
        let mut hoard = Vec::new();
        let mut n_failed = 0;
        while let Ok(file) = File::open("/dev/null") {
            let n_before = count_descriptors();
            match subprocess_exec(&nursery, || Sink(Rc::default()), "true").await {
                Ok((transport, _)) => drop(transport.closed().await),
                Err(err) => {
                    assert!(err.is_os_error());
                    n_failed += 1;
                }
            }
            until(|| nursery.n_children() == 0).await;
            assert_eq!(count_descriptors(), n_before);
            hoard.push(file);
        }
        assert!(n_failed > 5, "{n_failed}");
        let status = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
        assert_eq!(status.err(), Some(rustix::io::Errno::CHILD), "no child is left");
        Ok(())
    });
}

fn count_descriptors() -> usize {
    std::fs::read_dir("/dev/fd").map_or(0, Iterator::count)
}

/// Runs the test called `name` again in another process; true inside it.
fn in_process_of_its_own(name: &str) -> bool {
    const INSIDE: &str = "FOSTER_TEST_PROCESS";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let status = Command::new(std::env::current_exe().expect("the test has a path"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("the test can be run");
    assert!(status.success(), "{name} failed in its process: {status}");
    false
}
