//! The body of a response of a service.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use foster_compat::{Error, Result};
use futures::Stream;
use http_body::{Body, Frame};

use super::BoxError;
use super::handoff::Filler;
use crate::http::{HeaderList, ResponseBody};

/// Makes the body: bytes, if its first piece is there and its last, a stream otherwise. That also fills the body of the
/// request, if there is more of it.
///
/// # Errors
///
/// Of its first piece.
pub(super) async fn response_body<B>(body: B, filler: Option<Filler>) -> Result<ResponseBody>
where
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    if body.is_end_stream() {
        return Ok(ResponseBody::empty());
    }
    let length = body.size_hint().exact();
    let trailers = Rc::<RefCell<HeaderList>>::default();
    let mut outgoing = Outgoing { body: Box::pin(body), first: None, trailers: trailers.clone(), filler };
    match poll_fn(|cx| Poll::Ready(outgoing.poll_piece(cx))).await {
        Poll::Pending => {}
        Poll::Ready(Some(first)) => {
            let first = first?;
            if outgoing.body.is_end_stream() && length.is_none_or(|length| length == first.len() as u64) {
                return Ok(first.into());
            }
            outgoing.first = Some(first);
        }
        Poll::Ready(None) if trailers.borrow().is_empty() => return Ok(ResponseBody::empty()),
        Poll::Ready(None) => {
            return Ok(with_trailers(ResponseBody::stream(futures::stream::empty::<Result<Bytes>>()), trailers));
        }
    }
    Ok(match length {
        Some(length) => ResponseBody::sized_stream(length, outgoing),
        None => with_trailers(ResponseBody::stream(outgoing), trailers),
    })
}

fn with_trailers(body: ResponseBody, trailers: Rc<RefCell<HeaderList>>) -> ResponseBody {
    body.with_trailers(move || trailers.take())
}

/// The pieces as they are made.
struct Outgoing<B> {
    body: Pin<Box<B>>,
    first: Option<Bytes>,
    trailers: Rc<RefCell<HeaderList>>,
    filler: Option<Filler>,
}

impl<B> Outgoing<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            match self.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data().map_err(Frame::into_trailers) {
                    Ok(mut data) if data.has_remaining() => {
                        return Poll::Ready(Some(Ok(data.copy_to_bytes(data.remaining()))));
                    }
                    Err(Ok(trailers)) => *self.trailers.borrow_mut() = HeaderList::from(&trailers),
                    // Nothing, or a frame of another kind, which nobody can know.
                    Ok(_) | Err(Err(_)) => {}
                },
                Poll::Ready(Some(Err(err))) => return Poll::Ready(Some(Err(Error::from_boxed(err.into())))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    if let Some(filler) = &mut self.filler {
                        filler.fill(cx);
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<B> Stream for Outgoing<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => self.poll_piece(cx),
        }
    }
}
