//! [`ScriptError`]: what a [`Script`](super::Script) has expected, and what came.

use std::fmt;
use std::time::Duration;

use super::peer::Peer;
use super::script::Step;

/// How much of what has come an error shows.
const MAX_SHOWN: usize = 200;

/// A step of a [`Script`](super::Script) has got something other than it expects. It prints as one line that says what was expected and
/// what came.
#[derive(Clone, Debug)]
pub struct ScriptError {
    /// From 1.
    pub(super) number: usize,
    pub(super) n_steps: usize,
    pub(super) step: Step,
    pub(super) found: Found,
}

/// What came instead.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) data: Vec<u8>,
    pub(super) then: Then,
}

/// What came behind it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    Open,
    Eof,
    Reset,
    Silence(Duration),
}

impl Found {
    pub(super) fn after(peer: &Peer, data: Vec<u8>) -> Self {
        let then = match (peer.is_reset(), peer.is_eof()) {
            (true, _) => Then::Reset,
            (_, true) => Then::Eof,
            _ => Then::Open,
        };
        Found { data, then }
    }
}

impl ScriptError {
    /// The number of the step, from 1.
    pub fn step(&self) -> usize {
        self.number
    }

    /// The bytes that came.
    pub fn came(&self) -> &[u8] {
        &self.found.data
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScriptError { number, n_steps, step, found } = self;
        write!(f, "step {number} of {n_steps}, {step}: ")?;
        match (found.data.is_empty(), found.then) {
            (true, Then::Open) => write!(f, "there came nothing"),
            (true, Then::Eof) => write!(f, "there came the end"),
            (true, Then::Reset) => write!(f, "there came a reset"),
            (true, Then::Silence(time)) => write!(f, "nothing came in {time:?}"),
            (false, then) => {
                write!(f, "there came {}", Quoted(&found.data))?;
                match then {
                    Then::Open => Ok(()),
                    Then::Eof => write!(f, " and the end"),
                    Then::Reset => write!(f, " and a reset"),
                    Then::Silence(time) => write!(f, " and no more in {time:?}"),
                }
            }
        }
    }
}

impl std::error::Error for ScriptError {}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Send(data) => write!(f, "send {}", Quoted(data)),
            Step::Expect(data) => write!(f, "expect {}", Quoted(data)),
            Step::ExpectEof => write!(f, "expect the end"),
            Step::ExpectSilence(time) => write!(f, "expect silence for {time:?}"),
            Step::Pause(time) => write!(f, "pause for {time:?}"),
            Step::CloseWrite => write!(f, "close the writing side"),
            Step::Close => write!(f, "close"),
            Step::Reset => write!(f, "reset"),
        }
    }
}

/// Bytes as a Rust string shows them, but no more than make sense in a line.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(MAX_SHOWN)];
        write!(f, "\"{}\"", shown.escape_ascii())?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            n => write!(f, " and {n} bytes"),
        }
    }
}
