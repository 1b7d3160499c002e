//! What is said when no address can be connected.

use std::io;
use std::net::SocketAddr;

use super::connect::strerror;
use crate::error::Error;
use crate::nursery::NurseryError;

/// asyncio's words: `[Errno 111] Connect call failed ('127.0.0.1', 80)`.
pub(in crate::asyncio) fn connect_failed(address: SocketAddr, err: &io::Error) -> Error {
    with_errno(err, format!("Connect call failed {}", as_python(address)))
}

pub(in crate::asyncio) fn bind_failed(address: SocketAddr, err: &io::Error) -> Error {
    let reason = strerror(err).to_lowercase();
    with_errno(err, format!("error while attempting to bind on address {}: {reason}", as_python(address)))
}

pub(super) fn no_local_address(remote: SocketAddr) -> Error {
    let family = if remote.is_ipv4() { "AF_INET" } else { "AF_INET6" };
    let message = format!("no matching local address with family={family} found");
    io::Error::new(io::ErrorKind::AddrNotAvailable, message).into()
}

/// One error for all addresses: the only one itself, one message that all share, else every message.
pub(in crate::asyncio) fn combine(mut errors: Vec<Error>) -> Error {
    let messages: Vec<String> = errors.iter().map(Error::to_string).collect();
    if messages.iter().all(|message| *message == messages[0]) {
        return errors.swap_remove(0);
    }
    let kinds: Vec<_> = errors.iter().filter_map(Error::downcast_ref::<io::Error>).map(io::Error::kind).collect();
    let is_one_kind = kinds.len() == errors.len() && kinds.iter().all(|kind| *kind == kinds[0]);
    let kind = if is_one_kind { kinds[0] } else { io::ErrorKind::Other };
    io::Error::new(kind, format!("Multiple exceptions: {}", messages.join(", "))).into()
}

/// Every error as a member of a group, for `all_errors`.
pub(super) fn group(errors: Vec<Error>) -> Error {
    match NurseryError::from_errors(errors) {
        Some(group) => group.into(),
        None => io::Error::other("there was no address to connect to").into(),
    }
}

fn with_errno(err: &io::Error, message: String) -> Error {
    let shown = match err.raw_os_error() {
        Some(errno) => format!("[Errno {errno}] {message}"),
        None => format!("{message}: {err}"),
    };
    io::Error::new(err.kind(), shown).into()
}

/// The address as Python's tuple.
pub(in crate::asyncio) fn as_python(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => format!("('{}', {})", v4.ip(), v4.port()),
        SocketAddr::V6(v6) => format!("('{}', {}, {}, {})", v6.ip(), v6.port(), v6.flowinfo(), v6.scope_id()),
    }
}
