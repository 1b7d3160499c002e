//! Names to addresses.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::event_loop::Loop;
use super::loop_state::LoopState;
use crate::error::{Error, Result};
use crate::nursery::primitive;

/// An address family: the `family` argument of asyncio's functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// `AF_INET`.
    Inet,
    /// `AF_INET6`.
    Inet6,
}

impl Family {
    pub(super) fn of(address: &SocketAddr) -> Self {
        if address.is_ipv4() { Family::Inet } else { Family::Inet6 }
    }
}

/// Gives the addresses of a host and port, best first.
type Resolve = Rc<dyn Fn(String, u16) -> LocalBoxFuture<'static, Result<Vec<SocketAddr>>>>;

/// What a loop asks for addresses: the system unless a program has set something else.
#[derive(Clone, Default)]
pub(super) struct Resolver(Option<Resolve>);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Resolver(set by the program)" } else { "Resolver(system)" })
    }
}

impl Loop {
    /// Has every name of this loop resolved by `resolve`, for a resolver without threads, a cache or a test; `None`
    /// brings back the system's. Addresses are not asked for. Where asyncio overrides `loop.getaddrinfo`.
    ///
    /// Connecting tries the addresses in the order given; an empty list is an error of the caller who asked.
    pub fn set_resolver<F, A>(&self, resolve: Option<F>)
    where
        F: Fn(String, u16) -> A + 'static,
        A: Future<Output = Result<Vec<SocketAddr>>> + 'static,
    {
        let resolver = Resolver(
            resolve.map(|resolve| -> Resolve { Rc::new(move |host, port| resolve(host, port).boxed_local()) }),
        );
        let old = LoopState::of(self.nursery().core()).resolver.replace(resolver);
        drop(old);
    }
}

/// The addresses of `host` that are of `family`, each once, in the resolver's order.
///
/// # Errors
///
/// The host does not resolve, or to no address of the family: an `io::Error` of kind `NotFound`, which nothing else about
/// a TCP connection has. asyncio has `socket.gaierror`.
pub(super) async fn resolve(lp: &LoopState, host: &str, port: u16, family: Option<Family>) -> Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for address in lookup(lp, host, port).await? {
        if family.is_none_or(|family| family == Family::of(&address)) && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(nothing_found(host));
    }
    Ok(addresses)
}

/// asyncio's words for a name without an address.
pub(super) fn nothing_found(host: impl fmt::Debug) -> Error {
    io::Error::new(io::ErrorKind::NotFound, format!("getaddrinfo({host:?}) returned empty list")).into()
}

async fn lookup(lp: &LoopState, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    // An address needs no resolver, and so no thread.
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![(ip, port).into()]);
    }
    let Resolver(resolve) = lp.resolver.borrow().clone();
    if let Some(resolve) = resolve {
        return primitive("the resolver", resolve(host.to_owned(), port)).await;
    }
    let name = host.to_owned();
    let query = tokio::task::spawn_blocking(move || (name.as_str(), port).to_socket_addrs().map(Vec::from_iter));
    let found = primitive("the resolver", query).await.map_err(Error::new)?;
    found.map_err(|err| {
        // The standard library has no kind for it that can be named; an error of the system is one of another matter.
        let is_about_name = err.raw_os_error().is_none() && err.kind() != io::ErrorKind::InvalidInput;
        let kind = if is_about_name { io::ErrorKind::NotFound } else { err.kind() };
        io::Error::new(kind, format!("cannot resolve host {host:?}: {err}")).into()
    })
}
