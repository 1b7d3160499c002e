use std::io;

use crate::websocket;

/// Counts the messages of WebSocket in what a connection receives: all binary, of one size and one frame. Pings are
/// skipped and not answered, which a server bears for longer than a run lasts.
pub(crate) struct Frames {
    /// The head that every message has.
    head: Vec<u8>,
    size: usize,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// At a byte of the head.
    Head(usize),
    Payload {
        n_left: usize,
    },
    PingSize,
    Ping {
        n_left: usize,
    },
}

impl Frames {
    pub(crate) fn new(size: usize) -> Frames {
        Frames { head: websocket::head(size, 0), size, state: State::Head(0) }
    }

    /// The number of messages that ended in these bytes.
    #[inline]
    pub(crate) fn count(&mut self, mut data: &[u8]) -> io::Result<usize> {
        let mut n_messages = 0;
        while let Some(&first) = data.first() {
            match &mut self.state {
                State::Head(0) if first == PING => {
                    data = &data[1..];
                    self.state = State::PingSize;
                }
                State::Head(index) => {
                    let n_bytes = data.len().min(self.head.len() - *index);
                    if data[..n_bytes] != self.head[*index..*index + n_bytes] {
                        let shown = data[..n_bytes].escape_ascii();
                        return Err(io::Error::other(format!("not the head of a message of {} B: {shown}", self.size)));
                    }
                    data = &data[n_bytes..];
                    *index += n_bytes;
                    if *index == self.head.len() {
                        self.state = State::Payload { n_left: self.size };
                    }
                }
                State::PingSize => {
                    data = &data[1..];
                    self.state = if first == 0 { State::Head(0) } else { State::Ping { n_left: first.into() } };
                }
                State::Payload { n_left } | State::Ping { n_left } => {
                    let n_bytes = data.len().min(*n_left);
                    data = &data[n_bytes..];
                    *n_left -= n_bytes;
                    if *n_left == 0 {
                        n_messages += usize::from(matches!(self.state, State::Payload { .. }));
                        self.state = State::Head(0);
                    }
                }
            }
        }
        Ok(n_messages)
    }
}

/// The first byte of one.
const PING: u8 = 0x89;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(size: usize) -> Vec<u8> {
        let mut message = websocket::head(size, 0);
        message.resize(message.len() + size, b'x');
        message
    }

    #[test]
    fn messages_are_counted_whole_and_byte_by_byte_and_pings_are_not() {
        for size in [1, 125, 126, 65_535, 65_536] {
            let stream = [&message(size)[..], b"\x89\x00", &message(size), b"\x89\x02hi", &message(size)].concat();
            assert_eq!(Frames::new(size).count(&stream).unwrap(), 3, "{size}");
            let mut frames = Frames::new(size);
            let counted: usize = stream.chunks(1).map(|byte| frames.count(byte).unwrap()).sum();
            assert_eq!(counted, 3, "{size}");
        }
    }

    #[test]
    fn another_size_a_masked_frame_and_a_fragment_are_refused() {
        for head in [b"\x82\x05", b"\x82\x84", b"\x02\x04", b"\x88\x04"] {
            assert!(Frames::new(4).count(head).is_err());
        }
    }
}
