use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

/// 1 MiB in chunks of 16 KiB.
pub(crate) struct Chunks {
    n_left: usize,
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks { n_left: 64 }
    }
}

impl MessageBody for Chunks {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let chunks = self.get_mut();
        if chunks.n_left == 0 {
            return Poll::Ready(None);
        }
        chunks.n_left -= 1;
        Poll::Ready(Some(Ok(Bytes::from_static(&CHUNK))))
    }
}

static CHUNK: [u8; 16 * 1024] = [b'x'; 16 * 1024];
