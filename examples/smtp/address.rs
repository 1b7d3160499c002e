//! The addresses in MAIL, RCPT and VRFY: aiosmtpd's `_getaddr`.

/// Characters that stand in no local part without quotes and in no domain (RFC 5321, 4.1.2).
const SPECIAL: &[char] = &[' ', '<', '>', '(', ')', '"', ',', ';', '\\', '@'];

/// An address and what stands behind it: `<ada@example.org> SIZE=5`, with or without the angle brackets. `<>` is the
/// empty one. `None` where it is malformed.
pub(crate) fn address(arg: &str) -> Option<(&str, &str)> {
    let (path, rest) = match arg.strip_prefix('<') {
        Some(arg) => arg.split_at_checked(end_of_path(arg)?)?,
        None => arg.split_at_checked(arg.find(' ').unwrap_or(arg.len()))?,
    };
    let rest = rest.strip_prefix('>').unwrap_or(rest);
    if !rest.is_empty() && !rest.starts_with(' ') || path.contains(|char: char| char.is_ascii_control()) {
        return None;
    }
    // A route before the address is accepted and ignored (RFC 5321, 4.1.1.3).
    let address = if path.starts_with('@') { path.split_once(':')?.1 } else { path };
    let is_null = arg.starts_with("<>");
    (is_null || is_address(address)).then_some((address, rest.trim()))
}

/// Where the angle bracket stands that ends a path, and not in quotes.
fn end_of_path(arg: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    arg.find(|char| {
        if !is_escaped {
            is_quoted ^= char == '"';
        }
        is_escaped = is_quoted && !is_escaped && char == '\\';
        char == '>' && !is_quoted
    })
}

fn is_address(address: &str) -> bool {
    // Postmaster needs no domain (RFC 5321, 4.5.1).
    let (local, domain) = address.rsplit_once('@').map_or((address, None), |(local, domain)| (local, Some(domain)));
    let is_quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let is_plain = !local.is_empty() && !local.contains(SPECIAL);
    (is_quoted || is_plain) && domain.is_none_or(|domain| !domain.is_empty() && !domain.contains(SPECIAL))
}
