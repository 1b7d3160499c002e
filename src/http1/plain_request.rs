//! Heads of requests as nearly all of them are, read in one walk.
//!
//! One of the usual methods, a target that begins with a slash, HTTP/1.1, then a field on each line and a `Host` among
//! them. Each piece is cut, checked and asked what it means for the connection while its bytes are at hand. The careful
//! reader, [`parse_any_request`](super::parse::parse_any_request), cuts the head first, looks for what its cutting has
//! let pass, and walks over the fields once more: half as much again for the head of a browser, and three times as much
//! for that of a small client.
//!
//! This reader has no opinions. What is not complete, wrong or only unusual it does not take, and the careful one says
//! what to make of it. What it takes, the careful one would have taken for the same.

use crate::http::{
    ByteSet, Field, HeadBuffer, IN_TOKEN, Limits, Method, RequestHead, RequestLine, Span, Version, is_host,
};

use super::fields::Framing;
use super::parse::Read;

/// Reads a head from the start of `bytes`, if it is a plain one.
#[inline]
pub(super) fn read_plain_request(bytes: &[u8], limits: &Limits) -> Option<Read<RequestHead>> {
    let text = &bytes[..bytes.len().min(limits.head)];
    let (method, start) = cut_method(text)?;
    let (path, rest) = cut(&text[start..], &IN_PATH);
    let (query, rest) = match rest {
        [b'?', rest @ ..] => {
            let (query, rest) = cut(rest, &IN_QUERY);
            (Some(query), rest)
        }
        _ => (None, rest),
    };
    let target = Span::new(start, text.len() - rest.len());
    let mut rest = rest.strip_prefix(b" HTTP/1.1\r\n")?;
    if text.len() - rest.len() > limits.request_line {
        return None;
    }

    let mut buffer = HeadBuffer::new();
    let parts = &mut *buffer;
    let mut framing = Framing::default();
    let n = loop {
        if let [b'\r', b'\n', rest @ ..] = rest {
            break text.len() - rest.len();
        }
        let (name, value) = cut(rest, &IN_TOKEN);
        let (value, next) = cut_value(value)?;
        if name.is_empty() || parts.fields.len() == limits.headers {
            return None;
        }
        let n_field = parts.fields.len();
        framing.note(n_field, name, value).ok()?;
        if framing.host == Some(n_field as u16) && !is_host(value) {
            return None;
        }
        parts.fields.push(Field { name: Span::of(name, text), value: Span::of(value, text) });
        rest = next;
    };
    parts.text.extend_from_slice(&text[..n]);
    let (path, query) = (Span::of(path, text), query.map(|query| Span::of(query, text)));
    parts.line = RequestLine { method, version: Version::HTTP_11, target, path, query, host: framing.host };
    framing.check().ok().filter(|()| framing.host.is_some())?;
    Some(Read { n, head: RequestHead { buffer }, framing })
}

/// The method, and where the target begins, with a slash.
fn cut_method(text: &[u8]) -> Option<(Method, usize)> {
    Some(match *text {
        [b'G', b'E', b'T', b' ', b'/', ..] => (Method::GET, 4),
        [b'P', b'O', b'S', b'T', b' ', b'/', ..] => (Method::POST, 5),
        [b'H', b'E', b'A', b'D', b' ', b'/', ..] => (Method::HEAD, 5),
        [b'P', b'U', b'T', b' ', b'/', ..] => (Method::PUT, 4),
        [b'D', b'E', b'L', b'E', b'T', b'E', b' ', b'/', ..] => (Method::DELETE, 7),
        [b'P', b'A', b'T', b'C', b'H', b' ', b'/', ..] => (Method::PATCH, 6),
        [b'O', b'P', b'T', b'I', b'O', b'N', b'S', b' ', b'/', ..] => (Method::OPTIONS, 8),
        _ => return None,
    })
}

/// The bytes at the start that may stand in such a piece, and those behind them.
fn cut<'a>(text: &'a [u8], in_piece: &ByteSet) -> (&'a [u8], &'a [u8]) {
    text.split_at(in_piece.n_leading(text))
}

/// The value behind a colon and one space, or none, and what stands behind its line.
fn cut_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b": ").or_else(|| text.strip_prefix(b":"))?;
    let (value, rest) = text.split_at(n_plain(text));
    let rest = rest.strip_prefix(b"\r\n")?;
    let is_trimmed = value.first() != Some(&b' ') && value.last() != Some(&b' ');
    is_trimmed.then_some((value, rest))
}

/// How many bytes at the start are visible ones of ASCII, or spaces. Tabs, and what lies beyond ASCII, are unusual.
///
/// Most of a head is values, and a step for each of their bytes would be most of the work: eight are looked at as one
/// number.
fn n_plain(text: &[u8]) -> usize {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let mut rest = text;
    while let Some((bytes, behind)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*bytes);
        // The highest bit of a byte is set if it is below a space, DEL or beyond ASCII. What is borrowed and carried is
        // wrong about the bytes behind the first of these, and about none before it.
        let others = (word.wrapping_sub(0x20 * EACH) | word.wrapping_add(EACH) | word) & (0x80 * EACH);
        if others != 0 {
            return text.len() - rest.len() + others.trailing_zeros() as usize / 8;
        }
        rest = behind;
    }
    let n_more = rest.iter().take_while(|byte| matches!(byte, b' '..=b'~')).count();
    text.len() - rest.len() + n_more
}

/// A fragment is never sent, and what lies beyond ASCII is unusual.
static IN_QUERY: ByteSet = ByteSet::visible_without(b"#");

static IN_PATH: ByteSet = ByteSet::visible_without(b"#?");

#[cfg(test)]
#[path = "plain_request_tests.rs"]
mod tests;
