//! Hosts with ports, as `Host` and the authority of a target give them.

use super::byte_set::ByteSet;

/// Whether `text` is `uri-host [":" port]` of RFC 9110, 7.2: a name, an IPv4 address or a bracketed IPv6 address. An
/// empty host is one: RFC 9110 asks for it where the target has no authority.
#[inline]
pub(crate) fn is_host(text: &[u8]) -> bool {
    // Nearly every host is a name or an IPv4 address and maybe a port.
    let n_plain = IN_REG_NAME.n_leading(text);
    n_plain == text.len() || is_longer_host(text, n_plain)
}

/// As [`is_host`], of a text that goes on behind the bytes that names are made of.
fn is_longer_host(text: &[u8], n_plain: usize) -> bool {
    let rest = match text.strip_prefix(b"[") {
        _ if text[n_plain] == b':' => &text[n_plain..],
        Some(inner) => {
            let Some(end) = memchr::memchr(b']', inner) else { return false };
            let (address, rest) = (&inner[..end], &inner[end + 1..]);
            if !is_ip_literal(address) {
                return false;
            }
            rest
        }
        None => {
            let end = text.iter().position(|&byte| byte == b':').unwrap_or(text.len());
            if !is_reg_name(&text[..end]) {
                return false;
            }
            &text[end..]
        }
    };
    match rest.split_first() {
        None => true,
        Some((b':', port)) => port.len() <= 5 && port.iter().all(u8::is_ascii_digit) && is_port(port),
        Some(_) => false,
    }
}

fn is_port(digits: &[u8]) -> bool {
    digits.iter().fold(0u32, |port, digit| port * 10 + u32::from(digit - b'0')) <= u32::from(u16::MAX)
}

fn is_ip_literal(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

/// `reg-name` of RFC 3986, 3.2.2: unreserved characters, sub-delimiters and percent-encoded bytes.
fn is_reg_name(name: &[u8]) -> bool {
    let mut bytes = name.iter();
    while let Some(&byte) = bytes.next() {
        let is_fine = match byte {
            b'%' => bytes.next().is_some_and(u8::is_ascii_hexdigit) && bytes.next().is_some_and(u8::is_ascii_hexdigit),
            _ => IN_REG_NAME.contains(byte),
        };
        if !is_fine {
            return false;
        }
    }
    true
}

static IN_REG_NAME: ByteSet = ByteSet::alphanumeric_and(b"-._~!$&'()*+,;=");
