//! Percent-encoding (RFC 3986, 2.1) and its decoding, once and no further.

use std::borrow::Cow;
use std::fmt;

use super::byte_set::ByteSet;

/// Decodes the percent-encoded bytes of a path segment or a query value. What is decoded is never decoded again, and
/// `+` stays `+`.
///
/// Decode after splitting at `/`, `?` and `&`: a decoded `%2F` is data, not a separator.
///
/// # Errors
///
/// [`BadPercentEncoding`] if a `%` is not followed by two hexadecimal digits, or if the result is not UTF-8.
///
/// ```
/// use foster::http::percent_decode;
///
/// assert_eq!(percent_decode("caf%C3%A9%2F%2525")?, "café/%25");
/// assert!(percent_decode("%zz").is_err() && percent_decode("%ff").is_err() && percent_decode("%4").is_err());
/// # foster::Ok(())
/// ```
pub fn percent_decode(text: &str) -> Result<Cow<'_, str>, BadPercentEncoding> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let (bytes, is_clean) = decode_bytes(text);
    if !is_clean {
        return Err(BadPercentEncoding);
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| BadPercentEncoding)
}

/// As [`percent_decode`] for text that has to be shown and not compared: a bad escape stays as it is, and what is not
/// UTF-8 becomes U+FFFD.
pub fn percent_decode_lossy(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let (bytes, _) = decode_bytes(text);
    Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|err| String::from_utf8_lossy(err.as_bytes()).into_owned()))
}

/// The bytes, and whether every escape was one.
fn decode_bytes(text: &str) -> (Vec<u8>, bool) {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let (mut n, mut is_clean) = (0, true);
    while let Some(&byte) = bytes.get(n) {
        let escaped = (byte == b'%').then(|| hex_pair(*bytes.get(n + 1)?, *bytes.get(n + 2)?));
        match escaped {
            Some(Some(byte)) => {
                decoded.push(byte);
                n += 3;
                continue;
            }
            Some(None) => is_clean = false,
            None => {}
        }
        decoded.push(byte);
        n += 1;
    }
    (decoded, is_clean)
}

/// The byte that stands behind a percent sign.
pub(crate) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let hex = |digit: u8| char::from(digit).to_digit(16);
    Some((hex(high)? << 4 | hex(low)?) as u8)
}

/// Encodes each byte that is not in the set: the others are ASCII, and so is the result.
pub(super) fn percent_encode(text: &str, kept: &ByteSet) -> String {
    let mut encoded = String::with_capacity(text.len());
    push_encoded(text, |byte| kept.contains(byte), &mut encoded);
    encoded
}

/// Adds text with each byte encoded that is not kept: those that are have to be ASCII.
pub(crate) fn push_encoded(text: &str, is_kept: impl Fn(u8) -> bool, encoded: &mut String) {
    for byte in text.bytes() {
        if is_kept(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

const HEX: [u8; 16] = *b"0123456789ABCDEF";

/// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPercentEncoding;

impl fmt::Display for BadPercentEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a percent sign is not followed by two hexadecimal digits, or the decoded bytes are not UTF-8")
    }
}

impl std::error::Error for BadPercentEncoding {}
