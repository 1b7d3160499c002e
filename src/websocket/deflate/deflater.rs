//! [`Deflater`]: compresses messages.

use flate2::{Compress, Compression, FlushCompress};

use super::budget::{DeflateBudget, Kind, Reservation, deflater_size};

/// Compresses the messages of one direction of a connection.
pub(super) struct Deflater {
    inner: Compress,
    settings: Settings,
    /// It has seen data, which what it makes may refer to.
    has_context: bool,
    /// All that it has seen was written, to the end of a block.
    is_flushed: bool,
    reservation: Reservation,
}

/// What one deflater has in common with others that may do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// 1 to 9.
    pub(super) level: u8,
    /// 8 to 15.
    pub(super) window_bits: u8,
}

/// What a flush ends with, and what is cut off at the end of a message (RFC 7692, 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What is left of an empty block once its tail is cut off (RFC 7692, 7.2.3.6).
pub(super) const EMPTY: u8 = 0x00;

/// The least room that is made for output. zlib wants more than six bytes left when it flushes, lest it flush twice.
const MIN_ROOM: usize = 64;

/// The most room that is asked for at once.
const MAX_ROOM: usize = 64 * 1024;

impl Deflater {
    /// `None` if the budget is used up.
    pub(super) fn new(settings: Settings, budget: &DeflateBudget) -> Option<Self> {
        let reservation = budget.reserve(Kind::Deflater, deflater_size(settings.zlib_window_bits()))?;
        Some(Deflater { inner: settings.compress(), settings, has_context: false, is_flushed: true, reservation })
    }

    pub(super) fn settings(&self) -> Settings {
        self.settings
    }

    pub(super) fn is_of(&self, budget: &DeflateBudget) -> bool {
        self.reservation.is_of(budget)
    }

    /// Forgets what it has seen.
    pub(super) fn reset(&mut self) {
        if !self.is_flushed {
            // In the middle of a message, zlib-rs 0.6.8 does not reset everything: at level 1 it goes on with the same
            // block, which the next message then lacks the head of, or panics for want of room.
            self.inner = self.settings.compress();
            self.is_flushed = true;
        } else if self.has_context {
            self.inner.reset();
        }
        self.has_context = false;
    }

    /// Appends what `data` becomes, to the end of a block, without the tail if the message `is_last`. False if it became
    /// `max_len` bytes or more: what was appended is then of no use, and neither is the context.
    pub(super) fn compress(&mut self, data: &[u8], is_last: bool, out: &mut Vec<u8>, max_len: usize) -> bool {
        let start = out.len();
        let max_len = max_len.saturating_add(if is_last { TAIL.len() } else { 0 });
        let mut input = data;
        self.has_context = true;
        self.is_flushed = false;
        loop {
            if out.capacity() - out.len() < MIN_ROOM {
                out.reserve((input.len() / 4).clamp(MIN_ROOM, MAX_ROOM));
            }
            let total_in = self.inner.total_in();
            let is_done = self.inner.compress_vec(input, out, FlushCompress::Sync).is_ok();
            input = &input[(self.inner.total_in() - total_in) as usize..];
            if !is_done || out.len() - start >= max_len {
                return false;
            }
            // With room left, all is flushed.
            if input.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
        self.is_flushed = true;
        if is_last {
            out.truncate(out.len() - TAIL.len());
        }
        true
    }
}

impl Settings {
    fn compress(self) -> Compress {
        Compress::new_with_window_bits(Compression::new(self.level.into()), false, self.zlib_window_bits())
    }

    /// zlib does not take 8 for a stream without a header. With 9 bits it refers back over 250 bytes at most, since it
    /// leaves 262 of its window for what is being looked at, so that a window of 8 bits holds all that is needed.
    fn zlib_window_bits(self) -> u8 {
        self.window_bits.max(9)
    }
}
