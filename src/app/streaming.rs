//! The body of a response, made in the context of its request.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use futures::Stream;
use futures::future::LocalBoxFuture;

use super::isolated::catch;
use super::teardown::Teardown;
use crate::http::{Chunks, ResponseBody};
use crate::{Cancelled, Context, Error, Result, copy_context};

/// The same body, whose maker, and that of its trailers, find the context of now, and behind which the request is over:
/// with `unknown`, or else with the error of the body.
pub(super) fn in_context(body: ResponseBody, teardown: Option<Teardown>, unknown: Option<Error>) -> ResponseBody {
    let context = copy_context();
    let mut of_trailers = context.clone();
    let body = body.map_trailers(|make| move || of_trailers.run(make));
    body.map_stream(|chunks| InContext {
        context,
        chunks: Some(chunks),
        is_begun: false,
        unknown,
        teardown,
        running: None,
    })
}

struct InContext {
    context: Context,
    /// Absent behind the last piece.
    chunks: Option<Chunks>,
    /// Whether anybody has asked for a piece.
    is_begun: bool,
    unknown: Option<Error>,
    /// Absent where there are no hooks, and from the end of the pieces on.
    teardown: Option<Teardown>,
    /// The hooks while they are called, and what is to be said of the body behind them.
    running: Option<(LocalBoxFuture<'static, ()>, Option<Error>)>,
}

impl Stream for InContext {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let InContext { context, chunks, is_begun, unknown, teardown, running } = &mut *self;
        context.run(|| {
            if let Some(making) = chunks {
                *is_begun = true;
                // A panic is the error of the body, too.
                let polled = catch(|| making.as_mut().poll_next(cx));
                let polled = polled.unwrap_or_else(|panicked| Poll::Ready(Some(Err(panicked))));
                let failure = match ready!(polled) {
                    Some(Ok(chunk)) => return Poll::Ready(Some(Ok(chunk))),
                    Some(Err(failure)) => Some(failure),
                    None => None,
                };
                // What the maker holds is gone before the hooks are called.
                *chunks = None;
                let Some(teardown) = teardown.take() else { return Poll::Ready(failure.map(Err)) };
                let err = unknown.take().or_else(|| failure.clone());
                *running = Some((Box::pin(teardown.run(err)), failure));
            }
            let Some((hooks, failure)) = running else { return Poll::Ready(None) };
            ready!(hooks.as_mut().poll(cx));
            let failure = failure.take();
            *running = None;
            Poll::Ready(failure.map(Err))
        })
    }
}

/// The client has gone, the server stops, or nobody wants a body, as in the answer to HEAD.
impl Drop for InContext {
    fn drop(&mut self) {
        let (chunks, running) = (self.chunks.take(), self.running.take());
        self.context.run(|| drop((chunks, running)));
        if let Some(teardown) = self.teardown.take() {
            let cut = self.is_begun.then(|| Cancelled.into());
            teardown.run_elsewhere(self.unknown.take().or(cut));
        }
    }
}
