//! Heads and trailers from bytes: httparse, and what it lets pass.

use std::mem::MaybeUninit;

use httparse::Status;

use crate::http::{
    Field, HeadBuffer, HeaderList, HeaderName, HeaderValue, HttpError, Limits, Method, RequestHead, ResponseHead, Span,
    StatusCode, Target, Version, is_host,
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

/// Reads the head of a request from the start of `bytes`; `None` if it is not complete.
pub(super) fn parse_request(bytes: &[u8], limits: &Limits) -> Result<Option<Read<RequestHead>>, HttpError> {
    let Some(n_skipped) = skip_empty_lines(bytes)? else { return Ok(None) };
    let text = &bytes[n_skipped..];
    let mut room = [const { MaybeUninit::uninit() }; ROOM];
    let mut request = httparse::Request::new(&mut []);
    let room = &mut room[..limits.headers.min(ROOM)];
    let n = match request.parse_with_uninit_headers(text, room) {
        Ok(Status::Complete(n)) => n,
        Ok(Status::Partial) => return too_much_of_a_request(text, limits).map_or(Ok(None), Err),
        Err(err) => return Err(too_much_of_a_request(text, limits).unwrap_or_else(|| request_error(err, text, limits))),
    };
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(HttpError::RequestLine);
    };
    let text = &text[..n];
    check_line_ends(text, request.headers)?;
    let line = request.headers.first().map_or(n - 2, |first| Span::of(first.name.as_bytes(), text).start());
    if line > limits.request_line {
        return Err(HttpError::RequestLineTooLong { limit: limits.request_line });
    }
    if n > limits.head {
        return Err(HttpError::HeadTooLarge { limit: limits.head });
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
    check_target(target, &method, limits)?;
    let target = Span::of(target.as_bytes(), text);
    let version = if is_11 { Version::HTTP_11 } else { Version::HTTP_10 };
    let head = RequestHead { buffer, method, version, target, host: framing.host };
    Ok(Some(Read { n: n_skipped + n, head, framing }))
}

/// Reads the head of a response from the start of `bytes`; `None` if it is not complete.
pub(super) fn parse_response(bytes: &[u8], limits: &Limits) -> Result<Option<Read<ResponseHead>>, HttpError> {
    let mut room = [const { MaybeUninit::uninit() }; ROOM];
    let mut response = httparse::Response::new(&mut []);
    let room = &mut room[..limits.headers.min(ROOM)];
    let config = httparse::ParserConfig::default();
    let n = match config.parse_response_with_uninit_headers(&mut response, bytes, room) {
        Ok(Status::Complete(n)) => n,
        Ok(Status::Partial) if bytes.len() > limits.head => {
            return Err(HttpError::HeadTooLarge { limit: limits.head });
        }
        Ok(Status::Partial) => return Ok(None),
        Err(err) => {
            return Err(match err {
                httparse::Error::Version => HttpError::Version,
                httparse::Error::Status | httparse::Error::Token => HttpError::StatusLine,
                _ => field_error(err, limits),
            });
        }
    };
    let (Some(version), Some(code), Some(reason)) = (response.version, response.code, response.reason) else {
        return Err(HttpError::StatusLine);
    };
    let text = &bytes[..n];
    check_line_ends(text, response.headers)?;
    if n > limits.head {
        return Err(HttpError::HeadTooLarge { limit: limits.head });
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
pub(super) fn parse_trailers(bytes: &[u8], limits: &Limits) -> Result<Option<(usize, HeaderList)>, HttpError> {
    if bytes.starts_with(b"\r\n") {
        return Ok(Some((2, HeaderList::new())));
    }
    let mut room = [httparse::EMPTY_HEADER; ROOM];
    let (n, fields) = match httparse::parse_headers(bytes, &mut room[..limits.headers.min(ROOM)]) {
        Ok(Status::Complete(complete)) => complete,
        Ok(Status::Partial) if bytes.len() > limits.trailers => {
            return Err(HttpError::TrailersTooLarge { limit: limits.trailers });
        }
        Ok(Status::Partial) => return Ok(None),
        Err(err) => return Err(field_error(err, limits)),
    };
    if n > limits.trailers {
        return Err(HttpError::TrailersTooLarge { limit: limits.trailers });
    }
    check_line_ends(&bytes[..n], fields)?;
    let mut trailers = HeaderList::new();
    for field in fields {
        if FORBIDDEN_TRAILERS.iter().any(|name| name.eq_ignore_ascii_case(field.name)) {
            return Err(HttpError::Trailer);
        }
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| HttpError::HeaderName)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| HttpError::HeaderValue)?;
        trailers.append(name, value);
    }
    Ok(Some((n, trailers)))
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

/// httparse takes a bare LF for a line end; we do not (RFC 9112, 2.2 leaves it to the recipient).
fn check_line_ends(text: &[u8], fields: &[httparse::Header<'_>]) -> Result<(), HttpError> {
    let mut is_fine = text.ends_with(b"\r\n\r\n");
    for field in fields {
        let start = Span::of(field.name.as_bytes(), text).start();
        is_fine &= start == 0 || text[..start].ends_with(b"\r\n");
    }
    if is_fine { Ok(()) } else { Err(HttpError::LineEnd) }
}

fn keep_fields(buffer: &mut HeadBuffer, text: &[u8], fields: &[httparse::Header<'_>]) {
    buffer.fields.extend(
        fields
            .iter()
            .map(|field| Field { name: Span::of(field.name.as_bytes(), text), value: Span::of(field.value, text) }),
    );
}

fn check_host(buffer: &HeadBuffer, framing: &Framing, is_11: bool) -> Result<(), HttpError> {
    match framing.host.and_then(|n| buffer.fields.get(usize::from(n))) {
        Some(field) if is_host(field.value.cut(&buffer.text)) => Ok(()),
        Some(_) => Err(HttpError::Host),
        None if is_11 => Err(HttpError::HostMissing),
        None => Ok(()),
    }
}

fn check_target(target: &str, method: &Method, limits: &Limits) -> Result<(), HttpError> {
    // A fragment is never sent (RFC 9112, 3.2), and what lies beyond ASCII has to be percent-encoded.
    if target.bytes().any(|byte| byte == b'#' || (!byte.is_ascii() && !limits.allows_unusual_targets)) {
        return Err(HttpError::Target);
    }
    if target.starts_with('/') && *method != Method::CONNECT {
        return Ok(());
    }
    let form = Target::parse(target, *method == Method::CONNECT, *method == Method::OPTIONS);
    form.map(drop).ok_or(HttpError::Target)
}

/// The limit that the beginning of a request has passed already, if it has.
fn too_much_of_a_request(text: &[u8], limits: &Limits) -> Option<HttpError> {
    let end = memchr::memchr(b'\n', &text[..text.len().min(limits.request_line)]);
    if end.is_none() && text.len() >= limits.request_line {
        return Some(HttpError::RequestLineTooLong { limit: limits.request_line });
    }
    (text.len() > limits.head).then_some(HttpError::HeadTooLarge { limit: limits.head })
}

fn request_error(err: httparse::Error, text: &[u8], limits: &Limits) -> HttpError {
    match err {
        httparse::Error::Token | httparse::Error::Status => HttpError::RequestLine,
        httparse::Error::Version if names_a_version(text) => HttpError::Version,
        httparse::Error::Version => HttpError::RequestLine,
        _ => field_error(err, limits),
    }
}

fn field_error(err: httparse::Error, limits: &Limits) -> HttpError {
    match err {
        httparse::Error::NewLine => HttpError::LineEnd,
        httparse::Error::HeaderValue => HttpError::HeaderValue,
        httparse::Error::TooManyHeaders => HttpError::TooManyHeaders { limit: limits.headers },
        _ => HttpError::HeaderName,
    }
}

/// Whether the first line ends in `HTTP/` and two digits with a dot between: another version, not another protocol.
fn names_a_version(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    let version = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
}
