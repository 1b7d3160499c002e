//! The body of a response of a handler, as services see it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::http::HeaderMap;
use bytes::Bytes;
use foster_compat::{Error, Result};
use http_body::{Body, Frame, SizeHint};

use crate::http::{BodyKind, ResponseBody};

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if let Some(piece) = ready!(self.poll_chunk(cx)) {
            if let (Ok(piece), BodyKind::Stream(stream)) = (&piece, &mut self.kind) {
                stream.note_taken(piece.len());
            }
            return Poll::Ready(Some(piece.map(Frame::data)));
        }
        let trailers = self.take_trailers();
        // Nobody who makes pieces is asked again behind the end.
        self.kind = BodyKind::Full(Bytes::new());
        if trailers.is_empty() {
            return Poll::Ready(None);
        }
        let mut map = HeaderMap::with_capacity(trailers.len());
        for (name, value) in trailers {
            map.append(name, value);
        }
        Poll::Ready(Some(Ok(Frame::trailers(map))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.kind, BodyKind::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        // One that came in does not say how much of it was read.
        let length = self.content_length().filter(|_| !matches!(self.kind, BodyKind::Incoming(_)));
        length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
