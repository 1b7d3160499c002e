//! One buffer on each loop's thread for what one read decrypts to, so that an idle connection holds none. Taken out while
//! user code sees it.

use std::cell::RefCell;

use crate::asyncio::loop_state::MAX_READ;

thread_local!(static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });

/// What one read decrypts to is no larger than the read, but for what was kept before.
const MAX_KEPT: usize = 2 * MAX_READ;

pub(super) fn take() -> Vec<u8> {
    BUFFER.take()
}

pub(super) fn put(mut buffer: Vec<u8>) {
    buffer.clear();
    if buffer.capacity() <= MAX_KEPT {
        BUFFER.replace(buffer);
    }
}
