//! [`RequestBody`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::HeaderMap;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::handoff::Slot;
use crate::http::BodyError;

/// The body of a request as a service gets it: `Send`, as axum asks for.
///
/// One that has come as a whole before the service is called is just its bytes. Any other is handed over piece by
/// piece, each when it is asked for, for the price of an allocation and a lock; the client may send what fits the buffers
/// of the connection meanwhile, and `Expect: 100-continue` is answered when the first piece is asked for. Trailers come
/// as the last frame. Once the response is finished, or its client gone, what has not come is
/// [`BodyError::Disconnected`].
pub struct RequestBody {
    source: Source,
}

enum Source {
    Whole(Option<Bytes>, Option<HeaderMap>),
    Pieces(Arc<Slot>, Option<u64>),
}

impl RequestBody {
    pub(super) fn whole(bytes: Option<Bytes>, trailers: Option<HeaderMap>) -> Self {
        RequestBody { source: Source::Whole(bytes, trailers) }
    }

    /// `length` is what is left, if it is known.
    pub(super) fn pieces(slot: Arc<Slot>, length: Option<u64>) -> Self {
        RequestBody { source: Source::Pieces(slot, length) }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            Source::Whole(bytes, trailers) => Poll::Ready(match bytes.take() {
                Some(bytes) => Some(Ok(Frame::data(bytes))),
                None => trailers.take().map(|trailers| Ok(Frame::trailers(trailers))),
            }),
            Source::Pieces(slot, length) => {
                let polled = slot.poll_frame(cx);
                if let (Poll::Ready(Some(Ok(frame))), Some(length)) = (&polled, length) {
                    *length = length.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes, trailers) => bytes.is_none() && trailers.is_none(),
            Source::Pieces(slot, _) => slot.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Source::Pieces(_, Some(length)) => SizeHint::with_exact(*length),
            Source::Pieces(_, None) => SizeHint::default(),
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Source::Pieces(slot, _) = &self.source {
            slot.abandon();
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size_hint().exact() {
            Some(length) => write!(f, "RequestBody({length} bytes)"),
            None => f.write_str("RequestBody(of unknown length)"),
        }
    }
}
