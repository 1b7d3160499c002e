//! Writes to a lost connection: counted, and from some point on complained of.

use std::cell::Cell;

use crate::runtime::log_warning;

/// Writes to a lost connection that are dropped silently: asyncio's `LOG_THRESHOLD_FOR_CONNLOST_WRITES`.
pub(super) const SILENT_LOST_WRITES: u32 = 5;

/// asyncio's complaint of a plain socket.
pub(super) const SEND_FAILED: &str = "socket.send() raised exception.";

/// Counts one more in asyncio's `_conn_lost`, which is 1 on a plain socket from the moment `connection_lost` is due.
pub(super) fn count_lost_write(n_lost: &Cell<u32>, complaint: &str) {
    let n = n_lost.get();
    if n >= SILENT_LOST_WRITES {
        log_warning(complaint);
    }
    n_lost.set(n.saturating_add(1));
}
