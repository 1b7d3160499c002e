//! The body of a request that some service hands to a handler.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use foster_compat::Error;
use http_body::Frame;

use super::{BoxError, error};
use crate::http::{Body, BodyError, Fault, ForeignBody, HeaderList, HttpError};

/// The body as a handler reads it: piece by piece, each when it is asked for.
pub(super) fn request_body<B>(body: B) -> Body
where
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    if body.is_end_stream() {
        return Body::empty();
    }
    let length = body.size_hint().exact();
    Body::foreign(Incoming { body: Box::pin(body), trailers: HeaderList::new() }, length)
}

struct Incoming<B> {
    body: Pin<Box<B>>,
    trailers: HeaderList,
}

impl<B> ForeignBody for Incoming<B>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            let Some(frame) = std::task::ready!(self.body.as_mut().poll_frame(cx)) else {
                return Poll::Ready(Ok(None));
            };
            match frame.map_err(|err| of_body(&error(err)))?.into_data().map_err(Frame::into_trailers) {
                Ok(mut data) => return Poll::Ready(Ok(Some(data.copy_to_bytes(data.remaining())))),
                Err(Ok(trailers)) => self.trailers = HeaderList::from(&trailers),
                // A frame of another kind, which nobody can know.
                Err(Err(_)) => {}
            }
        }
    }

    fn trailers(&self) -> HeaderList {
        self.trailers.clone()
    }
}

/// The error of a body, or what another error says of the client: no more than that the rest does not come.
fn of_body(err: &Error) -> BodyError {
    if let Some(err) = err.downcast_ref::<BodyError>() {
        return err.clone();
    }
    let of_peer = err.downcast_ref::<HttpError>().filter(|err| err.fault() == Fault::Peer);
    of_peer.map_or(BodyError::Disconnected, |err| BodyError::Malformed(err.clone()))
}
