//! What the header fields of a message say about how it and its connection are framed.

use crate::http::{Field, HttpError, tokens};

/// What the fields that frame say.
#[derive(Debug, Default)]
pub(super) struct Framing {
    pub(super) content_length: Option<u64>,
    /// `Transfer-Encoding` was there, and is exactly one final `chunked`.
    pub(super) is_chunked: bool,
    /// The number of the `Host` field.
    pub(super) host: Option<u16>,
    pub(super) has_close: bool,
    pub(super) has_keep_alive: bool,
    /// `Connection: upgrade`.
    names_upgrade: bool,
    has_upgrade_field: bool,
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
        for (n, field) in fields.iter().enumerate() {
            framing.note(n, field.name.cut(text), field.value.cut(text))?;
        }
        framing.check()?;
        Ok(framing)
    }

    /// Looks at one field more, the `n`th of a head. Its name is a token.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or with it behind those before.
    #[inline]
    pub(super) fn note(&mut self, n: usize, name: &[u8], value: &[u8]) -> Result<(), HttpError> {
        match name.len() {
            // Every request has one, and nothing else of most is for the framing.
            4 if is(name, b"host") && self.host.is_some() => Err(HttpError::HostRepeated),
            4 if is(name, b"host") => {
                self.host = Some(n as u16);
                Ok(())
            }
            _ if may_frame(name) => self.note_framing(name, value),
            _ => Ok(()),
        }
    }

    #[inline(never)]
    fn note_framing(&mut self, name: &[u8], value: &[u8]) -> Result<(), HttpError> {
        match name.len() {
            2 if is(name, b"te") => {
                self.takes_trailers |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"trailers"));
            }
            6 if is(name, b"expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(HttpError::Expectation);
                }
                self.expects_continue = true;
            }
            7 if is(name, b"upgrade") => self.has_upgrade_field = true,
            10 if is(name, b"connection") => {
                for token in tokens(value) {
                    self.has_close |= token.eq_ignore_ascii_case(b"close");
                    self.has_keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                    self.names_upgrade |= token.eq_ignore_ascii_case(b"upgrade");
                }
            }
            14 if is(name, b"content-length") => {
                let length = parse_length(value).ok_or(HttpError::ContentLength)?;
                if self.content_length.replace(length).is_some() {
                    return Err(HttpError::ContentLength);
                }
            }
            17 if is(name, b"transfer-encoding") => {
                // A second field is a longer list, and "chunked" would not be its only member.
                if self.is_chunked {
                    return Err(HttpError::TransferEncoding);
                }
                check_codings(value)?;
                self.is_chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Looks at what all fields together say.
    ///
    /// # Errors
    ///
    /// [`HttpError::LengthAndTransferEncoding`].
    pub(super) fn check(&self) -> Result<(), HttpError> {
        if self.is_chunked && self.content_length.is_some() {
            return Err(HttpError::LengthAndTransferEncoding);
        }
        Ok(())
    }

    /// `Connection: upgrade`, and `Upgrade`.
    pub(super) fn has_upgrade(&self) -> bool {
        self.names_upgrade && self.has_upgrade_field
    }

    /// Whether the connection may go on after the message.
    pub(super) fn keeps_alive(&self, is_11: bool) -> bool {
        !self.has_close && (is_11 || self.has_keep_alive)
    }
}

/// Whether a name can be one of the others that frame, by its length and its first letter: few others are.
#[inline]
fn may_frame(name: &[u8]) -> bool {
    let first = name.first().map_or(0, |first| first | 0x20);
    matches!((name.len(), first), (2 | 17, b't') | (6, b'e') | (7, b'u') | (10 | 14, b'c'))
}

/// Whether a token is that name, which is in lower case. A token has no byte that is not a letter and becomes a part of a
/// name by the bit that makes letters small.
fn is<const N: usize>(token: &[u8], name: &[u8; N]) -> bool {
    <[u8; N]>::try_from(token).is_ok_and(|token| token.map(|byte| byte | 0x20) == *name)
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
