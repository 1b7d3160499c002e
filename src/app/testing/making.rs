//! [`Making`]: the body of a response, made while it is asked for.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::error::TestClientError;
use super::exchange::Exchange;
use super::failure::Failure;
use crate::handler::Connected;
use crate::http::{HeaderList, HttpError, ResponseBody};

/// A body on its way from a view to its client.
pub(super) struct Making {
    exchange: Rc<Exchange>,
    /// Dropped once it has ended or failed.
    body: Option<ResponseBody>,
    length: Option<u64>,
    n_made: u64,
    has_failed: bool,
    takes_trailers: bool,
    trailers: Option<HeaderList>,
}

impl Making {
    pub(super) fn new(exchange: Rc<Exchange>, body: ResponseBody, length: Option<u64>, takes_trailers: bool) -> Self {
        let (n_made, has_failed, trailers) = (0, false, None);
        Making { exchange, body: Some(body), length, n_made, has_failed, takes_trailers, trailers }
    }

    /// How many bytes there will be, if that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The trailers, once the last piece was made.
    pub(super) fn trailers(&self) -> Option<&HeaderList> {
        self.trailers.as_ref()
    }

    /// Makes no more of it.
    pub(super) fn end(&mut self) {
        self.body = None;
    }

    /// All of it, if it was there as a whole and nothing of it was taken.
    pub(super) fn take_whole(&mut self) -> Option<Bytes> {
        self.body.take_if(|body| body.is_whole())?.into_whole()
    }

    /// The next piece, never empty; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        loop {
            let Some(body) = &mut self.body else {
                let disconnected = || Failure::Error(TestClientError::Disconnected.into());
                return Poll::Ready(if self.has_failed { Err(disconnected()) } else { Ok(None) });
            };
            let polled = catch_unwind(AssertUnwindSafe(|| body.poll_chunk(cx)));
            let ended = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Some(Ok(piece)))) if piece.is_empty() => continue,
                Ok(Poll::Ready(Some(Ok(piece)))) => {
                    self.n_made += piece.len() as u64;
                    match self.length {
                        Some(length) if self.n_made > length => Err(Failure::Error(HttpError::TooMuchBody.into())),
                        _ => return Poll::Ready(Ok(Some(piece))),
                    }
                }
                Ok(Poll::Ready(Some(Err(err)))) => Err(Failure::of(err)),
                Ok(Poll::Ready(None)) if self.length.is_some_and(|length| self.n_made < length) => {
                    Err(Failure::Error(HttpError::TooLittleBody.into()))
                }
                Ok(Poll::Ready(None)) => {
                    if self.takes_trailers {
                        self.trailers = Some(body.take_trailers()).filter(|trailers| !trailers.is_empty());
                    }
                    Ok(None)
                }
                Err(payload) => Err(Failure::Panic(payload)),
            };
            self.body = None;
            return Poll::Ready(ended.map_err(|failure| self.fail(failure)));
        }
    }

    fn fail(&mut self, failure: Failure) -> Failure {
        self.has_failed = true;
        if self.exchange.propagates {
            return failure;
        }
        self.exchange.report("a response could not be completed", failure.into_error());
        Failure::Error(TestClientError::Disconnected.into())
    }
}
