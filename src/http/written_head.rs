//! [`RequestHead::write`]: a head that came over no wire.

use std::io::Write;

use ::http::{HeaderName, HeaderValue, Method, Version, header};

use super::error::HttpError;
use super::head::{Field, HeadBuffer, RequestHead, RequestLine, Span};
use super::host::is_host;
use super::limits::Limits;
use super::target::Target;

impl RequestHead {
    /// Writes a head as a client does, and holds it to what one from a wire is held to, the default limits included. What
    /// the fields say of the body is for the caller to know.
    ///
    /// # Errors
    ///
    /// As of a head that came in.
    pub(crate) fn write<'a>(
        method: &Method,
        target: &str,
        version: Version,
        fields: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    ) -> Result<Self, HttpError> {
        let limits = Limits::default();
        if let Some(byte) = target.bytes().find(|byte| !byte.is_ascii_graphic()) {
            return Err(if byte.is_ascii() { HttpError::RequestLine } else { HttpError::Target });
        }
        let form = Target::read(target, method, false)?;
        let mut buffer = HeadBuffer::new();
        let parts = &mut *buffer;
        let text = &mut parts.text;
        let version_text = if version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
        text.extend_from_slice(method.as_str().as_bytes());
        text.push(b' ');
        let start = text.len();
        text.extend_from_slice(target.as_bytes());
        // Writing to a vector never fails.
        let _ = write!(text, " {version_text}\r\n");
        if text.len() > limits.request_line {
            return Err(HttpError::RequestLineTooLong { limit: limits.request_line });
        }
        let mut host = None;
        for (name, value) in fields {
            let value = value.as_bytes().trim_ascii();
            if parts.fields.len() == limits.headers {
                return Err(HttpError::TooManyHeaders { limit: limits.headers });
            }
            // Before it is written: a place in the text is a number of 16 bits.
            if text.len() + name.as_str().len() + value.len() + ": \r\n\r\n".len() > limits.head {
                return Err(HttpError::HeadTooLarge { limit: limits.head });
            }
            if *name == header::HOST {
                if !is_host(value) {
                    return Err(HttpError::Host);
                }
                if host.replace(parts.fields.len() as u16).is_some() {
                    return Err(HttpError::HostRepeated);
                }
            }
            let name_start = text.len();
            text.extend_from_slice(name.as_str().as_bytes());
            let name_end = text.len();
            text.extend_from_slice(b": ");
            let value_start = text.len();
            text.extend_from_slice(value);
            let (name, value) = (Span::new(name_start, name_end), Span::new(value_start, text.len()));
            parts.fields.push(Field { name, value });
            text.extend_from_slice(b"\r\n");
        }
        if host.is_none() && version != Version::HTTP_10 {
            return Err(HttpError::HostMissing);
        }
        text.extend_from_slice(b"\r\n");
        let version = if version == Version::HTTP_10 { Version::HTTP_10 } else { Version::HTTP_11 };
        let span = |piece: &str| {
            let found = Span::of(piece.as_bytes(), target.as_bytes());
            Span::new(start + found.start(), start + found.end())
        };
        let path = if form == Target::Asterisk { target } else { form.path() };
        let (path, query) = (span(path), form.query().map(span));
        let target = Span::new(start, start + target.len());
        parts.line = RequestLine { method: method.clone(), version, target, path, query, host };
        Ok(RequestHead { buffer })
    }
}
