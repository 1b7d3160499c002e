//! `getaddrinfo` and `getnameinfo` of the loop.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::ops::BitOr;
use std::pin::Pin;

use super::event_loop::Loop;
use super::exceptions::NotImplementedError;
use super::loop_state::LoopState;
use super::resolver::{Family, resolve};
use crate::error::Result;

impl Loop {
    /// The addresses of a host, best first: `loop.getaddrinfo`. Await the builder, whose method is asyncio's keyword
    /// argument.
    ///
    /// A literal address never uses a thread; a name is looked up by the resolver that a program has set
    /// ([`set_resolver`](Loop::set_resolver)), else by the system on a thread of the pool.
    ///
    /// Differs from asyncio: it gives addresses, each once, where Python has a tuple for each address and socket type.
    /// The family is the address's own; `type`, `proto` and `flags` change nothing that is left. An empty list is an
    /// error here.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it leaves the thread to itself; what that finds is dropped.
    ///
    /// # Errors
    ///
    /// An `io::Error` of kind `NotFound`, where Python has `socket.gaierror`: the host does not resolve, or to no address
    /// of the family.
    ///
    /// # Examples
    ///
    /// ```
    /// use foster_compat::{Family, get_running_loop, run};
    ///
    /// run(async {
    ///     let loop_ = get_running_loop()?;
    ///     let found = loop_.getaddrinfo("127.0.0.1", 80).family(Family::Inet).await?;
    ///     assert_eq!(found, ["127.0.0.1:80".parse()?]);
    ///     foster_compat::Ok(())
    /// })?;
    /// # foster_compat::Ok(())
    /// ```
    pub fn getaddrinfo(&self, host: impl Into<String>, port: u16) -> GetAddrInfo<'_> {
        GetAddrInfo { loop_: self, host: host.into(), port, family: None }
    }

    /// The host and the service of an address as text: `loop.getnameinfo`, which here does not look names up. An IPv6
    /// scope is given as its number, `fe80::1%2`.
    ///
    /// # Errors
    ///
    /// A [`NotImplementedError`] unless `flags` has both [`NI_NUMERICHOST`] and [`NI_NUMERICSERV`]: the standard
    /// library knows no way from an address to a name.
    ///
    /// # Examples
    ///
    /// ```
    /// use foster_compat::{NI_NUMERICHOST, NI_NUMERICSERV, get_running_loop, run};
    ///
    /// run(async {
    ///     let loop_ = get_running_loop()?;
    ///     let (host, port) = loop_.getnameinfo(&"[::1]:80".parse()?, NI_NUMERICHOST | NI_NUMERICSERV).await?;
    ///     assert_eq!((&*host, &*port), ("::1", "80"));
    ///     foster_compat::Ok(())
    /// })?;
    /// # foster_compat::Ok(())
    /// ```
    pub async fn getnameinfo(&self, sockaddr: &SocketAddr, flags: NameInfoFlags) -> Result<(String, String)> {
        let is_numeric = NI_NUMERICHOST | NI_NUMERICSERV;
        if flags != is_numeric {
            let message = "getnameinfo() looks up no names: pass NI_NUMERICHOST | NI_NUMERICSERV";
            return Err(NotImplementedError::new(message).into());
        }
        let host = match sockaddr {
            SocketAddr::V6(addr) if addr.scope_id() != 0 => format!("{}%{}", addr.ip(), addr.scope_id()),
            addr => addr.ip().to_string(),
        };
        Ok((host, sockaddr.port().to_string()))
    }
}

/// What [`Loop::getaddrinfo`] will look up; await it.
#[must_use = "nothing is looked up until it is awaited"]
#[derive(Debug)]
pub struct GetAddrInfo<'l> {
    loop_: &'l Loop,
    host: String,
    port: u16,
    family: Option<Family>,
}

impl GetAddrInfo<'_> {
    /// Gives only addresses of this family.
    pub fn family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }
}

impl<'l> IntoFuture for GetAddrInfo<'l> {
    type Output = Result<Vec<SocketAddr>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>>> + 'l>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let lp = LoopState::of(self.loop_.nursery().core());
            resolve(&lp, &self.host, self.port, self.family).await
        })
    }
}

/// The flags of [`Loop::getnameinfo`], combined with `|`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameInfoFlags(u8);

/// The host as an address: `socket.NI_NUMERICHOST`.
pub const NI_NUMERICHOST: NameInfoFlags = NameInfoFlags(1);

/// The service as a port number: `socket.NI_NUMERICSERV`.
pub const NI_NUMERICSERV: NameInfoFlags = NameInfoFlags(2);

impl BitOr for NameInfoFlags {
    type Output = NameInfoFlags;

    fn bitor(self, other: NameInfoFlags) -> NameInfoFlags {
        NameInfoFlags(self.0 | other.0)
    }
}
