//! Percent-encoding (RFC 3986, 2.1) for the places of a URL.

use crate::http::push_encoded;

/// Text of one segment: what RFC 3986 calls `pchar` stays, everything else is encoded, slashes, too.
pub(super) fn push_segment(text: &str, url: &mut String) {
    push_encoded(text, is_pchar, url);
}

/// Text over several segments: slashes stay.
pub(super) fn push_path(text: &str, url: &mut String) {
    push_encoded(text, |byte| is_pchar(byte) || byte == b'/', url);
}

/// A fragment.
pub(super) fn push_fragment(text: &str, url: &mut String) {
    push_encoded(text, |byte| is_pchar(byte) || matches!(byte, b'/' | b'?'), url);
}

/// A name or a value of a query, as forms write it: a space is `+`.
pub(super) fn push_query(text: &str, url: &mut String) {
    for (n, word) in text.split(' ').enumerate() {
        if n > 0 {
            url.push('+');
        }
        push_encoded(word, |byte| is_pchar(byte) && !matches!(byte, b'&' | b'=' | b'+') || b"/?".contains(&byte), url);
    }
}

/// A path or a query as a client sent it, for a redirect to it: what is encoded stays so, and what no URL holds is
/// encoded. A backslash is one of these: browsers take `/\host` for another host.
pub(super) fn push_again(text: &str, url: &mut String) {
    push_encoded(text, |byte| is_pchar(byte) || matches!(byte, b'%' | b'/' | b'?'), url);
}

/// `pchar` of RFC 3986, 3.3, but for the percent sign.
fn is_pchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}
