//! A line in Gunicorn's way.

use std::io::Write;

use super::entry::Record;
use super::format::{Atom, Piece};

/// Appends a line without its end. `date` is the one of common logs.
pub(super) fn write_line(pieces: &[Piece], record: &Record<'_>, date: &str, out: &mut Vec<u8>) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Atom(atom) => write_atom(atom, record, date, out),
        }
    }
}

/// Writing to a vector does not fail.
macro_rules! put {
    ($out:ident, $($format:tt)+) => {
        let _ = write!($out, $($format)+);
    };
}

fn write_atom(atom: &Atom, record: &Record<'_>, date: &str, out: &mut Vec<u8>) {
    let head = record.head;
    match atom {
        Atom::RemoteAddress => match record.peer {
            Some(peer) => {
                put!(out, "{peer}");
            }
            None => out.push(b'-'),
        },
        Atom::Dash => out.push(b'-'),
        Atom::User => write_value(user(record).as_deref(), out),
        Atom::Date => {
            put!(out, "[{date}]");
        }
        Atom::RequestLine => write_value(record.request_line(), out),
        Atom::Method => write_value(head.map(|head| head.method().as_str().as_bytes()), out),
        Atom::Path => write_value(head.map(|head| head.path().as_bytes()), out),
        Atom::Query => write_value(head.and_then(|head| head.query()).map(str::as_bytes), out),
        Atom::PathAndQuery => {
            write_value(head.map(|head| head.path().as_bytes()), out);
            if let Some(query) = head.and_then(|head| head.query()) {
                out.push(b'?');
                write_escaped(query.as_bytes(), out);
            }
        }
        Atom::Protocol => write_value(record.protocol().map(str::as_bytes), out),
        Atom::Scheme => out.extend_from_slice(if record.is_secure { b"https" } else { b"http" }),
        Atom::Status => write_value(record.status.as_ref().map(|status| status.as_str().as_bytes()), out),
        Atom::Phrase => {
            write_value(record.status.and_then(|status| status.canonical_reason()).map(str::as_bytes), out);
        }
        Atom::SizeOrDash if record.n_sent == 0 => out.push(b'-'),
        Atom::Size | Atom::SizeOrDash => {
            put!(out, "{}", record.n_sent);
        }
        Atom::Referer => write_value(record.header("referer"), out),
        Atom::UserAgent => write_value(record.header("user-agent"), out),
        Atom::Seconds => {
            put!(out, "{}", record.took.as_secs());
        }
        Atom::Milliseconds => {
            put!(out, "{}", record.took.as_millis());
        }
        Atom::Microseconds => {
            put!(out, "{}", record.took.as_micros());
        }
        Atom::DecimalSeconds => {
            put!(out, "{}.{:06}", record.took.as_secs(), record.took.subsec_micros());
        }
        Atom::Process => {
            put!(out, "<{}>", std::process::id());
        }
        Atom::RequestField(name) => write_value(record.header(name), out),
        Atom::ResponseField(_, nth) => {
            let field = record.fields.get(*nth).and_then(Option::as_ref);
            write_value(field.map(|value| value.as_bytes()), out);
        }
        Atom::Fixed(value) => write_value(value.as_deref().map(str::as_bytes), out),
    }
}

fn write_value(value: Option<&[u8]>, out: &mut Vec<u8>) {
    match value {
        Some(value) if !value.is_empty() => write_escaped(value, out),
        _ => out.push(b'-'),
    }
}

/// As nginx does it: what could end a line or a quoted value, and what no terminal should get, stands as `\xHH`.
fn write_escaped(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        match byte {
            b'"' | b'\\' | ..0x20 | 0x7f.. => {
                put!(out, "\\x{byte:02X}");
            }
            _ => out.push(byte),
        }
    }
}

/// The user of `Authorization: Basic`.
fn user(record: &Record<'_>) -> Option<Vec<u8>> {
    let value = record.header("authorization")?;
    let (scheme, token) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let pair = decode_base64(token.trim_ascii())?;
    let end = memchr::memchr(b':', &pair)?;
    Some(pair[..end].to_owned())
}

fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    let mut bytes = Vec::with_capacity(end / 4 * 3 + 3);
    let (mut bits, mut n_bits) = (0u32, 0);
    for &byte in &text[..end] {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        n_bits += 6;
        if n_bits >= 8 {
            n_bits -= 8;
            bytes.push((bits >> n_bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode_base64, write_escaped};

    #[test]
    fn base64_is_decoded_with_and_without_padding() {
        for (text, bytes) in [
            (&b""[..], Some(&b""[..])),
            (b"QQ==", Some(b"A")),
            (b"QQ", Some(b"A")),
            (b"QUI=", Some(b"AB")),
            (b"QUJD", Some(b"ABC")),
            (b"YWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some(b"aladdin:open sesame")),
            (b"Q!", None),
        ] {
            assert_eq!(decode_base64(text).as_deref(), bytes);
        }
    }

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        let mut out = Vec::new();
        write_escaped(b"a \"b\"\\\r\n\x1b[0m\x7f\xc3\xa9", &mut out);
        assert_eq!(out, br"a \x22b\x22\x5C\x0D\x0A\x1B[0m\x7F\xC3\xA9");
    }
}
