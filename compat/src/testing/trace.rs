//! [`Trace`]: a record of the callbacks that protocols got.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use crate::asyncio::{BufferedProtocol, Protocol, SharedProtocol, TransportRef};
use crate::error::{Error, Result};

/// The longest payload that a line shows.
const MAX_SHOWN: usize = 48;

/// Writes down the callbacks of one protocol or of many, in the order they came: a cheap clone.
///
/// The lines are `made`, `data 'abc'`, `get_buffer`, `buffer_updated 3`, `eof`, `pause_writing`, `resume_writing` and
/// `lost None`, and of a datagram protocol `datagram 'abc' from 192.0.2.2:50000` and `error ConnectionRefused`, each
/// written before the protocol is called. More than 48 bytes are shown as `data <49>`. An `io::Error` is shown by its
/// kind, `lost ConnectionReset`, any other by its message.
///
/// # Examples
///
/// ```
/// use foster_compat::testing::{self, Trace};
/// use foster_compat::{open_nursery, run};
///
/// run(open_nursery(async |nursery| {
///     let trace = Trace::new();
///     let (transport, _, peer) = testing::connect(&nursery, trace.recorder());
///     peer.send(b"hello");
///     peer.reset();
///     transport.closed().await;
///     assert_eq!(trace.lines(), ["made", "data 'hello'", "lost ConnectionReset"]);
///     trace.assert_complete();
///     Ok(())
/// }))?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone, Default)]
pub struct Trace {
    log: Rc<RefCell<Log>>,
}

#[derive(Default)]
struct Log {
    /// The number of the connection, if it is the line of one, and the line.
    lines: Vec<(Option<usize>, String)>,
    n_protocols: usize,
}

impl Trace {
    /// A trace without lines.
    pub fn new() -> Self {
        Trace::default()
    }

    /// Wraps a protocol: what [`connect`](super::connect) and factories take in its place, as it is for a
    /// [`Protocol`] or a [`DatagramProtocol`](crate::DatagramProtocol), or in [`Buffered`](crate::Buffered) or
    /// [`Shared`](crate::Shared) for the other kinds.
    pub fn wrap<P>(&self, protocol: P) -> Traced<P> {
        let mut log = self.log.borrow_mut();
        log.n_protocols += 1;
        Traced { protocol, number: log.n_protocols - 1, trace: self.clone() }
    }

    /// A protocol that does nothing but be recorded.
    pub fn recorder(&self) -> Traced<Silent> {
        self.wrap(Silent)
    }

    /// Adds a line of the test's own, which the check passes over.
    pub fn mark(&self, line: impl Into<String>) {
        self.log.borrow_mut().lines.push((None, line.into()));
    }

    /// All lines in their order.
    pub fn lines(&self) -> Vec<String> {
        self.log.borrow().lines.iter().map(|(_, line)| line.clone()).collect()
    }

    /// The lines of one protocol; they are numbered from 0 in the order they were wrapped.
    pub fn lines_of(&self, number: usize) -> Vec<String> {
        let log = self.log.borrow();
        log.lines.iter().filter(|(of, _)| *of == Some(number)).map(|(_, line)| line.clone()).collect()
    }

    /// How many lines are `line`, or begin with it and a space.
    pub fn count(&self, line: &str) -> usize {
        let is_it = |shown: &str| shown.strip_prefix(line).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        self.log.borrow().lines.iter().filter(|(_, shown)| is_it(shown)).count()
    }

    /// How many protocols were wrapped.
    pub fn n_protocols(&self) -> usize {
        self.log.borrow().n_protocols
    }

    /// What is wrong with the callbacks so far, one sentence each: one before `connection_made` or after
    /// `connection_lost`, one of these two called twice, and `pause_writing` and `resume_writing` that do not take
    /// turns.
    pub fn problems(&self) -> Vec<String> {
        self.examine(false)
    }

    /// Checks the callbacks of connections that are all over: every `connection_made` is followed by exactly one
    /// `connection_lost`, and all else is in order as [`problems`](Trace::problems) says. A protocol that was never
    /// called is in order too.
    ///
    /// # Panics
    ///
    /// With what is wrong.
    #[track_caller]
    pub fn assert_complete(&self) {
        let problems = self.examine(true);
        assert!(problems.is_empty(), "the callbacks are not in order:\n{}\nin {self:?}", problems.join("\n"));
    }

    fn examine(&self, is_over: bool) -> Vec<String> {
        let log = self.log.borrow();
        let mut calls = vec![Calls::default(); log.n_protocols];
        let mut problems = Vec::new();
        for (number, line) in &log.lines {
            if let Some(number) = *number {
                if let Err(problem) = calls[number].take(line) {
                    problems.push(format!("protocol {number}: {line}: {problem}"));
                }
            }
        }
        for (number, calls) in calls.iter().enumerate().filter(|_| is_over) {
            if calls.is_made && !calls.is_lost {
                problems.push(format!("protocol {number}: connection_made without connection_lost"));
            }
        }
        problems
    }

