//! Heads and chunks as bytes.

use crate::http::{HeaderList, HeaderName, HeaderValue, StatusCode, header};

use super::parse::is_forbidden_trailer;

/// How the body of a message is marked off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// There is none, and nothing says so.
    Nothing,
    Length(u64),
    Chunked,
    /// To the end of the connection.
    Close,
}

/// Writes the status line.
pub(super) fn status_line(status: StatusCode, out: &mut Vec<u8>) {
    if status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes the status line and `Content-Type`.
pub(super) fn status_and_type(status: StatusCode, content_type: Option<&HeaderValue>, out: &mut Vec<u8>) {
    status_line(status, out);
    if let Some(content_type) = content_type {
        field(&header::CONTENT_TYPE, content_type, out);
    }
}

/// Writes `Date`.
pub(super) fn date(date: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(date) = date {
        named_field(b"date", date, out);
    }
}

/// Writes one field.
pub(super) fn field(name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
    named_field(name.as_str().as_bytes(), value.as_bytes(), out);
}

fn named_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes the fields of a list, but for those that the connection writes itself.
pub(super) fn fields(headers: &HeaderList, out: &mut Vec<u8>) {
    for (name, value) in headers.iter() {
        if *name != header::CONTENT_LENGTH && *name != header::TRANSFER_ENCODING && *name != header::CONNECTION {
            field(name, value, out);
        }
    }
}

/// Writes what marks off the body.
pub(super) fn framing(framing: BodyFraming, out: &mut Vec<u8>) {
    match framing {
        BodyFraming::Length(length) => {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        BodyFraming::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        BodyFraming::Nothing | BodyFraming::Close => {}
    }
}

/// Writes the size of a chunk with its line end.
pub(super) fn chunk_size(n: usize, out: &mut Vec<u8>) {
    let mut digits = [0; 16];
    let mut at = digits.len();
    let mut left = n;
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[left & 15];
        left >>= 4;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Writes the last chunk with the trailers, but for those that no message may have there.
pub(super) fn last_chunk(trailers: &HeaderList, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.iter().filter(|(name, _)| !is_forbidden_trailer(name.as_str())) {
        field(name, value, out);
    }
    out.extend_from_slice(b"\r\n");
}
