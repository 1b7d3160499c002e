//! Those who get what anybody sends to `/broadcast`, each through a queue that a task of its own empties.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Leaves the room when it is dropped.
pub(crate) struct Member {
    id: u64,
}

impl Member {
    pub(crate) fn join() -> (Member, UnboundedReceiver<Bytes>) {
        let (sender, queue) = mpsc::unbounded_channel();
        let mut room = room();
        room.n_ever += 1;
        let id = room.n_ever;
        room.queues.insert(id, sender);
        (Member { id }, queue)
    }

    pub(crate) fn send(&self, message: &Bytes) {
        for queue in room().queues.values() {
            // One whose task has ended is about to leave.
            let _ = queue.send(message.clone());
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        room().queues.remove(&self.id);
    }
}

#[derive(Default)]
struct Room {
    queues: HashMap<u64, UnboundedSender<Bytes>>,
    n_ever: u64,
}

fn room() -> MutexGuard<'static, Room> {
    static ROOM: LazyLock<Mutex<Room>> = LazyLock::new(Mutex::default);
    ROOM.lock().unwrap_or_else(PoisonError::into_inner)
}
