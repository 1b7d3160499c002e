//! Heads and trailers from bytes: httparse, and what it lets pass.

use std::mem::MaybeUninit;

use httparse::Status;

use crate::http::{
    Field, HeadBuffer, HeaderList, HeaderName, HeaderValue, HttpError, Limits, Method, RequestHead, RequestLine,
    ResponseHead, Span, StatusCode, Target, Version, is_host,
};

use super::fields::Framing;

/// Room on the stack for the fields of a head.
const ROOM: usize = 256;

/// Empty lines that are let pass before a request line: RFC 9112, 2.2 asks for at least one.
const MAX_EMPTY_LINES: usize = 8;

/// A head that was read, and how many bytes it took.
pub(super) struct Read<H> {
    pub(super) n: usize,
    pub(super) head: H,
    pub(super) framing: Framing,
}

/// Reads the head of a request, whatever it looks like, from the start of `bytes`; `None` if it is not complete. Empty
/// lines before it count.
///
/// # Errors
///
/// What is wrong first, and so the same however the head was cut on its way.
// Kept apart, so that its room on the stack is not made for every plain head.
#[inline(never)]
pub(super) fn parse_any_request(bytes: &[u8], limits: &Limits) -> Result<Option<Read<RequestHead>>, HttpError> {
    let Some(n_skipped) = skip_empty_lines(bytes)? else { return Ok(None) };
    let text = beginning(bytes, limits.head).get(n_skipped..).unwrap_or_default();
    let mut room = [const { MaybeUninit::uninit() }; ROOM];
    let mut request = httparse::Request::new(&mut []);
    let room = &mut room[..limits.headers.min(ROOM)];
    let parsed = request.parse_with_uninit_headers(text, room);
    let (Ok(Status::Complete(n)), Some(method), Some(target), Some(version)) =
        (parsed, request.method, request.path, request.version)
    else {
        return fault_of_request(text, n_skipped, limits).map_or(Ok(None), Err);
    };
    let text = &text[..n];
    let line = request.headers.first().map_or(n - 2, |first| Span::of(first.name.as_bytes(), text).start());
    if !has_line_ends(text, request.headers) || line > limits.request_line || n_skipped + n > limits.head {
        return Err(fault_of_request(text, n_skipped, limits).unwrap_or(HttpError::LineEnd));
    }

    let mut buffer = HeadBuffer::copy_of(text);
    keep_fields(&mut buffer, text, request.headers);
    let framing = Framing::of(&buffer.text, &buffer.fields)?;
    let is_11 = version == 1;
    if framing.is_chunked && !is_11 {
        return Err(HttpError::TransferEncodingBefore11);
    }
    check_host(&buffer, &framing, is_11)?;
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| HttpError::RequestLine)?;
    let form = Target::read(target, &method, limits.allows_unusual_targets)?;
    let span = |piece: &str| Span::of(piece.as_bytes(), text);
    let path = if form == Target::Asterisk { target } else { form.path() };
    let (path, query) = (span(path), form.query().map(span));
    let version = if is_11 { Version::HTTP_11 } else { Version::HTTP_10 };
    let line = RequestLine { method, version, target: span(target), path, query, host: framing.host };
    buffer.line = line;
    Ok(Some(Read { n: n_skipped + n, head: RequestHead { buffer }, framing }))
}

/// Reads the head of a response from the start of `bytes`; `None` if it is not complete.
///
/// # Errors
///
/// As [`parse_any_request`].
pub(super) fn parse_response(bytes: &[u8], limits: &Limits) -> Result<Option<Read<ResponseHead>>, HttpError> {
    let mut room = [const { MaybeUninit::uninit() }; ROOM];
    let mut response = httparse::Response::new(&mut []);
    let room = &mut room[..limits.headers.min(ROOM)];
    let config = httparse::ParserConfig::default();
    let text = beginning(bytes, limits.head);
    let parsed = config.parse_response_with_uninit_headers(&mut response, text, room);
    let (Ok(Status::Complete(n)), Some(version), Some(code), Some(reason)) =
        (parsed, response.version, response.code, response.reason)
    else {
        return fault_of_response(text, limits).map_or(Ok(None), Err);
    };
    let text = &text[..n];
    if !has_line_ends(text, response.headers) || n > limits.head {
        return Err(fault_of_response(text, limits).unwrap_or(HttpError::LineEnd));
    }
    let mut buffer = HeadBuffer::copy_of(text);
    keep_fields(&mut buffer, text, response.headers);
    let framing = Framing::of(&buffer.text, &buffer.fields)?;
    if framing.is_chunked && version != 1 {
        return Err(HttpError::TransferEncodingBefore11);
    }
    let status = StatusCode::from_u16(code).map_err(|_| HttpError::StatusLine)?;
    let reason = Span::of(reason.as_bytes(), text);
    let version = if version == 1 { Version::HTTP_11 } else { Version::HTTP_10 };
    Ok(Some(Read { n, head: ResponseHead { buffer, status, version, reason }, framing }))
}

