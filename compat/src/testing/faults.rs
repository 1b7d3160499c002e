//! [`Faults`]: what goes wrong on a wire in memory.

use std::time::Duration;

/// What goes wrong between a [`Peer`](super::Peer) and its transport; [`Peer::inject`](super::Peer::inject) sets it.
///
/// The default is a wire without faults. Each is as the transport of a socket would see it: a short read, a short
/// write, `ConnectionReset`, silence. They may be combined.
///
/// # Examples
///
/// A protocol has to get the same lines however they are cut:
///
/// ```
/// use foster_compat::testing::{self, Faults, Trace};
/// use foster_compat::{open_nursery, run};
///
/// run(open_nursery(async |nursery| {
///     let trace = Trace::new();
///     let (transport, _, peer) = testing::connect(&nursery, trace.recorder());
///     peer.inject(Faults::new().split_reads(2).reset_after_reading(5));
///     peer.send(b"abcdefg");
///     transport.closed().await;
///     let lines = ["made", "data 'ab'", "data 'cd'", "data 'e'", "lost ConnectionReset"];
///     assert_eq!(trace.lines(), lines);
///     Ok(())
/// }))?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub(super) max_read: Option<usize>,
    pub(super) max_write: Option<usize>,
    pub(super) reset_after_reading: Option<u64>,
    pub(super) reset_after_writing: Option<u64>,
    pub(super) is_reading_stalled: bool,
    pub(super) is_writing_stalled: bool,
    pub(super) delay: Duration,
}

impl Faults {
    /// No faults.
    pub fn new() -> Self {
        Faults::default()
    }

    /// The transport reads at most `n` bytes at a time, each in a turn of its own; 0 counts as 1, which cuts at every
    /// byte.
    pub fn split_reads(mut self, n: usize) -> Self {
        self.max_read = Some(n.max(1));
        self
    }

    /// A write of the transport takes at most `n` bytes; the rest stays in its write buffer for the next turn. 0 counts
    /// as 1.
    pub fn split_writes(mut self, n: usize) -> Self {
        self.max_write = Some(n.max(1));
        self
    }

    /// The connection is reset once the transport has read `n` more bytes; what the peer has sent behind them is lost.
    pub fn reset_after_reading(mut self, n: u64) -> Self {
        self.reset_after_reading = Some(n);
        self
    }

    /// The connection is reset once the transport has written `n` more bytes, which the peer can read.
    pub fn reset_after_writing(mut self, n: u64) -> Self {
        self.reset_after_writing = Some(n);
        self
    }

    /// Nothing of what the peer sends arrives any more, nor that it sends no more. It waits on the way, and arrives once
    /// faults without this are injected.
    pub fn stall_reading(mut self) -> Self {
        self.is_reading_stalled = true;
        self
    }

    /// The wire takes no byte that the transport writes, as if the peer did not read.
    pub fn stall_writing(mut self) -> Self {
        self.is_writing_stalled = true;
        self
    }

    /// What the peer does arrives this much later, in its order. What the transport does still arrives at once: to a
    /// protocol that is as good as a way there and back that takes as long together.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}
