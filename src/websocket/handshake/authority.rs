//! Hosts with ports, so that two of them can be compared.

use std::net::Ipv6Addr;

use crate::http::is_host;

/// The host of `host[:port]`, in lower case, an IPv6 address in brackets and in its one canonical form, and the port if
/// there is one; `None` if it is none, or empty.
pub(super) fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    if !is_host(authority.as_bytes()) {
        return None;
    }
    // A colon behind the bracket of an IPv6 address, or the only one.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    };
    let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => format!("[{}]", address.parse::<Ipv6Addr>().ok()?),
        None => host.to_ascii_lowercase(),
    };
    (!host.is_empty()).then_some((host, port))
}
