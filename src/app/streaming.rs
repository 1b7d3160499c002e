//! The body of a response, made in the context of its request.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::future::LocalBoxFuture;

use super::request::Request;
use super::teardown::Teardown;
use crate::http::{Chunks, ResponseBody};
use crate::{Context, Result, copy_context};

/// The same body, whose maker finds the context of its request, and behind which the request is over.
pub(super) fn in_context(request: Request, body: ResponseBody, teardown: Option<Teardown>) -> ResponseBody {
    let context = request.context().enter(copy_context());
    body.map_stream(|chunks| InContext { context, chunks, ending: teardown.map(Ending::Teardown) })
}

struct InContext {
    context: Context,
    chunks: Chunks,
    /// What is to come behind the last piece.
    ending: Option<Ending>,
}

enum Ending {
    Teardown(Teardown),
    Running(LocalBoxFuture<'static, ()>),
}

impl Stream for InContext {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let InContext { context, chunks, ending } = &mut *self;
        context.run(|| {
            if !matches!(ending, Some(Ending::Running(_))) {
                match chunks.as_mut().poll_next(cx) {
                    Poll::Ready(None) => {}
                    Poll::Ready(Some(Err(err))) => {
                        return Poll::Ready(Some(Err(err)));
                    }
                    other => return other,
                }
                *ending = ending.take().and_then(|ending| match ending {
                    Ending::Teardown(teardown) => Some(Ending::Running(Box::pin(teardown.run(None)))),
                    Ending::Running(_) => None,
                });
            }
            if let Some(Ending::Running(running)) = ending {
                if running.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                *ending = None;
            }
            Poll::Ready(None)
        })
    }
}
