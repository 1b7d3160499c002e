//! [`AccessLog`]: a line for each request, as Gunicorn and Hypercorn write it, or as JSON.
//!
//! ```text
//!   exchange ──> Entry ──> Logger, of each worker ──line──> Writer ──many lines at once──> its thread ──> file, stdout, ...
//! ```

mod date;
mod entry;
mod format;
mod json;
mod line;
mod logger;
mod writer;

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use foster_compat::Result;

pub(crate) use entry::{Entry, Known};
pub(crate) use logger::Logger;

use format::Format;
use writer::Writer;

/// Where a server writes a line for each request, and how it looks. For [`Config::access_log`](crate::Config::access_log).
///
/// The format is Hypercorn's unless set: [`HYPERCORN`](AccessLog::HYPERCORN). A request is written down when its answer
/// was handed to the transport, or it was cancelled; one that was refused before a handler saw it, too, with what is
/// known of it. Control bytes, quotes, backslashes and bytes beyond ASCII stand as `\xHH`, so that no client can forge a
/// line.
///
/// Lines are written by a thread of its own, many at once, so that a slow disk or a reader that stands still does not
/// hold the loop up; lines of several workers do not mix. Up to 1 MiB of lines waits; what comes beyond it is dropped,
/// and reported. A server that ends waits until everything is written, for 5 s at most.
///
/// # Examples
///
/// ```
/// use foster::{AccessLog, Config};
///
/// let config = Config::new().access_log(AccessLog::stdout());
/// let config = config.access_log(AccessLog::stderr().format(r#"%(h)s "%(r)s" %(s)s %(M)s ms %({x-request-id}i)s"#)?);
/// let config = config.access_log(AccessLog::stderr().json());
/// # foster::Ok(())
/// ```
#[derive(Clone)]
pub struct AccessLog {
    format: Arc<Format>,
    writer: Arc<Writer>,
}

impl AccessLog {
    /// Hypercorn's default format.
    pub const HYPERCORN: &str = r#"%(h)s %(l)s %(l)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;

    /// To the standard output.
    pub fn stdout() -> Self {
        AccessLog::writer(io::stdout())
    }

    /// To the standard error output.
    pub fn stderr() -> Self {
        AccessLog::writer(io::stderr())
    }

    /// To the end of a file, which is made if there is none. Copy and truncate it to rotate it.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub fn file(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(AccessLog::writer(File::options().append(true).create(true).open(path)?))
    }

    /// To anything that takes bytes; it gets whole lines, and is flushed after them. An error is reported once, until
    /// writing works again.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        let format = Format::parse(AccessLog::HYPERCORN).expect("the format was tested");
        AccessLog { format: Arc::new(format), writer: Arc::new(Writer::new(Box::new(writer))) }
    }

    /// To a closure, which gets each line without its end, on the thread that writes.
    pub fn call(call: impl FnMut(&str) + Send + 'static) -> Self {
        AccessLog::writer(Lines(call))
    }

    /// Sets the format, which has Gunicorn's atoms: `%(h)s`.
    ///
    /// | Atom | |
    /// |---|---|
    /// | `h` | the address of the client, without its port; `-` over a Unix socket |
    /// | `l` | `-` |
    /// | `u` | the user that `Authorization: Basic` names |
    /// | `t` | when the line was written: `[06/Nov/1994:08:49:37 +0000]`, always in UTC |
    /// | `r`, `R` | the request line as it came (Hypercorn's `r` has no query) |
    /// | `m`, `U`, `q`, `Uq`, `H` | method, path, query, both, protocol |
    /// | `S` | the scheme: `http` or `https` |
    /// | `s`, `st` | the status, and its phrase; `-` if the request was cancelled before it had one |
    /// | `B`, `b` | how many bytes of the body were sent; `b` is `-` for none |
    /// | `f`, `a` | `Referer` and `User-Agent` |
    /// | `T`, `M`, `D`, `L` | how long it took: in whole seconds, milliseconds, microseconds, and in seconds with six digits |
    /// | `p` | the process, as `<123>` |
    /// | `{name}i`, `{name}o` | a field of the request, and one that the handler has set in the response |
    /// | `{NAME}e` | a variable of the environment, as it is now |
    ///
    /// What is missing is `-`; `%%` is a percent sign.
    ///
    /// # Errors
    ///
    /// A [`ValueError`](crate::ValueError) for an atom that is none of these.
    pub fn format(self, format: &str) -> Result<Self> {
        Ok(AccessLog { format: Arc::new(Format::parse(format)?), ..self })
    }

    /// Writes an object of JSON a line instead: `time`, `remote_addr`, `method`, `path`, `query`, `protocol`, `host`,
    /// `status`, `size`, `duration` in seconds, `referer`, `user_agent`; what is missing is null. Bytes that are no UTF-8
    /// stand as U+FFFD.
    pub fn json(self) -> Self {
        AccessLog { format: Arc::new(Format::Json), ..self }
    }

    /// Starts the thread that writes, if it does not run, and gives what a worker logs with.
    pub(crate) fn start(&self) -> Result<Logger> {
        self.writer.start()?;
        Ok(Logger::new(self.format.clone(), self.writer.clone()))
    }

    /// Waits until everything is written that was logged.
    pub(crate) async fn flushed(&self) {
        self.writer.flushed().await;
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("format", &self.format).finish_non_exhaustive()
    }
}

/// Gives a closure whole lines.
struct Lines<F>(F);

impl<F: FnMut(&str)> Write for Lines<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            (self.0)(line.trim_end_matches('\n'));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
