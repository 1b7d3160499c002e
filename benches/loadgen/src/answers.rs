use std::io;

use crate::frames::Frames;
use crate::responses::Responses;

/// Counts the answers in what a connection receives. Of the bytes of an answer only the number is looked at: what is
/// under test is the server, and they were compared before the run.
pub(crate) enum Answers {
    /// Each of this size, and what has come of the one that is not complete yet.
    Sized {
        size: usize,
        n_received: usize,
    },
    Http(Responses),
    WebSocket(Frames),
}

impl Answers {
    #[inline]
    pub(crate) fn count(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Answers::Sized { size, n_received } => {
                *n_received += data.len();
                let n_answers = *n_received / *size;
                *n_received %= *size;
                Ok(n_answers)
            }
            Answers::Http(responses) => responses.count(data),
            Answers::WebSocket(frames) => frames.count(data),
        }
    }
}
