//! [`LastHead`]: the head of the last plain response, for the next one that differs in its length alone.

use crate::http::{HeaderValue, StatusCode};

use super::encode::{self, BodyFraming};

/// Most responses of a server have the same few lines as the one before: they are kept as bytes. Writing them anew cost a
/// third of what a small request takes. The length stands last, so that another one leaves the rest as it is.
#[derive(Debug, Default)]
pub(crate) struct LastHead {
    key: Option<(StatusCode, Option<HeaderValue>)>,
    length: Option<u64>,
    bytes: Vec<u8>,
    /// How much of the bytes stands before the length.
    n_before: usize,
}

impl LastHead {
    /// Forgets it: the date is another one.
    pub(crate) fn clear(&mut self) {
        self.key = None;
    }

    /// Writes the head of a response with no fields but these, on a connection of HTTP/1.1 that goes on.
    pub(super) fn write(
        &mut self,
        status: StatusCode,
        content_type: Option<&HeaderValue>,
        length: u64,
        date: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) {
        let is_known = self.key.as_ref().is_some_and(|(s, ct)| *s == status && is_same(ct.as_ref(), content_type));
        if !is_known {
            self.bytes.clear();
            encode::status_and_type(status, content_type, &mut self.bytes);
            encode::date(date, &mut self.bytes);
            self.n_before = self.bytes.len();
            self.length = None;
            self.key = Some((status, content_type.cloned()));
        }
        if self.length != Some(length) {
            self.bytes.truncate(self.n_before);
            encode::framing(BodyFraming::Length(length), &mut self.bytes);
            self.bytes.extend_from_slice(b"\r\n");
            self.length = Some(length);
        }
        out.extend_from_slice(&self.bytes);
    }
}

/// Whether two values are equal, which those of the same static text are without a look at it.
fn is_same(a: Option<&HeaderValue>, b: Option<&HeaderValue>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => std::ptr::eq(a.as_bytes(), b.as_bytes()) || a == b,
        (a, b) => a.is_none() && b.is_none(),
    }
}
