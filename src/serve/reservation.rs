//! [`Reservation`]: what workers listen on, held for as long as the server lives.

use foster_compat::{Address, Nursery, Protocol, Result, Server};

use super::config::Config;
use super::place::{Listening, Spot, spots};
use super::worker::listen;

/// The places that a configuration binds, bound and not listened on.
///
/// A port stays the server's own while a worker is started again, and port 0 is the same for all of them. Workers bind
/// the port once more each (`SO_REUSEPORT`), so that the kernel shares the connections out; a socket that was given,
/// or that has a path, is one for all.
pub(super) struct Reservation {
    places: Vec<Reserved>,
}

struct Reserved {
    server: Server,
    kind: Kind,
    is_secure: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Port,
    #[cfg(unix)]
    Socket,
    #[cfg(unix)]
    UnixSocket,
}

/// Nothing is ever accepted here.
#[derive(Default)]
struct Silent;

impl Protocol for Silent {}

impl Reservation {
    /// Binds everything, in `nursery`.
    pub(super) async fn make(nursery: &Nursery, config: &Config) -> Result<Self> {
        let mut places = Vec::new();
        for spot in spots(config)? {
            let (is_secure, kind) = (spot.is_secure, kind_of(&spot)?);
            let spot = Spot { is_shared: true, ..spot };
            places.push(Reserved {
                server: listen(nursery, config, Silent::default, spot, false).await?,
                kind,
                is_secure,
            });
        }
        Ok(Reservation { places })
    }

    pub(super) fn addresses(&self) -> Result<Vec<Address>> {
        let sockets = self.places.iter().flat_map(|place| place.server.sockets());
        sockets.map(|socket| Ok(socket.getsockname()?)).collect()
    }

    /// Everything once more, for a worker.
    pub(super) fn spots(&self) -> Result<Vec<Spot>> {
        let mut spots = Vec::new();
        for reserved in &self.places {
            for socket in reserved.server.sockets() {
                let place = match reserved.kind {
                    Kind::Port => match socket.getsockname()? {
                        Address::Inet(address) => Listening::Address(host_of(address), address.port()),
                        _ => continue,
                    },
                    #[cfg(unix)]
                    Kind::Socket => Listening::Socket(socket.with_fd(|fd| fd.try_clone_to_owned())??.into()),
                    #[cfg(unix)]
                    Kind::UnixSocket => Listening::UnixSocket(socket.with_fd(|fd| fd.try_clone_to_owned())??.into()),
                };
                spots.push(Spot { place, is_secure: reserved.is_secure, is_shared: true });
            }
        }
        Ok(spots)
    }

    /// Gives everything up. The file of a Unix socket is removed.
    pub(super) fn release(&self) {
        for reserved in &self.places {
            reserved.server.close();
        }
    }
}

#[cfg(unix)]
fn kind_of(spot: &Spot) -> Result<Kind> {
    Ok(match spot.place {
        Listening::Address(..) => Kind::Port,
        Listening::Socket(_) => Kind::Socket,
        Listening::Path(_) | Listening::UnixSocket(_) => Kind::UnixSocket,
    })
}

/// Only Unix can bind a port several times and share its connections out.
#[cfg(not(unix))]
fn kind_of(spot: &Spot) -> Result<Kind> {
    let _ = Kind::Port;
    Err(super::place::wrong(&format!("{spot:?}"), "on this system workers cannot share it: serve it from one loop"))
}

/// As the resolver takes it, with the scope of a link-local address.
fn host_of(address: std::net::SocketAddr) -> String {
    match address {
        std::net::SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
        _ => address.ip().to_string(),
    }
}
