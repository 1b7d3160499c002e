//! [`PathText`]: a path to be matched, decoded, that still knows its segments.

use std::borrow::Cow;
use std::ops::Range;

use crate::http::percent_decode;

/// Decoded text in which a `%2F` of the client is a slash that separates nothing.
pub(super) struct PathText<'p> {
    text: Cow<'p, str>,
    /// Where the slashes that were `%2F` lie, in order. Nearly always empty.
    literal_slashes: Vec<usize>,
}

impl<'p> PathText<'p> {
    /// `None` if a `%` is not followed by two digits, or if the decoded bytes are not UTF-8.
    pub(super) fn decode(path: &'p str) -> Option<Self> {
        if !path.contains('%') {
            return Some(PathText::plain(Cow::Borrowed(path)));
        }
        let mut text = String::with_capacity(path.len());
        let mut literal_slashes = Vec::new();
        for (n, segment) in path.split('/').enumerate() {
            if n > 0 {
                text.push('/');
            }
            let decoded = percent_decode(segment).ok()?;
            let start = text.len();
            literal_slashes.extend(decoded.match_indices('/').map(|(at, _)| start + at));
            text.push_str(&decoded);
        }
        Some(PathText { text: Cow::Owned(text), literal_slashes })
    }

    /// Text that has been decoded, or never was encoded.
    pub(super) fn plain(text: Cow<'p, str>) -> Self {
        PathText { text, literal_slashes: Vec::new() }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn into_text(self) -> Cow<'p, str> {
        self.text
    }

    /// Where the segment that begins at `start` ends: at a slash, or at the end of the text.
    pub(super) fn segment_end(&self, start: usize) -> usize {
        let mut from = start;
        while let Some(found) = self.text.as_bytes()[from..].iter().position(|&byte| byte == b'/') {
            let at = from + found;
            if !self.has_literal_slash(at..at + 1) {
                return at;
            }
            from = at + 1;
        }
        self.text.len()
    }

    /// Whether there is a slash that separates at the end of this range.
    pub(super) fn ends_with_slash(&self, range: Range<usize>) -> bool {
        !range.is_empty()
            && self.text.as_bytes()[range.end - 1] == b'/'
            && !self.has_literal_slash(range.end - 1..range.end)
    }

    pub(super) fn has_literal_slash(&self, range: Range<usize>) -> bool {
        if self.literal_slashes.is_empty() {
            return false;
        }
        let next = self.literal_slashes.partition_point(|&at| at < range.start);
        self.literal_slashes.get(next).is_some_and(|&at| at < range.end)
    }
}
