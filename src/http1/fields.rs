//! What the header fields of a message say about how it and its connection are framed.

use crate::http::{Field, HttpError, Span, tokens};

/// The fields that frame, gathered in one walk over the head.
#[derive(Debug, Default)]
pub(super) struct Framing {
    pub(super) content_length: Option<u64>,
    /// `Transfer-Encoding` was there, and is exactly one final `chunked`.
    pub(super) is_chunked: bool,
    /// The number of the `Host` field.
    pub(super) host: Option<u16>,
    pub(super) has_close: bool,
    pub(super) has_keep_alive: bool,
    /// `Connection: upgrade`, and `Upgrade`.
    pub(super) has_upgrade: bool,
    pub(super) expects_continue: bool,
    /// `TE: trailers`.
    pub(super) takes_trailers: bool,
}

impl Framing {
    /// Looks at the fields of a head.
    ///
    /// # Errors
    ///
    /// What is wrong with one of them, whatever the version.
    pub(super) fn of(text: &[u8], fields: &[Field]) -> Result<Self, HttpError> {
        let mut framing = Framing::default();
        let (mut connection_upgrades, mut has_upgrade_field) = (false, false);
        for (n, field) in fields.iter().enumerate() {
            let (name, value) = (field.name.cut(text), field.value);
            match name.len() {
                2 if name.eq_ignore_ascii_case(b"te") => {
                    framing.takes_trailers |= has(value, text, b"trailers");
                }
                4 if name.eq_ignore_ascii_case(b"host") && framing.host.is_some() => {
                    return Err(HttpError::HostRepeated);
                }
                4 if name.eq_ignore_ascii_case(b"host") => framing.host = Some(n as u16),
                6 if name.eq_ignore_ascii_case(b"expect") => {
                    if !value.cut(text).eq_ignore_ascii_case(b"100-continue") {
                        return Err(HttpError::Expectation);
                    }
                    framing.expects_continue = true;
                }
                7 if name.eq_ignore_ascii_case(b"upgrade") => has_upgrade_field = true,
                10 if name.eq_ignore_ascii_case(b"connection") => {
                    for token in tokens(value.cut(text)) {
                        framing.has_close |= token.eq_ignore_ascii_case(b"close");
                        framing.has_keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                        connection_upgrades |= token.eq_ignore_ascii_case(b"upgrade");
                    }
                }
                14 if name.eq_ignore_ascii_case(b"content-length") => {
                    let length = parse_length(value.cut(text)).ok_or(HttpError::ContentLength)?;
                    if framing.content_length.replace(length).is_some() {
                        return Err(HttpError::ContentLength);
                    }
                }
                17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                    // A second field is a longer list, and "chunked" would not be its only member.
                    if framing.is_chunked {
                        return Err(HttpError::TransferEncoding);
                    }
                    check_codings(value.cut(text))?;
                    framing.is_chunked = true;
                }
                _ => {}
            }
        }
        framing.has_upgrade = connection_upgrades && has_upgrade_field;
        if framing.is_chunked && framing.content_length.is_some() {
            return Err(HttpError::LengthAndTransferEncoding);
        }
        Ok(framing)
    }

    /// Whether the connection may go on after the message.
    pub(super) fn keeps_alive(&self, is_11: bool) -> bool {
        !self.has_close && (is_11 || self.has_keep_alive)
    }
}

fn has(value: Span, text: &[u8], token: &[u8]) -> bool {
    tokens(value.cut(text)).any(|found| found.eq_ignore_ascii_case(token))
}

/// `1*DIGIT` that fits 64 bits: no sign, no space, no list.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |length, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        length.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Takes exactly one `chunked`.
fn check_codings(value: &[u8]) -> Result<(), HttpError> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let mut is_chunked = false;
    let mut is_unknown = false;
    for coding in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
        if is_chunked || coding.is_empty() || !coding.iter().all(|&byte| is_coding_byte(byte)) {
            return Err(HttpError::TransferEncoding);
        }
        is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        is_unknown |= !is_chunked;
    }
    // A list that ends in "chunked" has an end that could be found (RFC 9112, 6.1: 501); any other has none (6.3: 400).
    Err(if is_chunked && is_unknown { HttpError::TransferCoding } else { HttpError::TransferEncoding })
}

fn is_coding_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~;=\" ".contains(&byte)
}
