//! [`Inbox`]: messages that wait to be received.

use std::collections::VecDeque;

use crate::websocket::message::Message;

/// Messages that wait to be received: mostly one or none, for which no memory is taken.
#[derive(Default)]
pub(super) struct Inbox {
    first: Option<Message>,
    /// Those behind the first; never empty.
    #[expect(clippy::box_collection, reason = "few have it, and all carry the room for it")]
    more: Option<Box<VecDeque<Message>>>,
}

impl Inbox {
    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.as_ref().map_or(0, |more| more.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn push(&mut self, message: Message) {
        if self.first.is_none() {
            self.first = Some(message);
        } else {
            self.more.get_or_insert_default().push_back(message);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.first.take()?;
        if let Some(more) = &mut self.more {
            self.first = more.pop_front();
            if more.is_empty() {
                self.more = None;
            }
        }
        Some(message)
    }
}
