//! The messages of RFC 1928, without authentication: bytes in, values out, and the answers.
//!
//! What is taken out of a buffer is `None` as long as its end has not come.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use foster::{Address, Error};

pub(crate) const VERSION: u8 = 5;
pub(crate) const NO_AUTHENTICATION: u8 = 0;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;

const CONNECT: u8 = 1;

const IPV4: u8 = 1;
const DOMAIN: u8 = 3;
const IPV6: u8 = 4;

/// The bound address where nothing is bound.
const UNSPECIFIED: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The codes of a reply: RFC 1928, section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Succeeded = 0,
    GeneralFailure = 1,
    NotAllowed = 2,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    ConnectionRefused = 5,
    TtlExpired = 6,
    CommandNotSupported = 7,
    AddressTypeNotSupported = 8,
}

impl Reply {
    /// What a failed connection is to a client.
    pub(crate) fn of(err: &Error) -> Self {
        match err.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(ErrorKind::PermissionDenied) => Reply::NotAllowed,
            Some(ErrorKind::NetworkUnreachable) => Reply::NetworkUnreachable,
            // The second is a name that does not resolve.
            Some(ErrorKind::HostUnreachable | ErrorKind::NotFound) => Reply::HostUnreachable,
            Some(ErrorKind::ConnectionRefused) => Reply::ConnectionRefused,
            Some(ErrorKind::TimedOut) => Reply::TtlExpired,
            _ => Reply::GeneralFailure,
        }
    }
}

/// Why a client is dismissed: the error that its messages are answered with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(Vec<u8>);

impl Refusal {
    /// It speaks something else, in which nothing can be said.
    fn speechless() -> Self {
        Refusal(Vec::new())
    }

    pub(crate) fn no_acceptable_method() -> Self {
        Refusal(vec![VERSION, NO_ACCEPTABLE_METHOD])
    }

    pub(crate) fn reply(reply: Reply) -> Self {
        Refusal(reply_from(reply, UNSPECIFIED))
    }

    pub(crate) fn last_words(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a client is dismissed with {:x?}", self.0)
    }
}

impl std::error::Error for Refusal {}

/// Where a client wants to go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// A name, or an address as text.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The methods that a client offers: VER, NMETHODS, METHODS.
pub(crate) fn take_methods(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Refusal> {
    take(buffer, |data| match data {
        [] | [VERSION] => Ok(None),
        [VERSION, n, rest @ ..] => Ok(rest.split_at_checked(usize::from(*n)).map(|(it, rest)| (it.to_vec(), rest))),
        _ => Err(Refusal::speechless()),
    })
}

/// VER, CMD, RSV, ATYP, DST.ADDR, DST.PORT.
pub(crate) fn take_request(buffer: &mut Vec<u8>) -> Result<Option<Request>, Refusal> {
    take(buffer, |data| match data {
        [] | [VERSION] => Ok(None),
        [VERSION, CONNECT, rest @ ..] => match rest {
            [] | [_] => Ok(None),
            [_, kind @ (IPV4 | DOMAIN | IPV6), rest @ ..] => split_address(*kind, rest),
            _ => Err(Refusal::reply(Reply::AddressTypeNotSupported)),
        },
        [VERSION, ..] => Err(Refusal::reply(Reply::CommandNotSupported)),
        _ => Err(Refusal::speechless()),
    })
}

/// The reply to a request that was met, with the address that the proxy has on the way there.
pub(crate) fn succeeded(bound: Option<Address>) -> Vec<u8> {
    let bound = match bound {
        Some(Address::Inet(bound)) => bound,
        _ => UNSPECIFIED,
    };
    reply_from(Reply::Succeeded, bound)
}

/// VER, REP, RSV, ATYP, BND.ADDR, BND.PORT.
fn reply_from(reply: Reply, bound: SocketAddr) -> Vec<u8> {
    let mut message = vec![VERSION, reply as u8, 0];
    match bound.ip() {
        IpAddr::V4(ip) => {
            message.push(IPV4);
            message.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            message.push(IPV6);
            message.extend(ip.octets());
        }
    }
    message.extend(bound.port().to_be_bytes());
    message
}

/// What was read, and what lies behind it; `None` where the end has not come.
type Read<'a, T> = Option<(T, &'a [u8])>;

fn take<T>(
    buffer: &mut Vec<u8>,
    read: impl FnOnce(&[u8]) -> Result<Read<'_, T>, Refusal>,
) -> Result<Option<T>, Refusal> {
    let Some((value, rest)) = read(buffer)? else { return Ok(None) };
    let n_taken = buffer.len() - rest.len();
    buffer.drain(..n_taken);
    Ok(Some(value))
}

fn split_address(kind: u8, data: &[u8]) -> Result<Read<'_, Request>, Refusal> {
    let split = match kind {
        IPV4 => data.split_first_chunk::<4>().map(|(ip, rest)| (Ipv4Addr::from(*ip).to_string(), rest)),
        IPV6 => data.split_first_chunk::<16>().map(|(ip, rest)| (Ipv6Addr::from(*ip).to_string(), rest)),
        _ => match split_string(data) {
            Some((name, rest)) => Some((host(name)?, rest)),
            None => None,
        },
    };
    Ok(split.and_then(|(host, rest)| {
        let (port, rest) = rest.split_first_chunk()?;
        Some((Request { host, port: u16::from_be_bytes(*port) }, rest))
    }))
}

/// A name that may exist.
fn host(name: &[u8]) -> Result<String, Refusal> {
    match std::str::from_utf8(name) {
        Ok(name) if !name.is_empty() && !name.contains('\0') => Ok(name.to_owned()),
        _ => Err(Refusal::reply(Reply::HostUnreachable)),
    }
}

/// A string behind its length, of one byte.
fn split_string(data: &[u8]) -> Read<'_, &[u8]> {
    let (length, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(*length))
}
