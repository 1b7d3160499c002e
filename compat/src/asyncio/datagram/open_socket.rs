//! From addresses or paths to a bound, perhaps connected socket.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use crate::asyncio::create_connection::connect_error::{bind_failed, combine, connect_failed};
use crate::asyncio::exceptions::ValueError;
use crate::asyncio::extra_info::Address;
use crate::asyncio::loop_state::LoopState;
use crate::asyncio::resolver::{Family, resolve};
use crate::error::{Error, Result};

/// How a socket is opened: asyncio's keyword arguments.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenOptions {
    pub(super) local_addr: Option<(String, u16)>,
    pub(super) remote_addr: Option<(String, u16)>,
    pub(super) family: Option<Family>,
    pub(super) reuse_port: bool,
    pub(super) allow_broadcast: bool,
}

/// A socket, and the address that datagrams go to unless another is given.
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) remote: Option<Address>,
}

impl Opened {
    /// A socket of the program's, which may be connected.
    pub(super) fn given(socket: Socket) -> Self {
        let remote = socket.peer_addr().ok().and_then(|addr| Address::from_sock_addr(&addr));
        Opened { socket, remote }
    }
}

/// Opens a socket of the first family that has all addresses asked for and where the system agrees.
pub(super) async fn open_inet(lp: &LoopState, options: &OpenOptions) -> Result<Opened> {
    let mut errors = Vec::new();
    for pair in pairs(lp, options).await? {
        match open_pair(&pair, options) {
            Ok(opened) => return Ok(opened),
            Err(err) => errors.push(err),
        }
    }
    Err(combine(errors))
}

/// The addresses of one family.
struct Pair {
    family: Family,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
}

async fn pairs(lp: &LoopState, options: &OpenOptions) -> Result<Vec<Pair>> {
    let (local, remote) = match (&options.local_addr, &options.remote_addr, options.family) {
        (None, None, None) => return Err(ValueError::new("unexpected address family").into()),
        (None, None, Some(family)) => return Ok(vec![Pair { family, local: None, remote: None }]),
        (local, remote, _) => (local, remote),
    };
    let mut pairs = Vec::new();
    if let Some((host, port)) = local {
        let found = if host.is_empty() {
            all_interfaces(*port, options.family)
        } else {
            resolve(lp, host, *port, options.family).await?
        };
        for address in found {
            of_family(&mut pairs, &address).local.get_or_insert(address);
        }
    }
    if let Some((host, port)) = remote {
        for address in resolve(lp, host, *port, options.family).await? {
            of_family(&mut pairs, &address).remote.get_or_insert(address);
        }
    }
    pairs.retain(|pair| pair.local.is_some() == local.is_some() && pair.remote.is_some() == remote.is_some());
    if pairs.is_empty() {
        return Err(ValueError::new("can not get address information").into());
    }
    Ok(pairs)
}

fn all_interfaces(port: u16, family: Option<Family>) -> Vec<SocketAddr> {
    let both = [(Ipv4Addr::UNSPECIFIED, port).into(), (Ipv6Addr::UNSPECIFIED, port).into()];
    both.into_iter().filter(|address| family.is_none_or(|family| family == Family::of(address))).collect()
}

fn of_family<'a>(pairs: &'a mut Vec<Pair>, address: &SocketAddr) -> &'a mut Pair {
    let family = Family::of(address);
    let at = pairs.iter().position(|pair| pair.family == family).unwrap_or_else(|| {
        pairs.push(Pair { family, local: None, remote: None });
        pairs.len() - 1
    });
    &mut pairs[at]
}

fn open_pair(pair: &Pair, options: &OpenOptions) -> Result<Opened, Error> {
    let domain = match pair.family {
        Family::Inet => Domain::IPV4,
        Family::Inet6 => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::DGRAM, None)?;
    if options.reuse_port {
        set_reuse_port(&socket)?;
    }
    if options.allow_broadcast {
        socket.set_broadcast(true)?;
    }
    if let Some(local) = pair.local {
        socket.bind(&local.into()).map_err(|err| bind_failed(local, &err))?;
    }
    // A connected socket would not hear the answers to a broadcast.
    if let Some(remote) = pair.remote.filter(|_| !options.allow_broadcast) {
        socket.connect(&remote.into()).map_err(|err| connect_failed(remote, &err))?;
    }
    Ok(Opened { socket, remote: pair.remote.map(Address::Inet) })
}

fn set_reuse_port(socket: &Socket) -> Result<()> {
    #[cfg(unix)]
    {
        Ok(socket.set_reuse_port(true)?)
    }
    #[cfg(not(unix))]
    {
        let _ = socket;
        Err(ValueError::new("reuse_port not supported by socket module").into())
    }
}

/// Opens a Unix socket. A socket file that stands at the local path is replaced, as asyncio does.
#[cfg(unix)]
pub(super) fn open_unix(
    local: Option<&std::path::Path>,
    remote: Option<&std::path::Path>,
    options: &OpenOptions,
) -> Result<Opened> {
    use std::io;
    use std::os::unix::ffi::OsStrExt;

    use socket2::SockAddr;

    let failed = |what: &str, path: &std::path::Path, err: io::Error| {
        Error::from(io::Error::new(err.kind(), format!("cannot {what} {path:?}: {err}")))
    };
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    if options.allow_broadcast {
        socket.set_broadcast(true)?;
    }
    if let Some(path) = local {
        if path.as_os_str().as_bytes().first() != Some(&0) {
            crate::asyncio::unix_socket_file::UnixSocketFile::remove_stale(path);
        }
        let bound = SockAddr::unix(path).and_then(|addr| socket.bind(&addr));
        bound.map_err(|err| failed("bind", path, err))?;
    }
    if let Some(path) = remote {
        let connected = SockAddr::unix(path).and_then(|addr| socket.connect(&addr));
        connected.map_err(|err| failed("connect to", path, err))?;
    }
    Ok(Opened { socket, remote: remote.map(|path| Address::Unix(path.to_string_lossy().into_owned())) })
}