/// Reads a section of trailers with its empty line; `None` if it is not complete.
///
/// # Errors
///
/// As [`parse_any_request`].
pub(super) fn parse_trailers(bytes: &[u8], limits: &Limits) -> Result<Option<(usize, HeaderList)>, HttpError> {
    if bytes.starts_with(b"\r\n") {
        return Ok(Some((2, HeaderList::new())));
    }
    let mut room = [httparse::EMPTY_HEADER; ROOM];
    let text = beginning(bytes, limits.trailers);
    let Ok(Status::Complete((n, fields))) = httparse::parse_headers(text, &mut room[..limits.headers.min(ROOM)]) else {
        return fault_of_trailers(text, limits).map_or(Ok(None), Err);
    };
    let text = &text[..n];
    if !has_line_ends(text, fields) || n > limits.trailers {
        return Err(fault_of_trailers(text, limits).unwrap_or(HttpError::LineEnd));
    }
    let mut trailers = HeaderList::new();
    for field in fields {
        if is_forbidden_trailer(field.name) {
            return Err(HttpError::Trailer);
        }
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| HttpError::HeaderName)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| HttpError::HeaderValue)?;
        trailers.append(name, value);
    }
    Ok(Some((n, trailers)))
}

/// Whether a field may not stand behind the body.
pub(super) fn is_forbidden_trailer(name: &str) -> bool {
    FORBIDDEN_TRAILERS.iter().any(|forbidden| forbidden.eq_ignore_ascii_case(name))
}

/// What frames, routes or authenticates a message stands in its head or nowhere (RFC 9110, 6.5.1).
const FORBIDDEN_TRAILERS: [&str; 10] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// How many bytes of empty lines stand at the start; `None` if that cannot be said yet.
fn skip_empty_lines(bytes: &[u8]) -> Result<Option<usize>, HttpError> {
    let mut n = 0;
    loop {
        match &bytes[n..] {
            [b'\r', b'\n', ..] if n < 2 * MAX_EMPTY_LINES => n += 2,
            [b'\r'] | [] => return Ok(None),
            [b'\r' | b'\n', ..] => return Err(HttpError::LineEnd),
            _ => return Ok(Some(n)),
        }
    }
}

/// No more than makes the limit and one byte: what lies beyond it must not change what is wrong.
fn beginning(bytes: &[u8], limit: usize) -> &[u8] {
    &bytes[..bytes.len().min(limit.saturating_add(1))]
}

