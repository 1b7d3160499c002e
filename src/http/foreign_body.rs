//! [`ForeignBody`]: the body of a request that came over no connection of ours.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::body::BodyError;
use super::header_list::HeaderList;

/// A body of another kind.
pub(crate) trait ForeignBody {
    /// The next piece; nothing at the end, behind which it is not asked again.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>>;

    /// Those that came behind the last piece.
    fn trailers(&self) -> HeaderList;
}

/// A body of another kind, as far as it was read.
pub(super) struct Foreign {
    body: Box<dyn ForeignBody>,
    n_read: u64,
    declared: Option<u64>,
    limit: Option<u64>,
    /// A piece that passed the limit: it is there for who sets a larger one and goes on.
    refused: Option<Bytes>,
    end: Option<Result<(), BodyError>>,
}

impl Foreign {
    pub(super) fn new(body: impl ForeignBody + 'static, declared: Option<u64>) -> Self {
        Foreign { body: Box::new(body), n_read: 0, declared, limit: None, refused: None, end: None }
    }

    pub(super) fn content_length(&self) -> Option<u64> {
        self.declared
    }

    pub(super) fn is_end(&self) -> bool {
        matches!(self.end, Some(Ok(())))
    }

    pub(super) fn set_limit(&mut self, limit: Option<u64>) {
        self.limit = limit;
    }

    /// The trailers, once it was read to its end.
    pub(super) fn trailers(&self) -> Option<HeaderList> {
        self.is_end().then(|| self.body.trailers()).filter(|trailers| !trailers.is_empty())
    }

    pub(super) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        self.check_limit(self.n_read.max(self.declared.unwrap_or(0)))?;
        if let Some(end) = &self.end {
            return Poll::Ready(end.clone().map(|()| None));
        }
        loop {
            let piece = match self.refused.take() {
                Some(piece) => Ok(Some(piece)),
                None => ready!(self.body.poll_piece(cx)),
            };
            match &piece {
                Ok(Some(piece)) if piece.is_empty() => continue,
                Ok(Some(piece)) => {
                    let n_read = self.n_read.saturating_add(piece.len() as u64);
                    if let Err(err) = self.check_limit(n_read) {
                        self.refused = Some(piece.clone());
                        return Poll::Ready(Err(err));
                    }
                    self.n_read = n_read;
                }
                Ok(None) => self.end = Some(Ok(())),
                Err(err) => self.end = Some(Err(err.clone())),
            }
            return Poll::Ready(piece);
        }
    }

    fn check_limit(&self, n_bytes: u64) -> Result<(), BodyError> {
        match self.limit {
            Some(limit) if n_bytes > limit => Err(BodyError::TooLarge { limit }),
            _ => Ok(()),
        }
    }
}
