//! [`LastHead`]: the head of the last plain response, for the next one that differs in its length alone.

use crate::http::{HeaderValue, StatusCode};

use super::encode;

/// Most responses of a server have the same few lines as the one before: they are kept as bytes, up to the length and
/// from behind it. Writing them anew cost a third of what a small request takes.
#[derive(Debug, Default)]
pub(crate) struct LastHead {
    key: Option<(StatusCode, Option<HeaderValue>)>,
    before: Vec<u8>,
    after: Vec<u8>,
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
        let is_known = self.key.as_ref().is_some_and(|(s, ct)| *s == status && ct.as_ref() == content_type);
        if !is_known {
            self.before.clear();
            self.after.clear();
            encode::status_and_type(status, content_type, &mut self.before);
            self.before.extend_from_slice(encode::CONTENT_LENGTH);
            self.after.extend_from_slice(b"\r\n");
            encode::date(date, &mut self.after);
            self.after.extend_from_slice(b"\r\n");
            self.key = Some((status, content_type.cloned()));
        }
        out.reserve(self.before.len() + self.after.len() + 20);
        out.extend_from_slice(&self.before);
        out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
        out.extend_from_slice(&self.after);
    }
}