/// Whether all lines end in CRLF. httparse takes a bare LF for a line end; we do not (RFC 9112, 2.2 leaves it to the
/// recipient).
fn has_line_ends(text: &[u8], fields: &[httparse::Header<'_>]) -> bool {
    text.ends_with(b"\r\n\r\n")
        && fields.iter().all(|field| {
            let start = Span::of(field.name.as_bytes(), text).start();
            start == 0 || text[..start].ends_with(b"\r\n")
        })
}

fn keep_fields(buffer: &mut HeadBuffer, text: &[u8], fields: &[httparse::Header<'_>]) {
    buffer.fields.extend(
        fields
            .iter()
            .map(|field| Field { name: Span::of(field.name.as_bytes(), text), value: Span::of(field.value, text) }),
    );
}

/// Whether there is a host where there has to be one, and it looks like one.
fn check_host(buffer: &HeadBuffer, framing: &Framing, is_11: bool) -> Result<(), HttpError> {
    match framing.host.and_then(|n| buffer.fields.get(usize::from(n))) {
        Some(field) if is_host(field.value.cut(&buffer.text)) => Ok(()),
        Some(_) => Err(HttpError::Host),
        None if is_11 => Err(HttpError::HostMissing),
        None => Ok(()),
    }
}

/// What is wrong with a head, or its beginning, that was not taken; `None` if more of it is needed to say so.
fn fault_of_request(text: &[u8], n_skipped: usize, limits: &Limits) -> Option<HttpError> {
    let line = &text[..text.len().min(limits.request_line)];
    if line.len() == limits.request_line && memchr::memchr(b'\n', line).is_none() {
        let too_long = HttpError::RequestLineTooLong { limit: limits.request_line };
        return Some(request_error(line, limits).unwrap_or(too_long));
    }
    let too_large = (n_skipped + text.len() > limits.head).then_some(HttpError::HeadTooLarge { limit: limits.head });
    first_fault(text, too_large, |text| request_error(text, limits))
}

fn fault_of_response(text: &[u8], limits: &Limits) -> Option<HttpError> {
    let too_large = (text.len() > limits.head).then_some(HttpError::HeadTooLarge { limit: limits.head });
    first_fault(text, too_large, |text| response_error(text, limits))
}

fn fault_of_trailers(text: &[u8], limits: &Limits) -> Option<HttpError> {
    let too_large = (text.len() > limits.trailers).then_some(HttpError::TrailersTooLarge { limit: limits.trailers });
    first_fault(text, too_large, |text| {
        let mut room = [httparse::EMPTY_HEADER; ROOM];
        let parsed = httparse::parse_headers(text, &mut room[..limits.headers.min(ROOM)]);
        parsed.err().map(|err| field_error(err, limits))
    })
}

/// What httparse finds up to the first bare LF, else that; or what it finds in all of the text, else that it is too
/// large.
fn first_fault(
    text: &[u8],
    too_large: Option<HttpError>,
    parse_error: impl FnOnce(&[u8]) -> Option<HttpError>,
) -> Option<HttpError> {
    match memchr::memchr_iter(b'\n', text).find(|&at| at == 0 || text[at - 1] != b'\r') {
        Some(at) => Some(parse_error(&text[..=at]).unwrap_or(HttpError::LineEnd)),
        None => parse_error(text).or(too_large),
    }
}

fn request_error(text: &[u8], limits: &Limits) -> Option<HttpError> {
    let mut room = [const { MaybeUninit::uninit() }; ROOM];
    let room = &mut room[..limits.headers.min(ROOM)];
    let err = httparse::Request::new(&mut []).parse_with_uninit_headers(text, room).err()?;
    match err {
        httparse::Error::Token | httparse::Error::Status => Some(HttpError::RequestLine),
        httparse::Error::Version | httparse::Error::NewLine => version_error(text, err),
        _ => Some(field_error(err, limits)),
    }
}

/// What is wrong behind the target: another version and another protocol differ, and only a whole line can tell.
fn version_error(text: &[u8], err: httparse::Error) -> Option<HttpError> {
    let end = memchr::memchr(b'\n', text);
    let line = &text[..end.unwrap_or(text.len())];
    let version = line.splitn(3, |&byte| byte == b' ').nth(2).unwrap_or_default();
    if err == httparse::Error::NewLine {
        let is_longer = version.get(8).is_some_and(|&byte| byte != b'\r');
        return Some(if is_longer { HttpError::RequestLine } else { HttpError::LineEnd });
    }
    end?;
    let version = version.strip_suffix(b"\r").unwrap_or(version);
    let is_version = matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit());
    Some(if is_version { HttpError::Version } else { HttpError::RequestLine })
}

fn response_error(text: &[u8], limits: &Limits) -> Option<HttpError> {
    let mut room = [const { MaybeUninit::uninit() }; ROOM];
    let room = &mut room[..limits.headers.min(ROOM)];
    let config = httparse::ParserConfig::default();
    let err = config.parse_response_with_uninit_headers(&mut httparse::Response::new(&mut []), text, room).err()?;
    Some(match err {
        httparse::Error::Version => HttpError::Version,
        httparse::Error::Status | httparse::Error::Token => HttpError::StatusLine,
        _ => field_error(err, limits),
    })
}

fn field_error(err: httparse::Error, limits: &Limits) -> HttpError {
    match err {
        httparse::Error::NewLine => HttpError::LineEnd,
        httparse::Error::HeaderValue => HttpError::HeaderValue,
        httparse::Error::TooManyHeaders => HttpError::TooManyHeaders { limit: limits.headers },
        _ => HttpError::HeaderName,
    }
}
