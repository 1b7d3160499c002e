//! [`Receives`]: a receiver of any kind, as its protocol calls it.

use super::base::Base;
use crate::error::{Error, Result};

/// What the public traits of the receivers become, one implementation for everything that implements one of them. `M`
/// says which framing it is, so that the implementations do not meet.
pub trait Receives<M>: 'static {
    /// What the framing remembers of a connection.
    type State: State;

    /// Whether the framing may have a frame although its buffer is empty.
    const HOLDS_FRAMES: bool = false;

    /// The state at the beginning.
    fn state(&self) -> Self::State;

    /// Hands over the next frame, if there is a whole one.
    fn step(&mut self, base: &Base<Self::State>) -> Result<Step>;

    /// As the callback of the public trait, like those that follow.
    fn connection_made(&mut self, base: &Base<Self::State>) -> Result<()>;
    fn eof_received(&mut self, base: &Base<Self::State>) -> Result<bool>;
    fn pause_writing(&mut self, base: &Base<Self::State>) -> Result<()>;
    fn resume_writing(&mut self, base: &Base<Self::State>) -> Result<()>;
    fn connection_lost(&mut self, base: &Base<Self::State>, exc: Option<Error>) -> Result<()>;
}

/// What a framing remembers.
pub trait State: 'static {
    /// The buffer was emptied: whatever was known of its content is over.
    fn reset(&self) {}
}

/// What a step has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The receiver was called, or bytes were skipped: there may be more.
    Done,
    /// More bytes have to come.
    Starved,
}
