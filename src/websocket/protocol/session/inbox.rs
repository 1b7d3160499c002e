//! Messages that wait to be received: mostly one or none, in memory that is the hub's while there is none.

use std::collections::VecDeque;

use super::Session;
use crate::websocket::message::Message;

/// Messages that wait to be received; never empty. In a box, because few sessions have it, and all carry the room for it.
pub(in crate::websocket::protocol) type Inbox = Box<VecDeque<Message>>;

impl Session {
    pub(super) fn n_messages(&self) -> usize {
        self.n_queued.get() as usize
    }

    pub(super) fn queue_message(&self, message: Message) {
        let make = || self.hub.get().map(|hub| hub.take_inbox()).unwrap_or_default();
        let mut inbox = self.inbox.take().unwrap_or_else(make);
        inbox.push_back(message);
        self.n_queued.set(inbox.len() as u32);
        self.inbox.set(Some(inbox));
    }

    #[inline]
    pub(super) fn next_message(&self) -> Option<Message> {
        if self.n_queued.get() == 0 { None } else { self.take_message() }
    }

    fn take_message(&self) -> Option<Message> {
        let mut inbox = self.inbox.take()?;
        let message = inbox.pop_front();
        self.n_queued.set(inbox.len() as u32);
        match self.hub.get().filter(|_| inbox.is_empty()) {
            Some(hub) => hub.keep_inbox(inbox),
            None => self.inbox.set(Some(inbox)),
        }
        message
    }
}
