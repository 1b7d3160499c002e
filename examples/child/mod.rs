//! The examples as a test runs them: as programs of their own, on a free port, with their output captured.
#![allow(dead_code, reason = "not every example is tested in every way")]

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long a test waits for what has to come: far beyond what a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long a server may take to let its clients go.
pub(crate) const STOPS_WITHIN: Duration = Duration::from_secs(1);

/// A serving example. Dropping it kills the process.
pub(crate) struct Child {
    process: std::process::Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
    pub(crate) address: SocketAddr,
}

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// The lines on stdout that the test has not read.
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Child {
    /// Starts the example on a free port and waits until it accepts.
    pub(crate) fn serve(name: &str) -> Self {
        Child::serve_with(name, &[])
    }

    /// As [`serve`](Child::serve), with further arguments.
    pub(crate) fn serve_with(name: &str, args: &[&str]) -> Self {
        let mut process = program(name)
            .args(["--port", "0"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example was built");
        let lines = lines_of(process.stdout.take().expect("stdout is piped"));
        let errors = lines_of(process.stderr.take().expect("stderr is piped"));
        let first = lines.recv_timeout(PATIENCE);
        let address = first.as_ref().ok().and_then(|line| line.strip_prefix("serving on ")?.parse().ok());
        let address = address.unwrap_or_else(|| panic!("the first line of {name} is {first:?}"));
        Child { process, lines, errors, address }
    }

    /// A client whose reads and writes are bounded.
    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// The most memory that the process has had in use so far, in bytes: what Linux calls its peak resident set.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("the process runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")?.trim().parse().ok());
        let n_kib: usize = peak.expect("Linux says how much");
        n_kib * 1024
    }

    /// The next line on stdout.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the example prints another line")
    }

    /// The next line on stderr.
    pub(crate) fn error_line(&self) -> String {
        self.errors.recv_timeout(PATIENCE).expect("the example prints another line on stderr")
    }

    /// Presses Ctrl-C and waits for the end; the connections of the clients have to end at once.
    pub(crate) fn interrupt(self, clients: &[&TcpStream]) -> Ended {
        for client in clients {
            client.set_read_timeout(Some(STOPS_WITHIN)).expect("the time-out is not zero");
        }
        self.signal("INT");
        for client in clients {
            let rest = receive_all(client);
            assert!(rest.is_empty(), "a client got {:?}", String::from_utf8_lossy(&rest));
        }
        self.ends()
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()]).status();
        assert!(kill.expect("kill is installed").success());
    }

    /// Waits for the end of the process.
    pub(crate) fn ends(mut self) -> Ended {
        // Both channels close when the process ends. That is not held to a second: to exit with 130 from `main`, a
        // debug build reads all its debug information first, which is long where everybody wants the processor.
        let mut ended = Ended { code: None, stdout: Vec::new(), stderr: Vec::new() };
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => ended.stdout.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the example did not stop: {ended:?}"),
            }
        }
        ended.stderr = self.errors.iter().collect();
        ended.code = self.process.wait().expect("the process is a child").code();
        ended
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Either fails only if the process has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs an example that is to end by itself.
pub(crate) fn run(name: &str, args: &[&str]) -> Output {
    program(name).args(args).stdin(Stdio::null()).output().expect("the example was built")
}

/// A client whose reads and writes are bounded.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect_timeout(&address, PATIENCE).expect("the server accepts");
    client.set_read_timeout(Some(PATIENCE)).expect("the time-out is not zero");
    client.set_write_timeout(Some(PATIENCE)).expect("the time-out is not zero");
    client.set_nodelay(true).expect("the socket is connected");
    client
}

/// Closes a client as a killed process with unread data does: the server gets a reset.
pub(crate) fn reset(client: TcpStream) {
    // Closing with bytes that were sent here and not read makes the kernel send a reset, not an end of stream.
    let mut byte = [0];
    client.peek(&mut byte).expect("the server has sent something");
    drop(client);
}

/// Reads exactly `len` bytes.
pub(crate) fn receive(mut client: &TcpStream, len: usize) -> Vec<u8> {
    let mut data = vec![0; len];
    client.read_exact(&mut data).expect("the server sends as much");
    data
}

/// Reads until the server closes the connection, with an end of stream or a reset.
pub(crate) fn receive_all(mut client: &TcpStream) -> Vec<u8> {
    let mut data = Vec::new();
    match client.read_to_end(&mut data) {
        Err(err) if err.kind() != std::io::ErrorKind::ConnectionReset => panic!("the server closes: {err}"),
        _ => data,
    }
}

/// The binary of an example. `cargo test` builds the examples as programs before it runs a test, into `examples`
/// beside the `deps` of the tests.
fn program(name: &str) -> Command {
    let test = env::current_exe().expect("a test knows where it is");
    let folder = test.parent().map(|folder| if folder.ends_with("deps") { folder.join("..") } else { folder.into() });
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let path: PathBuf = folder.expect("a program lies in a folder").join("examples").join(&file);
    assert!(
        path.exists(),
        "{} was not built: run cargo test without --test, or cargo build --examples",
        path.display()
    );
    Command::new(path)
}

/// The lines of a pipe as they come; closed at its end.
pub(crate) fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
