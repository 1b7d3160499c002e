//! Lists in header fields whose members may be quoted strings (RFC 9110, 5.6.4).

use std::borrow::Cow;

/// The members between separators that stand outside of quotes, without the whitespace around them; empty ones are left
/// out. A quoted string without an end goes on to the end of the text.
pub(crate) fn split_quoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    let members = std::iter::from_fn(move || {
        let text = rest?;
        let (member, behind) = split_quoted_once(text, separator).map_or((text, None), |(one, rest)| (one, Some(rest)));
        rest = behind;
        Some(member.trim_ascii())
    });
    members.filter(|member| !member.is_empty())
}

/// What stands before the first separator outside of quotes, and behind it.
pub(crate) fn split_quoted_once(text: &str, separator: u8) -> Option<(&str, &str)> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let at = text.bytes().position(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => return byte == separator && !is_quoted,
        }
        false
    })?;
    Some((&text[..at], &text[at + 1..]))
}

/// Name and value of `name=value`, the name in the sender's spelling, the value without the quotes around it; without a
/// `=`, all of it is the name.
pub(crate) fn parameter(member: &str) -> (&str, Cow<'_, str>) {
    match member.split_once('=') {
        Some((name, value)) => (name.trim_ascii_end(), unquoted(value.trim_ascii_start())),
        None => (member, Cow::Borrowed("")),
    }
}

/// The content of a quoted string, its escapes undone; other text as it is.
fn unquoted(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut letters = inner.chars();
    let unescaped = std::iter::from_fn(|| match letters.next()? {
        '\\' => letters.next().or(Some('\\')),
        letter => Some(letter),
    });
    Cow::Owned(unescaped.collect())
}
