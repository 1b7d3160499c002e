//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455, 9.1).

use std::borrow::Cow;

use super::error::WebSocketError;
use crate::http::IN_TOKEN;

/// An extension that is offered or was chosen. Names are compared as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a str,
    pub(crate) params: Vec<Param<'a>>,
}

/// A parameter of an extension, whose value was a token, in quotes or not, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Param<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Option<Cow<'a, str>>,
}

/// How many extensions are read. Browsers offer one, and 16 are as many as there will be reasons to offer one again with
/// less.
const MAX_EXTENSIONS: usize = 16;

/// How many parameters of one extension are read: permessage-deflate knows four.
const MAX_PARAMS: usize = 16;

/// The extensions of all fields in order, as if they were one with commas between. Empty members of the list are passed
/// over, as in every list of HTTP (RFC 9110, 5.6.1), but there has to be another in each field.
///
/// # Errors
///
/// [`WebSocketError::Protocol`] on what is against the grammar, upon which a connection must fail, and on more than is
/// read.
pub(crate) fn parse<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Extension<'a>>, WebSocketError> {
    let mut extensions = Vec::new();
    for field in fields {
        let mut scanner = Scanner { rest: field };
        let n_before = extensions.len();
        loop {
            while scanner.take(b',') {}
            if scanner.is_at_end() {
                break;
            }
            if extensions.len() == MAX_EXTENSIONS {
                return Err(WebSocketError::Protocol("too many extensions"));
            }
            extensions.push(scanner.extension()?);
            if !scanner.is_at_end() && !scanner.take(b',') {
                return Err(MALFORMED);
            }
        }
        if extensions.len() == n_before {
            return Err(MALFORMED);
        }
    }
    Ok(extensions)
}

const MALFORMED: WebSocketError = WebSocketError::Protocol("Sec-WebSocket-Extensions is malformed");

struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    fn extension(&mut self) -> Result<Extension<'a>, WebSocketError> {
        let name = self.token()?;
        let mut params = Vec::new();
        while self.take(b';') {
            if params.len() == MAX_PARAMS {
                return Err(WebSocketError::Protocol("an extension has too many parameters"));
            }
            let name = self.token()?;
            let value = if self.take(b'=') { Some(self.value()?) } else { None };
            params.push(Param { name, value });
        }
        Ok(Extension { name, params })
    }

    fn value(&mut self) -> Result<Cow<'a, str>, WebSocketError> {
        if !self.take(b'"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = String::new();
        loop {
            let (byte, rest) = match self.rest {
                [b'"', rest @ ..] if !value.is_empty() => {
                    self.rest = rest;
                    return Ok(Cow::Owned(value));
                }
                [b'\\', byte, rest @ ..] | [byte, rest @ ..] => (*byte, rest),
                [] => return Err(MALFORMED),
            };
            // What was in quotes has to be a token, too.
            if !IN_TOKEN.contains(byte) {
                return Err(MALFORMED);
            }
            value.push(char::from(byte));
            self.rest = rest;
        }
    }

    fn token(&mut self) -> Result<&'a str, WebSocketError> {
        self.skip_whitespace();
        let len = IN_TOKEN.n_leading(self.rest);
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        std::str::from_utf8(token).ok().filter(|token| !token.is_empty()).ok_or(MALFORMED)
    }

    /// Whether that came next, whitespace aside. Then it is passed.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_whitespace();
        let is_next = self.rest.first() == Some(&byte);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_whitespace();
        self.rest.is_empty()
    }

    fn skip_whitespace(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

#[cfg(test)]
mod tests;
