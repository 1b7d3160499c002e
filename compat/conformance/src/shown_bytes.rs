//! Payloads in traces: short ones as Python writes bytes, long ones as their length.

/// Longer payloads are only counted, so that traces stay readable and chunk sizes stay out of them.
pub(crate) const SHOWN_BYTES: usize = 48;

/// A payload as traces show it: `'abc\n'`, or `<100000>` above 48 bytes. For drivers, which have to print it so.
pub fn show(payload: &[u8]) -> String {
    if payload.len() > SHOWN_BYTES {
        return format!("<{}>", payload.len());
    }
    // Python prefers single quotes and escapes them only if double quotes occur too.
    let quote = if payload.contains(&b'\'') && !payload.contains(&b'"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for &byte in payload {
        match byte {
            b'\\' => shown.push_str("\\\\"),
            b'\n' => shown.push_str("\\n"),
            b'\r' => shown.push_str("\\r"),
            b'\t' => shown.push_str("\\t"),
            b'\'' if quote == '\'' => shown.push_str("\\'"),
            b' '..=b'~' => shown.push(char::from(byte)),
            other => shown.push_str(&format!("\\x{other:02x}")),
        }
    }
    shown.push(quote);
    shown
}

/// How many bytes the shown payload stands for; none if the text is not a payload.
pub(crate) fn shown_size(shown: &str) -> Option<usize> {
    if let Some(digits) = shown.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        let is_count = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        return if is_count { digits.parse().ok() } else { None };
    }
    let quote = shown.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let mut rest = shown.strip_prefix(quote)?.strip_suffix(quote)?.chars();
    let mut size = 0;
    while let Some(next) = rest.next() {
        if next == '\\' {
            match rest.next()? {
                'x' => {
                    rest.next().filter(char::is_ascii_hexdigit)?;
                    rest.next().filter(char::is_ascii_hexdigit)?;
                }
                'n' | 'r' | 't' | '\\' | '\'' | '"' => {}
                _ => return None,
            }
        } else if !next.is_ascii() {
            return None;
        }
        size += 1;
    }
    Some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_payloads_are_shown_as_python_writes_bytes() {
        assert_eq!(show(b"abc"), "'abc'");
        assert_eq!(show(b"a\\b\r\n\t\x00\xff"), r"'a\\b\r\n\t\x00\xff'");
        assert_eq!(show(b"it's"), "\"it's\"");
        assert_eq!(show(b"'\""), r#"'\'"'"#);
        assert_eq!(show(b""), "''");
    }

    #[test]
    fn payloads_are_counted_from_the_49th_byte_on() {
        assert_eq!(show(&[b'x'; 48]), format!("'{}'", "x".repeat(48)));
        assert_eq!(show(&[b'x'; 49]), "<49>");
    }

    #[test]
    fn the_size_of_a_shown_payload_is_that_of_the_payload() {
        for payload in [&b"abc"[..], b"", b"it's", b"'\"", b"a\\b\r\n\t\x00\xff", &[b'x'; 3000]] {
            assert_eq!(shown_size(&show(payload)), Some(payload.len()));
        }
    }

    #[test]
    fn a_text_that_is_no_payload_has_no_size() {
        for text in ["", "abc", "'abc", "'", "<>", "<+1>", "<1", r"'\q'", r"'\x0'"] {
            assert_eq!(shown_size(text), None, "{text}");
        }
    }
}
