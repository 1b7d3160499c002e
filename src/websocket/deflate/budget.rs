//! [`DeflateBudget`]: how much memory compression may take.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

/// What a process may spend on compression unless told otherwise: 128 MiB, a quarter of a small container.
///
/// One half is for decompressors: 1 365 connections at [`INFLATER_SIZE`]. The other is for compressors: 176 at
/// [`deflater_size(15)`](deflater_size).
pub const DEFAULT_DEFLATE_BUDGET: usize = 128 * 1024 * 1024;

/// What one decompressor takes: zlib-rs allocates 47 552 bytes whatever the window bits, of which 32 KiB are the window,
/// and flate2 keeps 152 bytes beside it (zlib-rs 0.6, measured with a counting allocator). Rounded up.
pub const INFLATER_SIZE: usize = 48 * 1024;

/// What one compressor takes: zlib-rs allocates 248 960 bytes for its tables and four times the window, and flate2 keeps
/// 144 bytes beside it: 251 008 bytes at 9 window bits, 265 344 at 12, 380 032 at 15 (zlib-rs 0.6, at every level,
/// measured with a counting allocator). Rounded up.
pub const fn deflater_size(window_bits: u8) -> usize {
    244 * 1024 + (4 << window_bits)
}

/// How much memory compression may take, in bytes: one half for decompressors, one for compressors.
///
/// A connection that negotiates compression is promised a decompressor until it ends, because its peer may compress any
/// message: with that half used up, compression is declined, or not offered. A compressor is taken when there is a
/// message to compress; with that half used up, the message goes uncompressed, which is always allowed. Where the peer
/// permits it, a connection keeps its compressor and with it what the next message may refer to, as long as a quarter of
/// that half is free.
///
/// A clone is the same budget. [`Default`] is the one of the process, which all threads share.
///
/// ```
/// use foster::websocket::{DEFAULT_DEFLATE_BUDGET, DeflateBudget, DeflateConfig};
///
/// assert_eq!(DeflateBudget::default().limit(), DEFAULT_DEFLATE_BUDGET);
///
/// let nothing = DeflateBudget::new(0);
/// let config = DeflateConfig { budget: nothing.clone(), ..DeflateConfig::default() };
/// assert!(config.offer().is_none());
/// nothing.set_limit(1024 * 1024);
/// assert!(config.offer().is_some());
/// ```
#[derive(Clone)]
pub struct DeflateBudget {
    counts: Arc<Counts>,
}

struct Counts {
    limit: AtomicUsize,
    inflaters: AtomicUsize,
    deflaters: AtomicUsize,
}

/// Memory that is spoken for, until this is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: DeflateBudget,
    kind: Kind,
    n_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Inflater,
    Deflater,
}

impl DeflateBudget {
    /// A budget of its own. With 0 nothing is compressed.
    pub fn new(limit: usize) -> Self {
        DeflateBudget {
            counts: Arc::new(Counts {
                limit: AtomicUsize::new(limit),
                inflaters: AtomicUsize::new(0),
                deflaters: AtomicUsize::new(0),
            }),
        }
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        self.counts.limit.load(Ordering::Relaxed)
    }

    /// Another limit. Connections that have compression keep it.
    pub fn set_limit(&self, limit: usize) {
        self.counts.limit.store(limit, Ordering::Relaxed);
    }

    /// How much is promised or taken. What the pools of the threads hold ready is part of it.
    pub fn used(&self) -> usize {
        self.count(Kind::Inflater).load(Ordering::Relaxed) + self.count(Kind::Deflater).load(Ordering::Relaxed)
    }

    /// `None` if that would be above the half for `kind`.
    pub(super) fn reserve(&self, kind: Kind, n_bytes: usize) -> Option<Reservation> {
        let half = self.limit() / 2;
        let spend = |used: usize| used.checked_add(n_bytes).filter(|used| *used <= half);
        self.count(kind).fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).ok()?;
        Some(Reservation { budget: self.clone(), kind, n_bytes })
    }

    /// Whether a connection may sit on a compressor between messages: the last quarter goes round.
    pub(super) fn can_keep_context(&self) -> bool {
        let half = self.limit() / 2;
        self.count(Kind::Deflater).load(Ordering::Relaxed) <= half - half / 4
    }

    fn is(&self, other: &DeflateBudget) -> bool {
        Arc::ptr_eq(&self.counts, &other.counts)
    }

    fn count(&self, kind: Kind) -> &AtomicUsize {
        match kind {
            Kind::Inflater => &self.counts.inflaters,
            Kind::Deflater => &self.counts.deflaters,
        }
    }
}

impl Default for DeflateBudget {
    fn default() -> Self {
        static PROCESS: LazyLock<DeflateBudget> = LazyLock::new(|| DeflateBudget::new(DEFAULT_DEFLATE_BUDGET));
        PROCESS.clone()
    }
}

impl fmt::Debug for DeflateBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflateBudget").field("limit", &self.limit()).field("used", &self.used()).finish()
    }
}

impl Reservation {
    pub(super) fn is_of(&self, budget: &DeflateBudget) -> bool {
        self.budget.is(budget)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.count(self.kind).fetch_sub(self.n_bytes, Ordering::Relaxed);
    }
}
