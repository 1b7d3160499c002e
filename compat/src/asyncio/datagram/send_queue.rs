//! Datagrams that the socket has not taken yet.

use std::collections::VecDeque;

use crate::asyncio::extra_info::Address;

/// What each datagram counts beside its bytes, so that a queue of empty ones has a size too: asyncio's `_header_size`,
/// the header of UDP.
const HEADER_SIZE: usize = 8;

/// First in, first out. An empty queue holds no memory.
#[derive(Default)]
pub(super) struct SendQueue {
    datagrams: VecDeque<Datagram>,
    size: usize,
}

pub(super) struct Datagram {
    pub(super) data: Box<[u8]>,
    /// `None` on a connected socket.
    pub(super) addr: Option<Address>,
}

impl SendQueue {
    /// The bytes that wait, with 8 more for each datagram.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    pub(super) fn push(&mut self, data: &[u8], addr: Option<&Address>) {
        self.size += data.len() + HEADER_SIZE;
        self.datagrams.push_back(Datagram { data: data.into(), addr: addr.cloned() });
    }

    pub(super) fn front(&self) -> Option<&Datagram> {
        self.datagrams.front()
    }

    /// Forgets the first datagram, which was sent or has failed.
    pub(super) fn pop(&mut self) {
        if let Some(datagram) = self.datagrams.pop_front() {
            self.size -= datagram.data.len() + HEADER_SIZE;
        }
        if self.datagrams.is_empty() {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = SendQueue::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_datagram_counts_its_header() {
        let mut queue = SendQueue::default();
        queue.push(b"", None);
        queue.push(b"abc", Some(&Address::Unix("/a".into())));
        assert_eq!(queue.size(), 19);
        queue.pop();
        assert_eq!((queue.size(), queue.is_empty()), (11, false));
    }

    #[test]
    fn holds_no_memory_once_it_is_empty() {
        let mut queue = SendQueue::default();
        queue.push(b"abc", None);
        queue.pop();
        queue.pop();
        assert_eq!((queue.size(), queue.datagrams.capacity()), (0, 0));
    }
}
