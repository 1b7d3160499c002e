//! Programs of others as peers: found, started, heard, and ended.

#![allow(dead_code, reason = "each test binary needs only a part")]

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use foster_compat::{move_on_after, sleep};

/// Longer than any program takes on a loaded machine, and shorter than the bound of a test, so that what the program
/// has said is shown.
const PATIENCE: Duration = Duration::from_secs(20);

/// Set to `1` where a missing program is a failure and not a reason to leave a check out.
const REQUIRE: &str = "FOSTER_REQUIRE_CLIENTS";

/// The programs, or `None` where one is not installed: the running test is then left out, which standard error says.
pub(crate) fn programs<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let found = names.map(|name| (name, if name == "python3" { python() } else { find(name) }));
    if let Some((missing, _)) = found.iter().find(|(_, path)| path.is_none()) {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        let is_required = std::env::var(REQUIRE).is_ok_and(|value| value == "1");
        assert!(!is_required, "{missing} is not installed, and {REQUIRE} is set");
        // Not `eprintln!`, which is kept back from those who run a test that passes.
        let _ = writeln!(std::io::stderr(), "left out, for {missing} is not installed: {test}");
        return None;
    }
    Some(found.map(|(_, path)| path.unwrap_or_default()))
}

/// As [`programs`], for one.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    programs([name]).map(|[path]| path)
}

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The interpreter itself, which starts faster than what a manager of versions may have put in its place.
fn python() -> Option<PathBuf> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let ask = || {
        let script = "import ssl, asyncio, sys; print(sys.executable)";
        let output = Command::new(find("python3")?).args(["-c", script]).output().ok()?;
        let executable = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| PathBuf::from(executable.trim_end()))
    };
    PYTHON.get_or_init(ask).clone()
}

/// A program that runs. It is killed, and waited for, when it is dropped.
pub(crate) struct Peer {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Heard,
    stderr: Heard,
}

/// What a program has said when it was over.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Peer {
    pub(crate) fn start(program: &Path, args: &[&dyn AsRef<OsStr>]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("an installed program starts");
        Peer {
            name: program.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            stdin: child.stdin.take(),
            stdout: Heard::listen(child.stdout.take()),
            stderr: Heard::listen(child.stderr.take()),
            child,
        }
    }

    /// Runs a script, behind what all of them begin with. Its arguments are `sys.argv[1:]`.
    pub(crate) fn python(python: &Path, script: &str, args: &[&dyn AsRef<OsStr>]) -> Self {
        let script = format!("{PRELUDE}{script}");
        let options: [&dyn AsRef<OsStr>; 4] = [&"-I", &"-S", &"-c", &script];
        Peer::start(python, &[&options[..], args].concat())
    }

    /// Writes to its standard input, at most what a pipe holds, and waits until it has read that: what comes next is
    /// another read of its own.
    pub(crate) async fn send(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(text.as_bytes()).expect("the program reads");
        self.hears(|peer| peer.has_read(), &format!("read {text:?}")).await;
    }

    fn has_read(&self) -> bool {
        self.stdin
            .as_ref()
            .is_none_or(|stdin| rustix::io::ioctl_fionread(stdin).expect("a pipe says what is in it") == 0)
    }

    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until it has said this.
    pub(crate) async fn says(&self, text: &str) {
        self.hears(|peer| peer.stdout.has(text) || peer.stderr.has(text), &format!("say {text:?}")).await;
    }

    /// Waits until it has said this so many times.
    pub(crate) async fn says_times(&self, n: usize, text: &str) {
        let count = |heard: &Heard| heard.text().matches(text).count();
        self.hears(|peer| count(&peer.stdout) + count(&peer.stderr) >= n, &format!("say {text:?} {n} times")).await;
    }

    /// Waits until it has said where it listens: the number behind this.
    pub(crate) async fn port(&self, behind: &str) -> u16 {
        let find = |text: String| {
            let (_, rest) = text.split_once(behind)?;
            let (line, _) = rest.split_once('\n')?;
            line.split(|it: char| !it.is_ascii_digit()).find(|it| !it.is_empty())?.parse().ok()
        };
        let find = |peer: &Peer| find(peer.stdout.text()).or_else(|| find(peer.stderr.text()));
        self.hears(|peer| find(peer).is_some(), "say where it listens").await;
        find(self).unwrap_or_default()
    }

    async fn hears(&self, is_so: impl Fn(&Peer) -> bool, what: &str) {
        let waiting = move_on_after(PATIENCE, async {
            while !is_so(self) {
                sleep(Duration::from_millis(1)).await;
            }
        });
        assert!(waiting.await.is_some(), "{} does not {what}: {:?} {:?}", self.name, self.stdout, self.stderr);
    }

    /// Waits for its end.
    pub(crate) async fn ends(mut self) -> Said {
        let waiting = move_on_after(PATIENCE, async {
            loop {
                if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                    return status;
                }
                sleep(Duration::from_millis(1)).await;
            }
        });
        let Some(status) = waiting.await else {
            panic!("{} does not end: {:?} {:?}", self.name, self.stdout, self.stderr)
        };
        Said { status, stdout: self.stdout.all(), stderr: self.stderr.all() }
    }

    /// Waits for its end, which has to be a good one.
    pub(crate) async fn succeeds(self) -> Said {
        let name = self.name.clone();
        let said = self.ends().await;
        assert!(said.status.success(), "{name} has failed with {}\n{}\n{}", said.status, said.stdout, said.stderr);
        said
    }

    /// Ends it at once, in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

/// One of a program's outputs, read by a thread so that the program never waits.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Heard {
    fn listen(output: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let heard = bytes.clone();
        let thread = output.map(|mut output| {
            std::thread::spawn(move || {
                let mut chunk = [0; 8192];
                while let Ok(n @ 1..) = output.read(&mut chunk) {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..n]);
                }
            })
        });
        Heard { bytes, thread }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn has(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// All of it, after the end of the program.
    fn all(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it only reads");
        }
        self.text()
    }
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.text().fmt(f)
    }
}

/// A folder of the test's own, removed with all that is in it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static N_FOLDERS: AtomicU32 = AtomicU32::new(0);
        let n = N_FOLDERS.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("foster-interop-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }

    /// A file with this text.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file can be written");
        path
    }

    /// Where a file of this name is, or would be.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What every script begins with. `trusting` is a client's context, `serving` a server's; `listen` says where.
const PRELUDE: &str = r#"
import hashlib, os, socket, ssl, struct, sys, threading
socket.setdefaulttimeout(40)

def trusting(cafile):
    return ssl.create_default_context(cafile=cafile)

def serving(certfile, keyfile):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certfile, keyfile)
    return context

def connect(port):
    return socket.create_connection(("127.0.0.1", int(port)))

def listen():
    listener = socket.create_server(("127.0.0.1", 0))
    say("listening", listener.getsockname()[1])
    return listener

def say(*words):
    print(*words, flush=True)

def read_exactly(sock, n):
    data = bytearray()
    while len(data) < n:
        chunk = sock.recv(min(n - len(data), 1 << 20))
        assert chunk, f"the end after {len(data)} of {n} bytes"
        data += chunk
    return bytes(data)

def read_to_end(sock):
    data = bytearray()
    while chunk := sock.recv(1 << 20):
        data += chunk
    return bytes(data)

def pattern(n):
    return (bytes(range(251)) * (n // 251 + 1))[:n]

"#;
