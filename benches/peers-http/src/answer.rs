use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// A body: bytes of a known length, or the rest of the stream, which goes out in chunks.
pub(crate) enum Answer {
    Whole(Option<Bytes>),
    Stream { n_chunks_left: usize },
}

impl Answer {
    pub(crate) fn whole(bytes: Bytes) -> Answer {
        Answer::Whole(Some(bytes))
    }

    /// 1 MiB in chunks of 16 KiB.
    pub(crate) fn stream() -> Answer {
        Answer::Stream { n_chunks_left: 64 }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.get_mut() {
            Answer::Whole(bytes) => bytes.take(),
            Answer::Stream { n_chunks_left: 0 } => None,
            Answer::Stream { n_chunks_left } => {
                *n_chunks_left -= 1;
                Some(Bytes::from_static(&CHUNK))
            }
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Answer::Whole(None) | Answer::Stream { n_chunks_left: 0 })
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Answer::Stream { .. } => SizeHint::default(),
        }
    }
}

static CHUNK: [u8; 16 * 1024] = [b'x'; 16 * 1024];