    fn record(&self, number: usize, line: String) {
        self.log.borrow_mut().lines.push((Some(number), line));
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in &self.log.borrow().lines {
            match number {
                Some(number) => writeln!(f, "{number}: {line}")?,
                None => writeln!(f, "-: {line}")?,
            }
        }
        Ok(())
    }
}

/// What the check knows of one protocol.
#[derive(Clone, Default)]
struct Calls {
    is_made: bool,
    is_lost: bool,
    is_paused: bool,
}

impl Calls {
    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        let call = line.split(' ').next().unwrap_or_default();
        if self.is_lost {
            return Err("called after connection_lost");
        }
        if self.is_made == (call == "made") {
            return Err(if self.is_made { "called twice" } else { "called before connection_made" });
        }
        match call {
            "made" => self.is_made = true,
            "lost" => self.is_lost = true,
            "pause_writing" if std::mem::replace(&mut self.is_paused, true) => return Err("paused already"),
            "resume_writing" if !std::mem::replace(&mut self.is_paused, false) => return Err("was not paused"),
            _ => {}
        }
        Ok(())
    }
}

/// A protocol whose callbacks a [`Trace`] records; derefs to the protocol.
#[derive(Debug)]
pub struct Traced<P> {
    pub(super) protocol: P,
    number: usize,
    trace: Trace,
}

impl<P> Traced<P> {
    /// The number of the protocol in its trace.
    pub fn number(&self) -> usize {
        self.number
    }

    pub(super) fn record(&self, line: &str) {
        self.trace.record(self.number, line.to_owned());
    }

    fn record_data(&self, data: &[u8]) {
        self.trace.record(self.number, format!("data {}", show(data)));
    }

    pub(super) fn record_lost(&self, exc: Option<&Error>) {
        self.trace.record(self.number, format!("lost {}", exc.map_or_else(|| "None".to_owned(), show_error)));
    }
}

impl<P> Deref for Traced<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.protocol
    }
}

impl<P> DerefMut for Traced<P> {
    fn deref_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

impl<P: Protocol> Protocol for Traced<P> {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.record("made");
        self.protocol.connection_made(transport)
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.record_data(data);
        self.protocol.data_received(data)
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.record("eof");
        self.protocol.eof_received()
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.record("pause_writing");
        self.protocol.pause_writing()
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.record("resume_writing");
        self.protocol.resume_writing()
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.record_lost(exc.as_ref());
        self.protocol.connection_lost(exc)
    }
}

impl<P: BufferedProtocol> BufferedProtocol for Traced<P> {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.record("made");
        self.protocol.connection_made(transport)
    }

    fn get_buffer(&mut self, sizehint: Option<usize>) -> Result<&mut [u8]> {
        self.record("get_buffer");
        self.protocol.get_buffer(sizehint)
    }

    fn buffer_updated(&mut self, nbytes: usize) -> Result<()> {
        self.record(&format!("buffer_updated {nbytes}"));
        self.protocol.buffer_updated(nbytes)
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.record("eof");
        self.protocol.eof_received()
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.record("pause_writing");
        self.protocol.pause_writing()
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.record("resume_writing");
        self.protocol.resume_writing()
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.record_lost(exc.as_ref());
        self.protocol.connection_lost(exc)
    }
}

impl<P: SharedProtocol> SharedProtocol for Traced<P> {
    fn connection_made(&self, transport: TransportRef) -> Result<()> {
        self.record("made");
        self.protocol.connection_made(transport)
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.record_data(data);
        self.protocol.data_received(data)
    }

    fn eof_received(&self) -> Result<bool> {
        self.record("eof");
        self.protocol.eof_received()
    }

    fn pause_writing(&self) -> Result<()> {
        self.record("pause_writing");
        self.protocol.pause_writing()
    }

    fn resume_writing(&self) -> Result<()> {
        self.record("resume_writing");
        self.protocol.resume_writing()
    }

    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        self.record_lost(exc.as_ref());
        self.protocol.connection_lost(exc)
    }
}

/// A protocol that does nothing, of each kind that reads by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Protocol for Silent {}

impl SharedProtocol for Silent {}

/// The payload in single quotes, or its length.
pub(super) fn show(data: &[u8]) -> String {
    if data.len() > MAX_SHOWN { format!("<{}>", data.len()) } else { format!("'{}'", data.escape_ascii()) }
}

/// The kind of an error of the operating system, or what another says.
pub(super) fn show_error(err: &Error) -> String {
    match err.downcast_ref::<io::Error>() {
        Some(err) => format!("{:?}", err.kind()),
        None => err.to_string(),
    }
}
