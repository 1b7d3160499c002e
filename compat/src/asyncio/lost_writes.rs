//! Writes to a lost connection: counted, and from some point on complained of.

use std::cell::Cell;

use crate::runtime::log_warning;

/// Writes to a lost connection that are dropped silently: asyncio's `LOG_THRESHOLD_FOR_CONNLOST_WRITES`.
const SILENT_LOST_WRITES: u32 = 5;

/// Counts one more in asyncio's `_conn_lost`, which is 1 from the moment `connection_lost` is due.
pub(super) fn count_lost_write(n_lost: &Cell<u32>) {
    let n = n_lost.get();
    if n >= SILENT_LOST_WRITES {
        log_warning("socket.send() raised exception.");
    }
    n_lost.set(n.saturating_add(1));
}
