//! How a body of a connection, which stays on its thread, becomes one that is `Send`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use ::http::HeaderMap;
use bytes::Bytes;
use http_body::Frame;

use super::request_body::RequestBody;
use crate::http::{Body, BodyError, HeaderList};

/// The body as a service gets it, and what fills it while the service runs.
pub(super) fn handoff(mut body: Body) -> (RequestBody, Option<Filler>) {
    if let Some((bytes, trailers)) = body.take_whole() {
        return (RequestBody::whole(bytes, trailers.as_ref().map(to_map)), None);
    }
    let slot = Arc::new(Slot::default());
    let length = body.content_length();
    (RequestBody::pieces(slot.clone(), length), Some(Filler { body: Some(body), slot, failure: None }))
}

/// Where one piece at a time changes hands.
#[derive(Default)]
pub(super) struct Slot {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    piece: Option<Bytes>,
    end: End,
    /// The reader waits.
    is_wanted: bool,
    is_abandoned: bool,
    reader: Option<Waker>,
    filler: Option<Waker>,
}

#[derive(Default)]
enum End {
    #[default]
    Ahead,
    Trailers(HeaderMap),
    Failed(BodyError),
    Over,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.lock();
        if let Some(piece) = state.piece.take() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match std::mem::replace(&mut state.end, End::Over) {
            End::Ahead => state.end = End::Ahead,
            End::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            End::Failed(err) => return Poll::Ready(Some(Err(err))),
            End::Over => return Poll::Ready(None),
        }
        state.is_wanted = true;
        keep(&mut state.reader, cx);
        let filler = state.filler.take();
        drop(state);
        if let Some(filler) = filler {
            filler.wake();
        }
        Poll::Pending
    }

    pub(super) fn is_end(&self) -> bool {
        let state = self.lock();
        state.piece.is_none() && matches!(state.end, End::Over)
    }

    /// Nobody reads it any more.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.is_abandoned = true;
        let (piece, reader, filler) = (state.piece.take(), state.reader.take(), state.filler.take());
        drop(state);
        drop((piece, reader));
        if let Some(filler) = filler {
            filler.wake();
        }
    }

    fn put(&self, put: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        state.is_wanted = false;
        put(&mut state);
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// Moves pieces from the connection to the reader, one whenever it is asked for. Dropped before the end, the reader is
/// told that the client is gone.
pub(super) struct Filler {
    /// Until its end.
    body: Option<Body>,
    slot: Arc<Slot>,
    failure: Option<BodyError>,
}

impl Filler {
    /// Moves what is asked for and there; woken for more.
    pub(super) fn fill(&mut self, cx: &mut Context<'_>) {
        while let Some(body) = &mut self.body {
            {
                let mut state = self.slot.lock();
                if state.is_abandoned {
                    drop(state);
                    self.body = None;
                    return;
                }
                keep(&mut state.filler, cx);
                if !state.is_wanted {
                    return;
                }
            }
            match body.poll_chunk(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(Some(piece))) => self.slot.put(|state| state.piece = Some(piece)),
                Poll::Ready(Ok(None)) => {
                    let trailers = body.trailers();
                    self.body = None;
                    self.slot.put(|state| {
                        state.end = trailers.as_ref().map_or(End::Over, |trailers| End::Trailers(to_map(trailers)));
                    });
                }
                Poll::Ready(Err(err)) => {
                    self.body = None;
                    self.failure = Some(err.clone());
                    self.slot.put(|state| state.end = End::Failed(err));
                }
            }
        }
    }

    /// Why the body has no end.
    pub(super) fn failure(&self) -> Option<&BodyError> {
        self.failure.as_ref()
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        if self.body.is_some() {
            self.slot.put(|state| state.end = End::Failed(BodyError::Disconnected));
        }
    }
}

fn keep(slot: &mut Option<Waker>, cx: &Context<'_>) {
    if !slot.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *slot = Some(cx.waker().clone());
    }
}

fn to_map(list: &HeaderList) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(list.len());
    for (name, value) in list.iter() {
        map.append(name.clone(), value.clone());
    }
    map
}
