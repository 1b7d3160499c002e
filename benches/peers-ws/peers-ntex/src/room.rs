//! Those who get what anybody sends to `/broadcast`. One worker has them all.

use std::cell::RefCell;
use std::collections::HashMap;

use ntex::util::Bytes;
use ntex::web::ws::{Message, WsSink};

/// Until it is disconnected.
pub(crate) fn join(sink: WsSink) {
    let id = ROOM.with_borrow_mut(|room| {
        room.n_ever += 1;
        room.sinks.insert(room.n_ever, sink.clone());
        room.n_ever
    });
    ntex::rt::spawn(async move {
        sink.on_disconnect().await;
        ROOM.with_borrow_mut(|room| room.sinks.remove(&id));
    });
}

pub(crate) async fn send(message: &Bytes) {
    // What a sink returns is ready at once; the list is copied all the same, because the room may not be borrowed while
    // it is waited for.
    let sinks: Vec<WsSink> = ROOM.with_borrow(|room| room.sinks.values().cloned().collect());
    for sink in sinks {
        // One that has failed is about to leave.
        let _ = sink.send(Message::Binary(message.clone())).await;
    }
}

#[derive(Default)]
struct Room {
    sinks: HashMap<u64, WsSink>,
    n_ever: u64,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}
