//! A line as an object of JSON.

use std::io::Write;
use std::time::Duration;

use super::date::rfc3339;
use super::entry::Record;

/// Appends an object without the end of its line. `now` is the time since 1970.
pub(super) fn write_object(record: &Record<'_>, now: Duration, out: &mut Vec<u8>) {
    let head = record.head;
    let peer = record.peer.map(|peer| peer.to_string());
    out.push(b'{');
    write_member("time", Some(rfc3339(now).as_bytes()), out);
    write_member("remote_addr", peer.as_deref().map(str::as_bytes), out);
    match head {
        Some(head) => {
            write_member("method", Some(head.method().as_str().as_bytes()), out);
            write_member("path", Some(head.path().as_bytes()), out);
            write_member("query", head.query().map(str::as_bytes), out);
        }
        None => write_member("request_line", record.request_line, out),
    }
    write_member("protocol", record.protocol().map(str::as_bytes), out);
    write_member("host", head.and_then(|head| head.host()).map(str::as_bytes), out);
    write_key("status", out);
    out.extend_from_slice(record.status.as_ref().map_or("null", |status| status.as_str()).as_bytes());
    let took = record.took;
    // Writing to a vector does not fail.
    let _ = write!(out, ",\"size\":{},\"duration\":{}.{:06}", record.n_sent, took.as_secs(), took.subsec_micros());
    write_member("referer", record.header("referer"), out);
    write_member("user_agent", record.header("user-agent"), out);
    out.push(b'}');
}

fn write_key(key: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_string(key, out);
    out.push(b':');
}

fn write_member(key: &str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    write_key(key, out);
    match value {
        Some(value) => write_string(&String::from_utf8_lossy(value), out),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.bytes() {
        match character {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', character]),
            ..0x20 | 0x7f => {
                // Writing to a vector does not fail.
                let _ = write!(out, "\\u{character:04x}");
            }
            _ => out.push(character),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::write_string;

    #[test]
    fn a_string_is_escaped() {
        let mut out = Vec::new();
        write_string("a\"b\\c\r\n\u{1b}é\u{7f}", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), r#""a\"b\\c\u000d\u000a\u001bé\u007f""#);
    }
}
